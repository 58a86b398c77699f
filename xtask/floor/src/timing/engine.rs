//! The engine alone: no socket, no disk, a clock that stands still.

use std::borrow::Cow;
use std::future::{Ready, ready};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use procura_engine::application_auth::possession::{ProvedRequest, TokenRequester};
use procura_engine::application_auth::{Evidence, Presented};
use procura_engine::contact_token::{ContactTokenError, Wanted};
use procura_engine::limits::PerMinute;
use procura_engine::{Engine, Settings};
use procura_jose::{Algorithm, SystemRandom};
use procura_protocol::application_auth::AuthMethod;
use procura_protocol::contact_token::ContactTokenRequest;
use procura_protocol::paths;
use procura_protocol::secret::Secret;
use procura_protocol::time::UnixMillis;
use procura_store::Journal;
use procura_store::journal::{JournalUnavailable, Record};
use procura_store::records::{ApplicationNo, ContactNo, Coverage, Mandate, Trust};
use procura_testkit::clock::{BEGINNING, FixedClock};
use procura_testkit::keys::TestKeys;
use procura_testkit::store::MemoryStore;
use procura_testkit::world::{self, APPLICATION, ISSUER, SECRET, World, span};
use zeroize::Zeroizing;

use super::{Group, Subject};
use crate::Failure;

/// Of a decision: no more of an answer than a thousandth.
const BOUND: f64 = 0.10;
/// Of finding out who asks, which takes an eighth of that: a counter of references more or less shows.
const PROOF_BOUND: f64 = 0.30;

/// Contacts that can be told from others only by what the rule says of them.
const FILLERS: u32 = 5_000;
/// Beside the one that is always refused as it is the first.
const DISABLED_APPLICATION: &str = "app_disabled";

/// Measures every group of refusals.
pub(super) fn with_subjects(
    mut measure: impl FnMut(&'static str, &mut dyn Subject) -> Result<Group, Failure>,
) -> Result<Vec<Group>, Failure> {
    let (world, ways) = world_of_refusals();
    let engine = engine(&world);
    let caller = at_once(engine.authenticate_application(&presented(APPLICATION, SECRET)))??
        .map_err(|_| "the world's application is not known")?;
    let caller = at_once(engine.require_possession(caller, &ProvedRequest::default()))??;
    let rule = measure("the rule refuses", &mut Rule { engine: &engine, caller, ways })?;
    let credentials = ["unknown application", "wrong secret", "disabled application"].map(str::to_owned);
    let proof = measure("no proof of the application", &mut Proof { engine: &engine, ways: credentials })?;
    Ok(vec![rule, proof])
}

type Alone = Engine<MemoryStore, Nowhere>;

fn engine(world: &World) -> Alone {
    let store = MemoryStore::default();
    store.set(world.publish());
    let settings = Settings {
        issuer: ISSUER.into(),
        lifetime: 3600,
        longest_lifetime: 3600,
        token_marks_per_application: 100,
        revocations_per_minute: 600,
        assertion_lifetime: 300,
        limits: PerMinute::default(),
        max_access_token_bytes: 7_000,
        asked_for_key: Zeroizing::new([9; 32]),
    };
    let sources = (Arc::new(FixedClock::default()) as _, Arc::new(SystemRandom) as _);
    Engine::new(store, Nowhere, Arc::new(TestKeys::new(&[Algorithm::Es256])), sources, settings)
}

/// Everything is durable at once, and gone.
struct Nowhere;

impl Journal for Nowhere {
    type Pending = Ready<Result<(), JournalUnavailable>>;

    fn append(&self, _: UnixMillis, record: &Record) -> Result<Self::Pending, JournalUnavailable> {
        std::hint::black_box(record);
        Ok(ready(Ok(())))
    }

    fn takes_issues(&self) -> bool {
        true
    }
}

/// Contacts for whom the rule leaves no client.
struct Rule<'e> {
    engine: &'e Alone,
    caller: TokenRequester,
    ways: Vec<String>,
}

impl Subject for Rule<'_> {
    fn ways(&self) -> &[String] {
        &self.ways
    }

    fn bound(&self) -> f64 {
        BOUND
    }

    fn ask(&mut self, way: usize) -> Result<(), Failure> {
        let request = ContactTokenRequest::default();
        let future =
            pin!(self.engine.contact_token(&self.caller, &self.ways[way], &request, Wanted::CONTACT_TOKEN));
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Err(ContactTokenError::Refused { .. })) => Ok(()),
            _ => Err(format!("{} was not refused at once", self.ways[way]).into()),
        }
    }
}

/// Credentials that prove nothing.
struct Proof<'e> {
    engine: &'e Alone,
    ways: [String; 3],
}

impl Subject for Proof<'_> {
    fn ways(&self) -> &[String] {
        &self.ways
    }

    fn bound(&self) -> f64 {
        PROOF_BOUND
    }

    fn ask(&mut self, way: usize) -> Result<(), Failure> {
        let (id, secret) = match way {
            0 => ("app_someone", SECRET),
            1 => (APPLICATION, "pcs_portner"),
            _ => (DISABLED_APPLICATION, SECRET),
        };
        let evidence = presented(id, secret);
        match at_once(self.engine.authenticate_application(&evidence))?? {
            Err(_) => Ok(()),
            Ok(_) => Err(format!("{} was let in", self.ways[way]).into()),
        }
    }
}

/// What comes of a future that waits for nothing: a secret is compared, not looked up.
fn at_once<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Ok(value),
        Poll::Pending => Err("what can't wait did".into()),
    }
}

fn presented(id: &'static str, secret: &str) -> Evidence<'static> {
    let secret = Secret::from(secret.to_owned());
    let presented =
        Presented::Secret { id: Cow::Borrowed(id), secret, method: AuthMethod::ClientSecretBasic };
    let endpoint = paths::TOKEN_FOR_CONTACT;
    Evidence { presented, certificates: &[], endpoint, path: endpoint, from: None }
}

/// A world with one contact for each way in which the rule refuses, all with ids of one length and, but
/// for those that have none, with three mandates; and the ids of those contacts.
fn world_of_refusals() -> (World, Vec<String>) {
    let now = BEGINNING.0;
    let mut world = World::default();
    let mut application = world::application(3, DISABLED_APPLICATION, SECRET, true);
    application.active = false;
    world.applications.push(application);
    let mut ways = vec!["con.unknown.......".to_owned()];
    let mut add = |world: &mut World, name: &str, active: bool, mandates: Vec<Mandate>| {
        let id = format!("con.{name:.<14}");
        let mut contact = world::contact(&id, mandates);
        contact.active = active;
        world.contacts.push((ContactNo(world.contacts.len() as u32 + 1), contact));
        ways.push(id);
    };
    let three = |first: u32, change: &dyn Fn(&mut Mandate)| -> Vec<Mandate> {
        let each = (first..first + 3).map(|client| world::mandate(client, "can_trade"));
        each.map(|mut mandate| {
            change(&mut mandate);
            mandate
        })
        .collect()
    };
    add(&mut world, "no-mandate", true, Vec::new());
    add(&mut world, "disabled", false, three(1, &|_| ()));
    add(&mut world, "suspended", true, three(1, &|mandate| mandate.active = false));
    add(&mut world, "not-yet", true, three(1, &|mandate| mandate.span = span(Some(now + 60), None)));
    add(&mut world, "over", true, three(1, &|mandate| mandate.span = span(None, Some(now - 60))));
    let trusts: [(&str, Option<ChangeTrust>); 5] = [
        ("no-trust", None),
        ("withdrawn", Some(|trust, _| trust.active = false)),
        ("trust-not-yet", Some(|trust, now| trust.span = span(Some(now + 60), None))),
        ("trust-over", Some(|trust, now| trust.span = span(None, Some(now - 60)))),
        ("not-covered", Some(|trust, _| trust.contacts = Coverage::Named([ContactNo(1)].into()))),
    ];
    let mut first = 10;
    for (name, change) in trusts {
        clients(&mut world, first, true);
        if let Some(change) = change {
            for client in first..first + 3 {
                let mut trust = world::trust(client, "all");
                change(&mut trust, now);
                world.trusts.push((ApplicationNo(1), trust));
            }
        }
        add(&mut world, name, true, three(first, &|_| ()));
        first += 3;
    }
    clients(&mut world, first, false);
    world.trusts.extend((first..first + 3).map(|client| (ApplicationNo(1), world::trust(client, "all"))));
    add(&mut world, "closed", true, three(first, &|_| ()));
    for filler in 0..FILLERS {
        let contact = world::contact(&format!("con.filler-{filler:07}"), three(1, &|_| ()));
        world.contacts.push((ContactNo(world.contacts.len() as u32 + 1), contact));
    }
    (world, ways)
}

/// Takes a trust out of force; told what time it is.
type ChangeTrust = fn(&mut Trust, i64);

fn clients(world: &mut World, first: u32, active: bool) {
    for client in first..first + 3 {
        let mut record = world::client(&format!("cli.{client}"), "Made-up Ltd");
        record.active = active;
        world.clients.push((procura_store::records::ClientNo(client), record));
    }
}
