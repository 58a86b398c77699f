//! Directories and requests of every kind, small enough that everything meets everything.

use procura_protocol::permission::{Ceiling, Permission, Permissions};
use procura_store::Directory;
use procura_store::records::{ApplicationNo, ClientNo, ContactNo, Coverage, Mandate, Trust, Version};
use procura_testkit::clock::BEGINNING;
use procura_testkit::random::SeededRandom;
use procura_testkit::world::{self, World};

pub(crate) const SECRET: &str = "pcs_everyone";

#[derive(Debug)]
pub(crate) struct Plain {
    pub(crate) applications: Vec<PlainApplication>,
    pub(crate) clients: Vec<PlainClient>,
    pub(crate) contacts: Vec<PlainContact>,
    pub(crate) mandates: Vec<PlainMandate>,
    pub(crate) trusts: Vec<PlainTrust>,
}

#[derive(Debug)]
pub(crate) struct PlainApplication {
    pub(crate) id: String,
    pub(crate) active: bool,
    pub(crate) trusted: bool,
}

#[derive(Debug)]
pub(crate) struct PlainClient {
    pub(crate) id: String,
    pub(crate) status: &'static str,
}

#[derive(Debug)]
pub(crate) struct PlainContact {
    pub(crate) id: String,
    pub(crate) active: bool,
}

#[derive(Debug)]
pub(crate) struct PlainMandate {
    pub(crate) contact: String,
    pub(crate) client: String,
    pub(crate) permissions: Vec<String>,
    pub(crate) from: Option<i64>,
    pub(crate) until: Option<i64>,
    pub(crate) active: bool,
}

#[derive(Debug)]
pub(crate) struct PlainTrust {
    pub(crate) client: String,
    pub(crate) application: String,
    pub(crate) all_contacts: bool,
    pub(crate) contacts: Vec<String>,
    pub(crate) ceiling: String,
    pub(crate) from: Option<i64>,
    pub(crate) until: Option<i64>,
    pub(crate) active: bool,
}

/// A request.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) application: String,
    pub(crate) contact: String,
    pub(crate) clients: Option<Vec<String>>,
    pub(crate) scope: Option<Vec<String>>,
    pub(crate) now: i64,
}

impl Case {
    pub(crate) fn form(&self) -> String {
        let mut parts = Vec::new();
        if let Some(clients) = &self.clients {
            parts.push(format!("clients={}", clients.join("+")));
        }
        if let Some(scope) = &self.scope {
            parts.push(format!("scope={}", scope.join("+")));
        }
        parts.join("&")
    }
}

pub(crate) fn directory(random: &SeededRandom) -> Plain {
    let applications = (0..2 + random.below(2))
        .map(|n| PlainApplication {
            id: format!("app_{n}"),
            active: !random.one_in(8),
            trusted: !random.one_in(6),
        })
        .collect::<Vec<_>>();
    let clients = (0..1 + random.below(5))
        .map(|n| PlainClient {
            id: format!("cli{}", [3, 1, 10, 2, 0][n as usize]),
            status: pick::<&str>(random, &["Active", "Active", "Active", "Inactive", "Closed", "Blocked"]),
        })
        .collect::<Vec<_>>();
    let contacts = (0..1 + random.below(4))
        .map(|n| PlainContact { id: format!("con{n}"), active: !random.one_in(12) })
        .collect::<Vec<_>>();
    let mandates = contacts
        .iter()
        .flat_map(|contact| clients.iter().map(move |client| (contact, client)))
        .filter(|_| !random.one_in(5))
        .map(|(contact, client)| mandate(random, contact, client))
        .collect();
    let trusts = applications
        .iter()
        .flat_map(|application| clients.iter().map(move |client| (application, client)))
        .filter(|_| !random.one_in(6))
        .map(|(application, client)| trust(random, application, client, &contacts))
        .collect();
    Plain { applications, clients, contacts, mandates, trusts }
}

pub(crate) fn case(random: &SeededRandom, plain: &Plain) -> Case {
    let application = match random.below(15) {
        0 => "app_nobody".to_owned(),
        _ => pick(random, &plain.applications).id.clone(),
    };
    let contact = match random.below(10) {
        0 => "nobody".to_owned(),
        1 => pick(random, &plain.clients).id.clone(), // a client is not a contact
        _ => pick(random, &plain.contacts).id.clone(),
    };
    let some = |_: &&PlainClient| random.one_in(2);
    let named: Vec<String> = plain.clients.iter().filter(some).map(|client| client.id.clone()).collect();
    let clients = (random.one_in(3) && !named.is_empty()).then_some(named);
    let scope = random.one_in(3).then(|| {
        let mut names = permissions(random, 3);
        if names.is_empty() || random.one_in(2) {
            names.push("openid".to_owned());
        }
        names
    });
    let now = BEGINNING.0 + 10 * (random.below(9) as i64 - 4);
    Case { application, contact, clients, scope, now }
}

fn mandate(random: &SeededRandom, contact: &PlainContact, client: &PlainClient) -> PlainMandate {
    let (from, until) = window(random);
    PlainMandate {
        contact: contact.id.clone(),
        client: client.id.clone(),
        permissions: permissions(random, 2),
        from,
        until,
        active: !random.one_in(12),
    }
}

fn trust(
    random: &SeededRandom,
    application: &PlainApplication,
    client: &PlainClient,
    contacts: &[PlainContact],
) -> PlainTrust {
    let (from, until) = window(random);
    let all_contacts = !random.one_in(3);
    let some = |_: &&PlainContact| !random.one_in(3);
    let named = contacts.iter().filter(some).map(|contact| contact.id.clone()).collect();
    PlainTrust {
        client: client.id.clone(),
        application: application.id.clone(),
        all_contacts,
        contacts: if all_contacts { Vec::new() } else { named },
        ceiling: ceiling(random),
        from,
        until,
        active: !random.one_in(12),
    }
}

fn ceiling(random: &SeededRandom) -> String {
    match random.below(4) {
        0 => "all".to_owned(),
        1 => "all can_authorise_payments can_manage_permissions".to_owned(),
        _ => permissions(random, 2).join(" "),
    }
}

fn permissions(random: &SeededRandom, one_in: u64) -> Vec<String> {
    let some = |_: &Permission| random.one_in(one_in);
    Permission::ALL.into_iter().filter(some).map(|permission| permission.name().to_owned()).collect()
}

/// Ends on, just before and just after the moments that requests are made at.
fn window(random: &SeededRandom) -> (Option<i64>, Option<i64>) {
    let near = || BEGINNING.0 + 10 * (random.below(9) as i64 - 4);
    let from = (!random.one_in(3)).then(|| near() - 40);
    let until = random.one_in(3).then(|| if random.one_in(2) { near() } else { near() + 5_000 });
    match (from, until) {
        (Some(from), Some(until)) if until <= from => (Some(from), None),
        ends => ends,
    }
}

fn pick<'a, T>(random: &SeededRandom, from: &'a [T]) -> &'a T {
    &from[random.below(from.len() as u64) as usize]
}

impl Plain {
    /// The same facts as the engine's snapshot.
    pub(crate) fn publish(&self) -> Directory {
        let client_no = |id: &str| self.clients.iter().position(|client| client.id == id).unwrap() as u32 + 1;
        let contact_no = |id: &str| {
            ContactNo(self.contacts.iter().position(|contact| contact.id == id).unwrap() as u32 + 1)
        };
        let clients = (1..).zip(&self.clients).map(|(no, plain)| {
            let mut client = world::client(&plain.id, "Name");
            client.active = plain.status == "Active";
            (ClientNo(no), client)
        });
        let contacts = (1..).zip(&self.contacts).map(|(no, plain)| {
            let mandates = self.mandates.iter().filter(|mandate| mandate.contact == plain.id);
            let mandates = mandates.map(|mandate| Mandate {
                client: ClientNo(client_no(&mandate.client)),
                span: world::span(mandate.from, mandate.until),
                permissions: Permissions::parse(&mandate.permissions.join(" ")).unwrap(),
                active: mandate.active,
            });
            let mut contact = world::contact(&plain.id, mandates.collect());
            contact.active = plain.active;
            (ContactNo(no), contact)
        });
        let applications = (1..).zip(&self.applications).map(|(no, plain)| {
            let mut application = world::application(no, &plain.id, SECRET, plain.trusted);
            application.active = plain.active;
            application
        });
        let trusts = self.trusts.iter().map(|plain| {
            let no = self.applications.iter().position(|application| application.id == plain.application);
            let mut named: Vec<_> = plain.contacts.iter().map(|id| contact_no(id)).collect();
            named.sort_unstable();
            let trust = Trust {
                client: ClientNo(client_no(&plain.client)),
                span: world::span(plain.from, plain.until),
                ceiling: Ceiling::parse(&plain.ceiling).unwrap().permissions(),
                active: plain.active,
                contacts: if plain.all_contacts { Coverage::All } else { Coverage::Named(named.into()) },
            };
            (ApplicationNo(no.unwrap() as u32 + 1), trust)
        });
        World {
            version: Version(1),
            applications: applications.collect(),
            clients: clients.collect(),
            contacts: contacts.collect(),
            trusts: trusts.collect(),
            ..World::default()
        }
        .publish()
    }
}
