//! Tokens that are ended, by whom, and what is left of them.

use super::introspection::{introspect, known};
use crate::adapter::{ApplicationRole, Door, ResourceRole};
use crate::answer::Why;
use crate::attempt::Attempt;
use crate::case::{Cases, Stop, Verdict};

const REVOCATION: &[Door] = &[Door::Revocation];

pub(super) fn add(cases: &mut Cases) {
    let revoke = |attempt: &Attempt<'_>, role: ApplicationRole, token: &str| -> Verdict {
        attempt.about(Door::Revocation, role, token)?.send()?.let_through()
    };
    cases.at(
        REVOCATION,
        ("revoked-token", "A token that was revoked is not in force"),
        "RFC 7009 2; RFC 7662 2.2",
        move |attempt| {
            let (token, role) = known(attempt)?;
            revoke(attempt, role, &token)?;
            introspect(attempt, role, &token)?.send()?.inactive()
        },
    );
    cases.at(
        REVOCATION,
        ("revoked-at-resource", "A token that was revoked opens no API"),
        "RFC 7009 2",
        move |attempt| {
            let (token, role) = known(attempt)?;
            let call = attempt.call(ResourceRole::Default, &token)?;
            call.send()?.let_through()?;
            revoke(attempt, role, &token)?;
            eventually(attempt, || Ok(call.send()?.barred().is_ok()), "a revoked token still opens the API")
        },
    );
    cases.at(
        REVOCATION,
        ("by-another-application", "An application can't revoke a token of another"),
        "RFC 7009 2.1",
        |attempt| {
            let (token, role) = known(attempt)?;
            let answer = attempt.about(Door::Revocation, ApplicationRole::Other, &token)?.send()?;
            if answer.status() >= 500 {
                return Err(Stop::fail(&answer.sent, answer.told()));
            }
            introspect(attempt, role, &token)?.send()?.active().map(|_| ())
        },
    );
    cases.at(
        REVOCATION,
        ("revoked-alone", "Revoking one token leaves the others of the application"),
        "RFC 7009 2.1",
        move |attempt| {
            let (one, role) = known(attempt)?;
            let (other, _) = known(attempt)?;
            revoke(attempt, role, &one)?;
            introspect(attempt, role, &other)?.send()?.active().map(|_| ())
        },
    );
    cases.at(
        REVOCATION,
        ("forged-token-revoked", "A forged token with the jti of a right one ends nothing"),
        "RFC 7009 2.1; RFC 8725 3.1",
        |attempt| {
            let (token, role) = known(attempt)?;
            let [header, claims, _] =
                crate::jwt::parts(&token).ok_or_else(|| Stop::skip("access tokens are no JWTs"))?;
            let forged = format!("{header}.{claims}.AAAA");
            attempt.about(Door::Revocation, role, &forged)?.send()?;
            introspect(attempt, role, &token)?.send()?.active().map(|_| ())
        },
    );
    cases.at(
        REVOCATION,
        ("unknown-token", "A token that nobody knows is answered like any other"),
        "RFC 7009 2.2",
        |attempt| {
            let (_, role) = known(attempt)?;
            attempt.about(Door::Revocation, role, "no-such-token")?.send()?.let_through()
        },
    );
    cases.at(REVOCATION, ("by-get", "GET revokes nothing"), "RFC 7009 2.1", |attempt| {
        let (token, role) = known(attempt)?;
        let ask =
            attempt.about(Door::Revocation, role, &token)?.method("GET").query(&format!("token={token}"));
        ask.send()?.refused(&[Why::Request, Why::Http])?;
        introspect(attempt, role, &token)?.send()?.active().map(|_| ())
    });
    cases.at(
        REVOCATION,
        ("id-token-revoked", "An ID token is no way to end the access token beside it unnoticed"),
        "RFC 7009 2.2.1",
        |attempt| {
            let (_, role) = known(attempt)?;
            let grant = attempt.token()?;
            let id_token = grant.id_token.ok_or_else(|| Stop::skip("the server gives no ID token"))?;
            let answer = attempt.about(Door::Revocation, role, &id_token)?.send()?;
            let told = answer.json()["error"] == "unsupported_token_type" && answer.status() == 400;
            if told || answer.status() == 200 { Ok(()) } else { Err(Stop::fail(&answer.sent, answer.told())) }
        },
    );
}

/// Waits until something holds; a revocation may need a moment to travel to an API.
fn eventually(
    attempt: &Attempt<'_>,
    mut holds: impl FnMut() -> Result<bool, Stop>,
    otherwise: &str,
) -> Verdict {
    let patience = std::time::Duration::from_secs(6);
    let deadline = crate::clock::Deadline::after(patience);
    loop {
        if holds()? {
            return Ok(());
        }
        if deadline.is_over() {
            return Err(Stop::fail(
                format_args!("requests at `{}` for six seconds", attempt.door),
                otherwise,
            ));
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
