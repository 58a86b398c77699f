//! Every forgery, wherever a signed token is read.

use super::forgeries::{FORGERIES, Forgery};
use super::slots::Slot;
use crate::attempt::Attempt;
use crate::case::{Cases, Stop, Verdict};

/// How often a forgery is tried that needs luck with the honest token.
const TRIES: usize = 40;

pub(super) fn add(cases: &mut Cases) {
    for slot in [Slot::Grant, Slot::Client, Slot::Access, Slot::Proof] {
        for forgery in FORGERIES {
            let (name, title, source, _) = *forgery;
            // The key of a proof is in its own header: what strangers sign there is their own proof.
            if slot == Slot::Proof && !APPLIES_TO_PROOFS.contains(&name) {
                continue;
            }
            let id = format!("{}-{name}", slot.name());
            let title = format!("{} {title} is not taken", capital(slot.words()));
            cases.at(slot.doors(), (&id, &title), source, move |attempt| run(attempt, slot, forgery));
        }
    }
}

/// Forgeries that mean something where the token brings its own key.
const APPLIES_TO_PROOFS: &[&str] = &[
    "alg-none",
    "alg-none-mixed-case",
    "alg-none-signature-kept",
    "alg-missing",
    "hs256-public-pem",
    "hs256-public-jwk",
    "hs256-empty-secret",
    "signature-empty",
    "signature-zeroes",
    "signature-order",
    "signature-short",
    "signature-long",
    "signature-der",
    "signature-changed",
    "stranger",
    "stranger-rsa",
    "es256-p384",
    "claims-changed",
    "header-changed",
    "two-parts",
    "json-form",
    "padded",
    "trailing-bits",
    "not-json",
    "garbage",
];

fn run(attempt: &Attempt<'_>, slot: Slot, (name, title, _, forge): &Forgery) -> Verdict {
    slot.control(attempt)?;
    for _ in 0..TRIES {
        let honest = slot.honest(attempt)?;
        if let Some(token) = forge(&honest, &attempt.world.strangers) {
            let answer = slot.show(attempt, &token)?;
            return slot.judge(attempt, &answer).map_err(|stop| match stop {
                Stop::Fail { sent, came } => Stop::fail(format_args!("{sent}; a token {title}"), came),
                other => other,
            });
        }
    }
    Err(Stop::skip(format_args!("no token of this kind can be spoilt by `{name}`")))
}

pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
