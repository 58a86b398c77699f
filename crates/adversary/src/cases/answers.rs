//! What a token, and the answer that brings it, must be and must not be.

use serde_json::Value;

use super::slots::published;
use crate::adapter::{ClaimsFrom, Door};
use crate::answer::Grant;
use crate::attempt::Attempt;
use crate::case::{Cases, Stop, Verdict};
use crate::clock::now;
use crate::jwt::Jwt;

type Look = fn(&Attempt<'_>, &Grant) -> Verdict;

/// What holds of every answer: name, sentence, source.
const OF_EVERY: &[(&str, &str, &str, Look)] = &[
    (
        "no-refresh-token",
        "No refresh token comes: authority ends when it ends",
        "RFC 6749 4.4.3; RFC 7521 4.1; contract 1",
        |_, grant| holds(grant.body.get("refresh_token").is_none(), "a refresh token"),
    ),
    ("not-kept", "The answer is not kept by caches", "RFC 6749 5.1", |_, grant| {
        let kept = grant.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("cache-control"));
        holds(kept.is_some_and(|(_, value)| value.contains("no-store")), "an answer without no-store")
    }),
    ("answer-is-json", "The answer is JSON and says so", "RFC 6749 5.1", |_, grant| {
        let kind = grant.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        holds(kind.is_some_and(|(_, value)| value.starts_with("application/json")), "another type")
    }),
    ("token-type-said", "The type of the token is said", "RFC 6749 5.1", |_, grant| {
        holds(grant.body["token_type"].is_string(), "no `token_type`")
    }),
    (
        "expires-in",
        "The answer says how long the token lives, in the form that the standard has",
        "RFC 6749 5.1",
        |attempt, grant| {
            let as_text = attempt.world.adapter.departures.expires_in_is_text.contains(&attempt.door);
            let told = &grant.body["expires_in"];
            holds(told.is_u64() || as_text && told.is_string(), "another form of `expires_in`")
        },
    ),
    (
        "expires-in-is-true",
        "The answer says no longer life than the token has",
        "RFC 6749 5.1; RFC 9068 2.2",
        |attempt, grant| {
            let told = &grant.body["expires_in"];
            let told = told.as_i64().or_else(|| told.as_str()?.parse().ok()).unwrap_or(i64::MAX);
            let claims = attempt.says_with(grant, "exp")?.claims;
            let left = claims["exp"].as_i64().unwrap_or_default() - now();
            holds(told <= left + 5, "a longer life than the token's")
        },
    ),
    ("life-is-short", "A token lives a day at most", "RFC 6819 3.1.2, 5.1.5.3", |attempt, grant| {
        let claims = attempt.says_with(grant, "exp")?.claims;
        let life = claims["exp"].as_i64().unwrap_or(i64::MAX) - now();
        holds((0..=86_400).contains(&life), "a longer life, or none")
    }),
    (
        "alg-is-strong",
        "The token is signed, by a public key",
        "RFC 8725 3.2; RFC 9068 2.1",
        |attempt, grant| {
            let header = jwt(attempt, grant)?.header;
            let algorithm = header["alg"].as_str().unwrap_or("none");
            holds(
                !algorithm.eq_ignore_ascii_case("none") && !algorithm.starts_with("HS"),
                "no such signature",
            )
        },
    ),
    (
        "kid-is-published",
        "The key that signed is in the key set",
        "RFC 9068 4; RFC 7517 4.5",
        |attempt, grant| {
            let jwt = jwt(attempt, grant)?;
            holds(published(attempt, &jwt).is_some(), "a kid that is not published")
        },
    ),
    ("header-brings-no-key", "The header brings no key of its own", "RFC 8725 3.10", |attempt, grant| {
        let header = jwt(attempt, grant)?.header;
        holds(
            ["jwk", "jku", "x5c", "x5u"].iter().all(|name| header.get(name).is_none()),
            "a key in the header",
        )
    }),
    (
        "typ-is-said",
        "The access token says that it is one",
        "RFC 9068 2.1; RFC 8725 3.11",
        |attempt, grant| {
            let header = jwt(attempt, grant)?.header;
            let typ = header["typ"].as_str().unwrap_or_default().to_ascii_lowercase();
            holds(typ.trim_start_matches("application/") == "at+jwt", "another `typ`")
        },
    ),
    ("iss-is-the-issuer", "The token's issuer is the server", "RFC 9068 2.2", |attempt, grant| {
        let claims = attempt.says_with(grant, "iss")?.claims;
        holds(claims["iss"] == attempt.world.adapter.issuer.as_str(), "another `iss`")
    }),
    ("aud-is-one", "The token is for one resource", "RFC 9068 3; RFC 8725 3.9", |attempt, grant| {
        holds(attempt.says_with(grant, "aud")?.audience.len() == 1, "a token for none, or for several")
    }),
    (
        "jti-is-new",
        "No two tokens have the same jti, and nobody can guess one",
        "RFC 9068 2.2; RFC 7519 4.1.7",
        |attempt, grant| {
            let one = attempt.says_with(grant, "jti")?.claims["jti"].clone();
            let other = attempt.says(&attempt.ask()?.send()?.granted()?)?.claims["jti"].clone();
            holds(
                one.as_str().is_some_and(|id| id.len() >= 16) && one != other,
                "a jti that is missing, short or used",
            )
        },
    ),
    (
        "nobody-signed-in",
        "The token does not claim that anybody signed in",
        "RFC 9068 2.2.1; contract 1",
        |attempt, grant| {
            let claims = attempt.says(grant)?.claims;
            let claimed = ["auth_time", "nonce", "amr", "sid", "at_hash"]
                .into_iter()
                .find(|name| !claims[*name].is_null());
            match claimed {
                None => Ok(()),
                Some(name) => Err(Stop::fail("the honest request", format_args!("a token with `{name}`"))),
            }
        },
    ),
    ("token-fits-a-header", "The token fits into a header", "RFC 9068 5; contract 1", |_, grant| {
        holds(grant.access_token.len() <= 8_000, "a token of more than 8,000 bytes")
    }),
    (
        "answer-has-no-more-tokens",
        "The answer has no token but the access token and the ID token",
        "RFC 6749 5.1",
        |_, grant| {
            let known =
                ["access_token", "id_token", "issued_token_type", "token_type", "expires_in", "scope"];
            let more = grant.body.as_object().into_iter().flatten();
            let more = more.filter(|(name, _)| !known.contains(&name.as_str()));
            let found =
                more.into_iter().find(|(_, value)| value.as_str().is_some_and(|text| text.len() > 40));
            holds(found.is_none(), "another long text")
        },
    ),
    (
        "scope-is-told",
        "The scope that is told is the token's",
        "RFC 6749 5.1; RFC 8693 2.2.1",
        |attempt, grant| {
            let told = &grant.body["scope"];
            let claims = attempt.says(grant)?.claims;
            holds(told.is_null() || *told == claims["scope"], "another scope than the token's")
        },
    ),
];

type LookAtIdToken = fn(&Attempt<'_>, &Jwt) -> Verdict;

/// What holds of the ID token, where one comes.
const OF_ID_TOKENS: &[(&str, &str, &str, LookAtIdToken)] = &[
    ("id-token-aud", "The ID token is for the application alone", "OpenID Connect Core 2", |attempt, jwt| {
        let application = &attempt.world.application(attempt.role())?.id;
        let audience = &jwt.claims["aud"];
        let one = audience.as_array().map_or(audience, |list| list.first().unwrap_or(&Value::Null));
        let single = audience.as_array().is_none_or(|list| list.len() == 1);
        holds(single && one == application.as_str(), "an ID token for somebody else")
    }),
    ("id-token-sub", "The ID token is about the contact", "OpenID Connect Core 2", |attempt, jwt| {
        let contact = &attempt.world.contact(crate::adapter::ContactRole::Allowed)?.id;
        holds(jwt.claims["sub"] == contact.as_str(), "an ID token about somebody else")
    }),
    (
        "id-token-typ",
        "The ID token does not say that it is an access token",
        "RFC 8725 3.11; RFC 9068 4",
        |_, jwt| {
            let typ = jwt.header["typ"].as_str().unwrap_or_default().to_ascii_lowercase();
            holds(!typ.contains("at+jwt"), "an ID token that says so")
        },
    ),
    (
        "id-token-nobody-signed-in",
        "The ID token does not claim that anybody signed in",
        "OpenID Connect Core 2; contract 1",
        |_, jwt| {
            let claimed =
                ["auth_time", "nonce", "amr", "sid"].iter().any(|name| !jwt.claims[*name].is_null());
            holds(!claimed, "an ID token that claims it")
        },
    ),
    (
        "id-token-actor",
        "The ID token names the application as the one who acts",
        "RFC 8693 4.1; contract 1",
        |attempt, jwt| {
            let application = &attempt.world.application(attempt.role())?.id;
            holds(jwt.claims["act"]["sub"] == application.as_str(), "an ID token without the actor")
        },
    ),
    ("id-token-alg", "The ID token is signed, by a public key", "RFC 8725 3.2", |_, jwt| {
        let algorithm = jwt.header["alg"].as_str().unwrap_or("none");
        holds(!algorithm.eq_ignore_ascii_case("none") && !algorithm.starts_with("HS"), "no such signature")
    }),
    ("id-token-kid", "The key that signed the ID token is in the key set", "RFC 7517 4.5", |attempt, jwt| {
        holds(published(attempt, jwt).is_some(), "a kid that is not published")
    }),
];

pub(super) fn add(cases: &mut Cases) {
    for (id, title, source, look) in OF_EVERY {
        cases.at(&super::TOKEN_DOORS, (id, title), source, |attempt| {
            look(attempt, &attempt.ask()?.send()?.granted()?)
        });
    }
    for (id, title, source, look) in OF_ID_TOKENS {
        cases.at(&Door::FOR_CONTACTS, (id, title), source, |attempt| {
            let ask = attempt.ask()?;
            let ask = if attempt.door == Door::TokenExchange { ask.with("scope", "openid") } else { ask };
            let grant = ask.send()?.granted()?;
            let token =
                grant.id_token.ok_or_else(|| Stop::skip("the server gives no ID token at this door"))?;
            let jwt = Jwt::read(&token)
                .ok_or_else(|| Stop::fail("the honest request", "an ID token that is no JWT"))?;
            look(attempt, &jwt)
        });
    }
    cases.at(
        &[Door::ClientCredentials],
        ("no-id-token", "An application alone gets no ID token"),
        "OpenID Connect Core 3; contract 1",
        |attempt| {
            let grant = attempt.ask()?.send()?.granted()?;
            holds(grant.id_token.is_none(), "an ID token")
        },
    );
    cases.at(
        &[Door::TokenExchange],
        ("issued-token-type", "What was issued is called by its type"),
        "RFC 8693 2.2.1",
        |attempt| {
            let grant = attempt.ask()?.send()?.granted()?;
            let told = &grant.body["issued_token_type"];
            let known =
                ["urn:ietf:params:oauth:token-type:access_token", "urn:ietf:params:oauth:token-type:jwt"];
            holds(known.iter().any(|name| told == name), "no such `issued_token_type`")
        },
    );
}

fn jwt(attempt: &Attempt<'_>, grant: &Grant) -> Result<Jwt, Stop> {
    match Jwt::read(&grant.access_token) {
        Some(jwt) => Ok(jwt),
        None if attempt.world.adapter.claims.from == ClaimsFrom::Introspection => {
            Err(Stop::skip("access tokens are no JWTs"))
        }
        None => Err(Stop::fail("the honest request", "an access token that is no JWT")),
    }
}

fn holds(holds: bool, otherwise: &str) -> Verdict {
    if holds { Ok(()) } else { Err(Stop::fail("the honest request", otherwise)) }
}
