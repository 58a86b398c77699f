//! What introspection tells, and whom.

use crate::adapter::{ApplicationRole, Door, ResourceRole};
use crate::answer::Why;
use crate::attempt::{Ask, Attempt, basic};
use crate::case::{Cases, Stop};

const INTROSPECTION: &[Door] = &[Door::Introspection];

/// A token in force, whom it was issued to, and that introspection says so.
pub(super) fn known(attempt: &Attempt<'_>) -> Result<(String, ApplicationRole), Stop> {
    let (_, role) = attempt.somewhere()?;
    let token = attempt.token()?.access_token;
    attempt.about(Door::Introspection, role, &token)?.send()?.active()?;
    Ok((token, role))
}

pub(super) fn introspect<'w>(
    attempt: &Attempt<'w>,
    role: ApplicationRole,
    token: &str,
) -> Result<Ask<'w>, Stop> {
    attempt.about(Door::Introspection, role, token)
}

pub(super) fn add(cases: &mut Cases) {
    cases.at(
        INTROSPECTION,
        ("by-another-application", "An application learns nothing about a token of another"),
        "RFC 7662 2.1, 4",
        |attempt| {
            let (token, _) = known(attempt)?;
            introspect(attempt, ApplicationRole::Other, &token)?.send()?.inactive()
        },
    );
    cases.at(
        INTROSPECTION,
        ("by-another-resource", "A resource learns nothing about a token that is not for it"),
        "RFC 7662 2.1, 4",
        |attempt| {
            let (token, role) = known(attempt)?;
            let second = attempt.world.resource(ResourceRole::Second)?;
            let secret = second.secret.as_deref();
            let secret = secret.ok_or_else(|| Stop::skip("`resources.second` has no `secret`"))?;
            let ask = introspect(attempt, role, &token)?.unproved();
            ask.header("Authorization", basic(&second.id, secret)).send()?.inactive()
        },
    );
    cases.at(
        INTROSPECTION,
        ("by-its-resource", "A resource learns about a token that is for it"),
        "RFC 7662 2.2",
        |attempt| {
            let (token, role) = known(attempt)?;
            let default = attempt.world.resource(ResourceRole::Default)?;
            let secret = default.secret.as_deref();
            let secret = secret.ok_or_else(|| Stop::skip("`resources.default` has no `secret`"))?;
            let ask = introspect(attempt, role, &token)?.unproved();
            ask.header("Authorization", basic(&default.id, secret)).send()?.active().map(|_| ())
        },
    );
    cases.at(
        INTROSPECTION,
        ("id-token", "An ID token is no access token"),
        "RFC 7662 2.2; RFC 8725 3.11",
        |attempt| {
            let (_, role) = known(attempt)?;
            let id_token =
                attempt.token()?.id_token.ok_or_else(|| Stop::skip("the server gives no ID token"))?;
            introspect(attempt, role, &id_token)?.send()?.inactive()
        },
    );
    cases.at(
        INTROSPECTION,
        ("token-with-more", "A token with a letter more is not in force"),
        "RFC 7662 2.2",
        |attempt| {
            let (token, role) = known(attempt)?;
            introspect(attempt, role, &format!("{token}x"))?.send()?.inactive()
        },
    );
    cases.at(
        INTROSPECTION,
        ("token-with-space", "A token with a space behind is not in force, or the very token"),
        "RFC 7662 2.1",
        |attempt| {
            let (token, role) = known(attempt)?;
            introspect(attempt, role, &format!("{token} "))?.send()?.inactive()
        },
    );
    cases.at(INTROSPECTION, ("token-empty", "An empty token is not in force"), "RFC 7662 2.1", |attempt| {
        let (_, role) = known(attempt)?;
        introspect(attempt, role, "")?.send()?.inactive()
    });
    cases.at(
        INTROSPECTION,
        ("token-left-out", "Without a token nothing is told"),
        "RFC 7662 2.1",
        |attempt| {
            let (token, role) = known(attempt)?;
            introspect(attempt, role, &token)?.without("token").send()?.refused(&[Why::Request])
        },
    );
    cases.at(
        INTROSPECTION,
        ("token-twice", "Two tokens at once are refused"),
        "RFC 7662 2.1; RFC 6749 3.2",
        |attempt| {
            let (token, role) = known(attempt)?;
            introspect(attempt, role, "x")?.with("token", token).send()?.refused(&[Why::Request])
        },
    );
    cases.at(
        INTROSPECTION,
        ("token-in-query", "A token in the query is not looked at"),
        "RFC 7662 2.1",
        |attempt| {
            let (token, role) = known(attempt)?;
            let ask = introspect(attempt, role, &token)?.without("token").query(&format!("token={token}"));
            ask.send()?.inactive()
        },
    );
    cases.at(INTROSPECTION, ("by-get", "GET tells nothing"), "RFC 7662 2.1", |attempt| {
        let (token, role) = known(attempt)?;
        let ask = introspect(attempt, role, &token)?.method("GET").query(&format!("token={token}"));
        ask.send()?.refused(&[Why::Request, Why::Http])
    });
    cases.at(INTROSPECTION, ("hint-lies", "A hint that lies changes no answer"), "RFC 7662 2.1", |attempt| {
        let (token, role) = known(attempt)?;
        introspect(attempt, role, &token)?
            .with("token_type_hint", "refresh_token")
            .send()?
            .active()
            .map(|_| ())
    });
    cases.at(
        INTROSPECTION,
        ("token-as-proof", "A token does not prove who asks about it"),
        "RFC 7662 2.1, 4",
        |attempt| {
            let (token, role) = known(attempt)?;
            let ask = introspect(attempt, role, &token)?.unproved();
            ask.header("Authorization", format!("Bearer {token}")).send()?.refused(&[Why::Client])
        },
    );
    cases.at(
        INTROSPECTION,
        ("resource-name-as-application", "A resource's id and an application's secret prove nobody"),
        "RFC 7662 4",
        |attempt| {
            let (token, role) = known(attempt)?;
            let resource = &attempt.world.resource(ResourceRole::Default)?.id;
            let secret = attempt.world.application(role)?.secret.clone().unwrap_or_default();
            let ask = introspect(attempt, role, &token)?.unproved();
            ask.header("Authorization", basic(resource, &secret)).send()?.refused(&[Why::Client])
        },
    );
    cases.at(
        INTROSPECTION,
        ("not-kept", "What is told about a token is not kept by caches"),
        "RFC 7662 4",
        |attempt| {
            let (token, role) = known(attempt)?;
            let answer = introspect(attempt, role, &token)?.send()?;
            let kept = answer.header("cache-control").unwrap_or_default();
            if kept.contains("no-store") {
                Ok(())
            } else {
                Err(Stop::fail(&answer.sent, "an answer that may be kept"))
            }
        },
    );
}
