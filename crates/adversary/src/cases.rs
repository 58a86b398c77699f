//! All cases, in groups; a group is a file.

mod actor;
mod answers;
mod applications;
mod bound;
mod certificates;
mod changes;
mod claims;
mod contacts;
mod documents;
mod forged;
mod forgeries;
mod headers;
mod introspection;
mod parameters;
mod paths;
mod proofs;
mod replays;
mod resources;
mod revocation;
mod slots;
mod widening;

use crate::adapter::Door;
use crate::case::{Case, Cases};

/// The doors where a form is read by the rules of a token endpoint.
pub(crate) const TOKEN_DOORS: [Door; 4] =
    [Door::ContactToken, Door::JwtBearer, Door::TokenExchange, Door::ClientCredentials];

/// The doors where an application proves itself.
pub(crate) const PROVED_DOORS: [Door; 6] = [
    Door::ContactToken,
    Door::JwtBearer,
    Door::TokenExchange,
    Door::ClientCredentials,
    Door::Introspection,
    Door::Revocation,
];

/// Every case there is, in the order in which they run: what changes the world comes last.
pub fn all() -> Vec<Case> {
    let mut cases = Cases::default();
    let groups = [
        answers::add,
        contacts::add,
        widening::add,
        actor::add,
        applications::add,
        certificates::add,
        proofs::add,
        bound::add,
        forged::add,
        claims::add,
        replays::add,
        parameters::add,
        headers::add,
        paths::add,
        introspection::add,
        revocation::add,
        resources::add,
        documents::add,
        changes::add,
    ];
    for add in groups {
        add(&mut cases);
    }
    cases.0
}
