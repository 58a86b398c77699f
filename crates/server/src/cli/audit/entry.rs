//! A record with its names, in the members that exports have.

use std::collections::{BTreeMap, BTreeSet};

use procura_engine::explain;
use procura_engine::token_id::access_token_jti;
use procura_protocol::confirmation::Binding;
use procura_protocol::mark::MarkSubject;
use procura_storage::journal::Entry;
use procura_store::administration::Administration as _;
use procura_store::change::{Actor, Entity};
use procura_store::journal::{AskedFor, Changed, Issued, OwnIssued, Record, Refused};
use procura_store::records::ApplicationNo;
use serde::Serialize;

use crate::exit::Failure;
use crate::output;
use crate::wiring::Desk;

/// One record as `audit export` prints it: always these members, in this order.
#[derive(Debug, Default, Serialize)]
pub(super) struct Told {
    seq: u64,
    at: String,
    kind: &'static str,
    reference: Option<String>,
    application_id: Option<String>,
    contact_id: Option<String>,
    clients: Option<Vec<Option<String>>>,
    id_token_jti: Option<String>,
    access_token_jti: Option<String>,
    expires_at: Option<String>,
    kid: Option<String>,
    /// By what a token was asked for.
    door: Option<&'static str>,
    /// What the token is bound to, as its `cnf` says.
    bound_to: Option<String>,
    cause: Option<String>,
    actor: Option<String>,
    hash: String,
}

/// Names of numbers, as far as they are known.
type Names = BTreeMap<(Entity, u32), Option<String>>;

/// Tells entries, whose records are given beside them.
pub(super) fn tell(desk: &Desk, entries: &[Entry], records: &[Record]) -> Result<Vec<Told>, Failure> {
    let wanted: BTreeSet<(Entity, u32)> = records.iter().flat_map(numbers).collect();
    let wanted: Vec<(Entity, u32)> = wanted.into_iter().collect();
    let found = desk.wait(desk.store().names_of(wanted.clone()))?;
    let mut names: Names = wanted.into_iter().zip(found).collect();
    // There are few keys, and their names are public.
    for key in desk.wait(desk.store().keys())? {
        names.insert((Entity::Key, key.no.0), Some(key.kid));
    }
    Ok(entries.iter().zip(records).map(|(entry, record)| told(entry, record, &names)).collect())
}

fn numbers(record: &Record) -> Vec<(Entity, u32)> {
    match record {
        Record::Issued(issued) => {
            let mut all: Vec<_> = issued.clients.iter().map(|client| (Entity::Client, client.0)).collect();
            all.push((Entity::Application, issued.application.0));
            all.push((Entity::Contact, issued.contact.0));
            all
        }
        Record::OwnIssued(issued) => vec![(Entity::Application, issued.application.0)],
        Record::Refused(refused) => {
            let mut all = vec![(Entity::Application, refused.application.0)];
            if let AskedFor::Known(contact) = refused.contact {
                all.push((Entity::Contact, contact.0));
            }
            all
        }
        Record::Changed(changed) => parties(changed).into_iter().chain(actors(changed.actor)).collect(),
        Record::AssertionUsed(used) => vec![(Entity::Application, used.application.0)],
        Record::AuthenticationFailures(_) | Record::Started(_) => Vec::new(),
    }
}

/// Whom a change is about.
fn parties(changed: &Changed) -> Vec<(Entity, u32)> {
    match changed.entity {
        Entity::Mandate => vec![(Entity::Contact, changed.number), (Entity::Client, changed.client)],
        Entity::Trust => vec![(Entity::Application, changed.number), (Entity::Client, changed.client)],
        Entity::Token if changed.number == 0 => Vec::new(),
        Entity::Token => vec![(Entity::Application, changed.number)],
        entity => vec![(entity, changed.number)],
    }
}

/// Who did it, as far as the directory names them.
fn actors(actor: Actor) -> Vec<(Entity, u32)> {
    match actor {
        Actor::Operator { .. } | Actor::Server => Vec::new(),
        Actor::Application { application } => vec![(Entity::Application, application.0)],
        Actor::Contact { contact, application } => {
            vec![(Entity::Contact, contact.0), (Entity::Application, application.0)]
        }
    }
}

fn actor(actor: Actor, names: &Names) -> String {
    let known = |entity, number| name(names, entity, number).unwrap_or_else(|| "(erased)".to_owned());
    let application = |no: ApplicationNo| format!("application:{}", known(Entity::Application, no.0));
    match actor {
        Actor::Operator { .. } | Actor::Server => actor.to_string(),
        Actor::Application { application: no } => application(no),
        Actor::Contact { contact, application: no } => {
            format!("contact:{} through {}", known(Entity::Contact, contact.0), application(no))
        }
    }
}

fn told(entry: &Entry, record: &Record, names: &Names) -> Told {
    let plain =
        Told { seq: entry.seq, at: entry.at.to_string(), hash: entry.hash.to_string(), ..Told::default() };
    match record {
        Record::Issued(issued) => of_issue(plain, issued, names),
        Record::OwnIssued(issued) => of_own_issue(plain, issued, names),
        Record::Refused(refused) => of_refusal(plain, refused, names),
        Record::Changed(changed) => of_change(plain, changed, names),
        Record::AuthenticationFailures(failures) => Told {
            kind: "authentication_failures",
            cause: Some(format!(
                "known_application={} unknown_application={} since={}",
                failures.known_application, failures.unknown_application, failures.since
            )),
            ..plain
        },
        Record::AssertionUsed(used) => Told {
            kind: "assertion_used",
            application_id: name(names, Entity::Application, used.application.0),
            expires_at: Some(used.expires_at.to_string()),
            ..plain
        },
        Record::Started(_) => Told { kind: "started", actor: Some("server".to_owned()), ..plain },
    }
}

fn of_issue(plain: Told, issued: &Issued, names: &Names) -> Told {
    let client = |client: &procura_store::records::ClientNo| name(names, Entity::Client, client.0);
    let mut keys: Vec<u32> = issued.id_token_key.iter().map(|key| key.0).collect();
    if keys.first() != Some(&issued.access_token_key.0) {
        keys.push(issued.access_token_key.0);
    }
    let kids: Option<Vec<String>> = keys.into_iter().map(|key| name(names, Entity::Key, key)).collect();
    Told {
        kind: "issued",
        reference: Some(issued.reference.to_string()),
        application_id: name(names, Entity::Application, issued.application.0),
        contact_id: name(names, Entity::Contact, issued.contact.0),
        clients: Some(issued.clients.iter().map(client).collect()),
        id_token_jti: issued.id_token_key.map(|_| issued.id_token_jti.to_string()),
        door: Some(issued.door.name()),
        bound_to: issued.bound_to.map(bound_to),
        access_token_jti: Some(access_token_jti(issued.id_token_jti).to_string()),
        expires_at: Some(issued.expires_at.to_string()),
        kid: kids.map(|kids| kids.join(" ")),
        ..plain
    }
}

/// The members of `cnf`, each with a space between name and digest.
fn bound_to(binding: Binding) -> String {
    let certificate = binding.certificate().map(|certificate| format!("x5t#S256 {certificate}"));
    let key = binding.key().map(|key| format!("jkt {key}"));
    certificate.into_iter().chain(key).collect::<Vec<_>>().join(" ")
}

fn of_own_issue(plain: Told, issued: &OwnIssued, names: &Names) -> Told {
    Told {
        kind: "issued",
        reference: Some(issued.reference.to_string()),
        application_id: name(names, Entity::Application, issued.application.0),
        access_token_jti: Some(access_token_jti(issued.jti_seed).to_string()),
        expires_at: Some(issued.expires_at.to_string()),
        kid: name(names, Entity::Key, issued.access_token_key.0),
        door: Some("client_credentials"),
        bound_to: issued.bound_to.map(bound_to),
        ..plain
    }
}

fn of_refusal(plain: Told, refused: &Refused, names: &Names) -> Told {
    let cause: Vec<&str> = std::iter::once(refused.cause.name()).chain(explain::details(refused)).collect();
    Told {
        kind: "refused",
        reference: Some(refused.reference.to_string()),
        application_id: name(names, Entity::Application, refused.application.0),
        contact_id: match refused.contact {
            AskedFor::Known(contact) => name(names, Entity::Contact, contact.0),
            AskedFor::Unknown(_) | AskedFor::Nobody => None,
        },
        cause: Some(cause.join(" ")),
        ..plain
    }
}

fn of_change(plain: Told, changed: &Changed, names: &Names) -> Told {
    let mut told = Told {
        kind: "changed",
        cause: Some(cause(changed, token(changed).as_deref())),
        actor: Some(actor(changed.actor, names)),
        ..plain
    };
    for (entity, number) in parties(changed) {
        let name = name(names, entity, number);
        match entity {
            Entity::Application => told.application_id = name,
            Entity::Contact => told.contact_id = name,
            Entity::Client => told.clients = Some(vec![name]),
            Entity::Key => told.kid = name,
            // Resources have no member of their own.
            Entity::Resource => told.cause = Some(cause(changed, name.as_deref())),
            Entity::Mandate | Entity::Trust | Entity::Token => {}
        }
    }
    told
}

/// Which token, as guards are told it.
fn token(changed: &Changed) -> Option<String> {
    match (changed.entity, changed.token) {
        (_, Some(subject)) => Some(MarkSubject(subject).to_string()),
        (Entity::Token, None) => Some("all".to_owned()),
        _ => None,
    }
}

fn cause(changed: &Changed, name: Option<&str>) -> String {
    let cause = format!("{}.{}", changed.entity, changed.action);
    name.map_or_else(|| cause.clone(), |name| format!("{cause} {name}"))
}

fn name(names: &Names, entity: Entity, number: u32) -> Option<String> {
    names.get(&(entity, number)).cloned().flatten()
}

impl Told {
    /// For `tail`: the record on one line.
    pub(super) fn line(&self) -> String {
        let key = self.kid.as_ref().filter(|_| self.kind == "changed");
        let parts = [&self.application_id, &self.contact_id, &self.cause, &self.actor, &self.reference];
        let parts: Vec<&str> = parts.into_iter().flatten().chain(key).map(String::as_str).collect();
        let clients = self.clients.iter().flatten().map(|id| id.as_deref().unwrap_or("(erased)"));
        let all: Vec<&str> = self.door.into_iter().chain(parts).chain(clients).collect();
        output::plain(&format!("{:>8}  {}  {:8}  {}", self.seq, self.at, self.kind, all.join("  ")))
    }

    /// For `explain`: a member a line.
    pub(super) fn lines(&self) -> String {
        let (seq, clients) = (
            self.seq.to_string(),
            self.clients.as_ref().map(|clients| {
                let ids = clients.iter().map(|id| id.as_deref().unwrap_or("(erased)"));
                ids.collect::<Vec<_>>().join(" ")
            }),
        );
        let members = [
            ("seq", Some(seq.as_str())),
            ("at", Some(&self.at)),
            ("kind", Some(self.kind)),
            ("application_id", self.application_id.as_deref()),
            ("contact_id", self.contact_id.as_deref()),
            ("clients", clients.as_deref()),
            ("door", self.door),
            ("bound_to", self.bound_to.as_deref()),
            ("expires_at", self.expires_at.as_deref()),
            ("cause", self.cause.as_deref()),
        ];
        output::pairs(members.into_iter().filter(|(_, value)| value.is_some()))
    }
}

#[cfg(test)]
mod tests {
    use procura_store::records::ContactNo;

    use super::*;

    #[test]
    fn who_acted_for_whom_is_told_by_name_as_long_as_it_is_known() {
        let (contact, application) = (ContactNo(5), ApplicationNo(7));
        let mut names: Names = BTreeMap::from([((Entity::Application, 7), Some("app_klapp".to_owned()))]);
        assert_eq!(actor(Actor::Application { application }, &names), "application:app_klapp");
        let for_contact = Actor::Contact { contact, application };
        assert_eq!(actors(for_contact), [(Entity::Contact, 5), (Entity::Application, 7)]);
        assert_eq!(actor(for_contact, &names), "contact:(erased) through application:app_klapp");
        names.insert((Entity::Contact, 5), Some("CON1".to_owned()));
        assert_eq!(actor(for_contact, &names), "contact:CON1 through application:app_klapp");
        assert_eq!(actor(Actor::Operator { uid: 3 }, &names), "uid:3");
    }
}
