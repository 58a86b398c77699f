//! Once means once: at the same door, at another, for another purpose, and of many at the same time.

use std::thread;

use super::slots::Slot;
use crate::adapter::{ApplicationRole, ContactRole, Door};
use crate::answer::Why;
use crate::attempt::{Attempt, CLIENT_ASSERTION_TYPE};
use crate::case::{Cases, Stop, Verdict};
use crate::wire;

const GRANTS: [Door; 2] = [Door::JwtBearer, Door::TokenExchange];
/// How many at the same time.
const MANY: usize = 12;

pub(super) fn add(cases: &mut Cases) {
    cases.at(
        &GRANTS,
        ("grant-replayed", "A token that named a contact once does not do so again"),
        "RFC 7523 3; contract 6",
        |attempt| {
            once(attempt)?;
            let ask = attempt.ask()?;
            ask.send()?.granted()?;
            ask.that("the same token again").send()?.refused(&[Why::Grant])
        },
    );
    cases.at(
        &GRANTS,
        ("grant-replayed-elsewhere", "A token that named a contact at one door does not do so at another"),
        "RFC 7523 3; contract 6",
        |attempt| {
            once(attempt)?;
            let other = if attempt.door == Door::JwtBearer { Door::TokenExchange } else { Door::JwtBearer };
            let there = Attempt { door: other, ..*attempt };
            once(&there)?;
            let (here, elsewhere) = (attempt.ask()?, there.ask()?);
            let token = here.subject_parameter().and_then(|name| here.value(name)).unwrap_or_default();
            here.send()?.granted()?;
            elsewhere.subject(token).that("a token that was used").send()?.refused(&[Why::Grant])
        },
    );
    cases.at(
        &GRANTS,
        ("grant-replayed-by-another", "A token that names a contact is nothing to another application"),
        "RFC 7523 3",
        |attempt| {
            let ask = attempt.ask()?;
            let token = ask.subject_parameter().and_then(|name| ask.value(name)).unwrap_or_default();
            attempt.ask()?.send()?.granted()?;
            let other = Attempt { ..*attempt }.ask_as(ApplicationRole::Other)?.subject(token);
            other.send()?.refused(&[Why::Grant])
        },
    );
    cases.at(
        &GRANTS,
        ("grant-replayed-encoded", "A token that named a contact does not do so again in another writing"),
        "RFC 7515 2; contract 6",
        |attempt| {
            once(attempt)?;
            let honest = Slot::Grant.honest(attempt)?;
            Slot::Grant.show(attempt, &honest.token)?.granted()?;
            let [header, claims, signature] =
                crate::jwt::parts(&honest.token).ok_or_else(|| Stop::skip("the token is no JWT"))?;
            let again = format!("{header}.{claims}.{signature}=");
            Slot::Grant.judge(attempt, &Slot::Grant.show(attempt, &again)?)
        },
    );
    cases.at(
        &GRANTS,
        ("grant-signed-again", "The same jti signed anew is used all the same"),
        "RFC 7523 3; RFC 7519 4.1.7",
        |attempt| {
            once(attempt)?;
            let honest = Slot::Grant.honest(attempt)?;
            let key =
                honest.key.ok_or_else(|| Stop::skip("the key of these tokens is not in the adapter"))?;
            Slot::Grant.show(attempt, &honest.token)?.granted()?;
            let again = honest.jwt.claim("exp", (crate::clock::now() + 90).into()).signed(key);
            Slot::Grant.judge(attempt, &Slot::Grant.show(attempt, &again)?)
        },
    );
    cases.at(
        &GRANTS,
        ("grant-raced", "Of many who send one token at the same time, one is given a token"),
        "RFC 7523 3; contract 6",
        |attempt| {
            once(attempt)?;
            raced(attempt, &attempt.ask()?.request()?)
        },
    );
    client_assertions(cases);
}

fn client_assertions(cases: &mut Cases) {
    let role = ApplicationRole::Signing;
    cases.at(
        Slot::Client.doors(),
        ("client-assertion-replayed", "An assertion that proved the application once does not do so again"),
        "RFC 7523 3; contract 6",
        |attempt| {
            let honest = Slot::Client.honest(attempt)?;
            Slot::Client.show(attempt, &honest.token)?.granted()?;
            Slot::Client.judge(attempt, &Slot::Client.show(attempt, &honest.token)?)
        },
    );
    cases.at(
        Slot::Client.doors(),
        ("client-assertion-signed-again", "The same jti signed anew is used all the same"),
        "RFC 7523 3; RFC 7519 4.1.7",
        |attempt| {
            let honest = Slot::Client.honest(attempt)?;
            let key = attempt.world.key(ApplicationRole::Signing)?;
            Slot::Client.show(attempt, &honest.token)?.granted()?;
            let again = honest.jwt.claim("exp", (crate::clock::now() + 90).into()).signed(key);
            Slot::Client.judge(attempt, &Slot::Client.show(attempt, &again)?)
        },
    );
    cases.at(
        &[Door::Introspection, Door::Revocation],
        (
            "client-assertion-replayed-elsewhere",
            "An assertion that proved the application at one endpoint does not do so at another",
        ),
        "RFC 7523 3; contract 6",
        move |attempt| {
            let there = attempt.there()?;
            let honest = Slot::Client.honest(&there)?;
            let grant = Slot::Client.show(&there, &honest.token)?.granted()?;
            let ask = attempt.about(attempt.door, role, &grant.access_token)?.unproved();
            let ask = ask.with("client_assertion_type", CLIENT_ASSERTION_TYPE);
            ask.with("client_assertion", &honest.token).send()?.refused(&[Why::Client])
        },
    );
    cases.at(
        Slot::Client.doors(),
        ("client-assertion-raced", "Of many who send one assertion at the same time, one is served"),
        "RFC 7523 3; contract 6",
        move |attempt| {
            let honest = Slot::Client.honest(attempt)?;
            let ask = attempt.ask_as(role)?.unproved().with("client_assertion_type", CLIENT_ASSERTION_TYPE);
            raced(attempt, &ask.with("client_assertion", &honest.token).request()?)
        },
    );
    cases.at(
        &GRANTS,
        ("jti-of-a-client-assertion", "A jti that proved the application does not name a contact too"),
        "RFC 7519 4.1.7; contract 6",
        move |attempt| {
            once(attempt)?;
            let contact = &attempt.world.contact(ContactRole::Allowed)?.id;
            let proof = attempt.client_assertion(role)?;
            let grant = attempt.assertion(role, contact)?.claim("jti", proof.claims["jti"].clone());
            let key = attempt.world.key(role)?;
            let ask = attempt.ask_as(role)?.unproved().subject(grant.signed(key));
            let ask = ask.with("client_assertion_type", CLIENT_ASSERTION_TYPE);
            attempt.ask_as(role)?.send()?.granted()?;
            ask.with("client_assertion", proof.signed(key)).send()?.refused(&[Why::Grant, Why::Client])
        },
    );
}

fn once(attempt: &Attempt<'_>) -> Result<(), Stop> {
    match attempt.world.adapter.door(attempt.door) {
        Some(settings) if settings.once => Ok(()),
        Some(_) => Err(Stop::skip(format_args!("`doors.{}` has `once = false`", attempt.door))),
        None => Err(Stop::skip(format_args!("there is no `doors.{}`", attempt.door))),
    }
}

/// Sends one request many times at once: exactly one may be granted.
fn raced(attempt: &Attempt<'_>, request: &wire::Request) -> Verdict {
    let roots = &attempt.world.roots;
    let came: Vec<_> = thread::scope(|scope| {
        let asked: Vec<_> = (0..MANY).map(|_| scope.spawn(|| wire::send(roots, request))).collect();
        asked.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let granted = came.into_iter().filter_map(Result::ok).filter(|response| {
        let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
        response.status == 200 && body["access_token"].is_string()
    });
    match granted.count() {
        1 => Ok(()),
        count => Err(Stop::fail(
            format_args!("one token {MANY} times at once"),
            format_args!("{count} were granted"),
        )),
    }
}
