//! Everything that can be wrong with a request for a contact token, to be combined.

use axum::body::Body;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use procura_store::records::{ClientNo, Contact, ContactNo, Coverage, Mandate, Trust};
use procura_testkit::World;
use procura_testkit::app::basic;
use procura_testkit::clock::BEGINNING;
use procura_testkit::world::{APPLICATION, CONTACT, FOREIGN_RESOURCE, SECRET, client, mandate, span, trust};

use crate::support::FORM;

/// One thing wrong with a request or with the world it comes to, each found by another check. In the
/// order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    ContentType,
    Shape,
    Secret,
    NotTrusted,
    ContactId,
    Resource,
    Rule,
    Clients,
    Scope,
    Size,
}

impl Wrong {
    /// In the order in which they are found.
    pub(crate) const ALL: [Wrong; 10] = [
        Wrong::ContentType,
        Wrong::Shape,
        Wrong::Secret,
        Wrong::NotTrusted,
        Wrong::ContactId,
        Wrong::Resource,
        Wrong::Rule,
        Wrong::Clients,
        Wrong::Scope,
        Wrong::Size,
    ];

    /// The answer to a request with which only this is wrong: status, code, and words of its sentence
    /// that no other has.
    pub(crate) const fn answer(self) -> (u16, &'static str, &'static str) {
        match self {
            Wrong::ContentType => (415, "invalid_request", "application/x-www-form-urlencoded"),
            Wrong::Shape => (400, "invalid_request", "'grant_type'"),
            Wrong::Secret => (401, "invalid_client", "id and secret"),
            Wrong::NotTrusted => (400, "unauthorized_client", "trusted authentication"),
            Wrong::ContactId => (400, "invalid_request", "contact id"),
            Wrong::Resource => (400, "invalid_target", "resource"),
            Wrong::Rule => (400, "invalid_grant", "for this contact."),
            Wrong::Clients => (400, "invalid_grant", "named in clients"),
            Wrong::Scope => (400, "invalid_scope", "permissions named in scope"),
            Wrong::Size => (400, "invalid_request", "65 clients"),
        }
    }
}

/// A valid request and its world, with these things wrong.
pub(crate) fn request_with(wrong: &[Wrong]) -> (World, Request<Body>) {
    let is = |one| wrong.contains(&one);
    let mut world = if is(Wrong::Size) { of_clients(65) } else { World::default() };
    if is(Wrong::NotTrusted) {
        world = world.application(|application| application.trusted = false);
    }
    if is(Wrong::Rule) {
        world = world.contact(|contact| contact.active = false);
    }
    let mut form = String::from("y=1");
    for (defect, parameter) in [
        (Wrong::Shape, "&grant_type=password".to_owned()),
        (Wrong::Resource, format!("&resource={FOREIGN_RESOURCE}")),
        (Wrong::Clients, "&clients=cli.alder cli.nobody".to_owned()),
        (Wrong::Scope, "&scope=can_manage_contacts".to_owned()),
    ] {
        if is(defect) {
            form += &parameter;
        }
    }
    let secret = if is(Wrong::Secret) { "pcs_wrong" } else { SECRET };
    let contact = if is(Wrong::ContactId) { "con%20ada" } else { CONTACT };
    let request = Request::post(format!("/token/{contact}"))
        .header(AUTHORIZATION, basic(APPLICATION, secret))
        .header(CONTENT_TYPE, if is(Wrong::ContentType) { "application/json" } else { FORM })
        .body(Body::from(form))
        .unwrap();
    (world, request)
}

/// A world in which the contact may act for so many clients.
pub(crate) fn of_clients(count: u32) -> World {
    let numbers = 1..=count;
    let mut world = World::default();
    world.clients = numbers.clone().map(|no| (ClientNo(no), client(&format!("cli.{no}"), "C"))).collect();
    world.trusts = numbers.clone().map(|no| (world.applications[0].no, trust(no, "all"))).collect();
    world.contact(|contact| contact.mandates = numbers.map(|no| mandate(no, "can_trade")).collect())
}

/// One way in which the rule leaves out a client, or the contact with all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutOfRule {
    UnknownContact,
    DisabledContact,
    NoMandate,
    MandateSuspended,
    MandateNotYet,
    MandateOver,
    ClientInactive,
    ClientGone,
    NoTrust,
    TrustWithdrawn,
    TrustNotYet,
    TrustOver,
    TrustForOthers,
    TrustForNobody,
}

impl OutOfRule {
    pub(crate) const ALL: [OutOfRule; 14] = [
        OutOfRule::UnknownContact,
        OutOfRule::DisabledContact,
        OutOfRule::NoMandate,
        OutOfRule::MandateSuspended,
        OutOfRule::MandateNotYet,
        OutOfRule::MandateOver,
        OutOfRule::ClientInactive,
        OutOfRule::ClientGone,
        OutOfRule::NoTrust,
        OutOfRule::TrustWithdrawn,
        OutOfRule::TrustNotYet,
        OutOfRule::TrustOver,
        OutOfRule::TrustForOthers,
        OutOfRule::TrustForNobody,
    ];

    /// Those that are about one client and leave the others as they are.
    pub(crate) fn of_one_client() -> Vec<OutOfRule> {
        let about_the_contact = [OutOfRule::UnknownContact, OutOfRule::DisabledContact];
        Self::ALL.into_iter().filter(|one| !about_the_contact.contains(one)).collect()
    }

    /// Makes this wrong for the given clients of the world.
    pub(crate) fn put_into(self, world: &mut World, clients: &[u32]) {
        let hit = |no: ClientNo| clients.contains(&no.0);
        let (begins, ends) = (span(Some(BEGINNING.0 + 1), None), span(None, Some(BEGINNING.0)));
        match self {
            OutOfRule::UnknownContact => world.contacts.retain(|(no, _)| *no != ContactNo(1)),
            OutOfRule::DisabledContact => on_contact(world, |contact| contact.active = false),
            OutOfRule::NoMandate => on_contact(world, |contact| {
                contact.mandates = contact.mandates.iter().filter(|one| !hit(one.client)).copied().collect();
            }),
            OutOfRule::MandateSuspended => on_mandates(world, clients, |mandate| mandate.active = false),
            OutOfRule::MandateNotYet => on_mandates(world, clients, |mandate| mandate.span = begins),
            OutOfRule::MandateOver => on_mandates(world, clients, |mandate| mandate.span = ends),
            OutOfRule::ClientInactive => {
                let found = world.clients.iter_mut().filter(|(no, _)| hit(*no));
                found.for_each(|(_, client)| client.active = false);
            }
            OutOfRule::ClientGone => world.clients.retain(|(no, _)| !hit(*no)),
            OutOfRule::NoTrust => world.trusts.retain(|(_, trust)| !hit(trust.client)),
            OutOfRule::TrustWithdrawn => on_trusts(world, clients, |trust| trust.active = false),
            OutOfRule::TrustNotYet => on_trusts(world, clients, |trust| trust.span = begins),
            OutOfRule::TrustOver => on_trusts(world, clients, |trust| trust.span = ends),
            OutOfRule::TrustForOthers => on_trusts(world, clients, |trust| {
                trust.contacts = Coverage::Named(Box::new([ContactNo(2)]));
            }),
            OutOfRule::TrustForNobody => {
                on_trusts(world, clients, |trust| trust.contacts = Coverage::Named(Box::default()));
            }
        }
    }
}

/// The three clients of [`World::default`].
pub(crate) const EVERY_CLIENT: [u32; 3] = [1, 2, 3];

/// A world in which the only thing wrong is that the rule leaves no client, in these ways.
pub(crate) fn world_with(defects: &[OutOfRule]) -> World {
    let mut world = World::default();
    defects.iter().for_each(|defect| defect.put_into(&mut world, &EVERY_CLIENT));
    world
}

fn on_contact(world: &mut World, change: impl FnOnce(&mut Contact)) {
    if let Some((_, contact)) = world.contacts.iter_mut().find(|(no, _)| *no == ContactNo(1)) {
        change(contact);
    }
}

fn on_mandates(world: &mut World, clients: &[u32], change: impl Fn(&mut Mandate)) {
    on_contact(world, |contact| {
        contact.mandates.iter_mut().filter(|one| clients.contains(&one.client.0)).for_each(change);
    });
}

fn on_trusts(world: &mut World, clients: &[u32], change: impl Fn(&mut Trust)) {
    let found = world.trusts.iter_mut().map(|(_, trust)| trust);
    found.filter(|trust| clients.contains(&trust.client.0)).for_each(change);
}
