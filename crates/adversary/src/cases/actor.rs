//! Who acts: always the application that asks, always said, and never somebody through two tokens.

use crate::adapter::{ApplicationRole, ContactRole, Door};
use crate::answer::Why;
use crate::attempt::{Attempt, CLIENT_ASSERTION_TYPE};
use crate::case::{Cases, Stop, Verdict};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const REFRESH_TOKEN: &str = "urn:ietf:params:oauth:token-type:refresh_token";
const SAML: &str = "urn:ietf:params:oauth:token-type:saml2";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// A subject token that is not taken may be called malformed (RFC 8693 2.2.2).
const NOT_TAKEN: &[Why] = &[Why::Grant, Why::Request];

pub(super) fn add(cases: &mut Cases) {
    said(cases);
    actor_tokens(cases);
    exchanged(cases);
}

fn said(cases: &mut Cases) {
    let doors = &Door::FOR_CONTACTS;
    cases.at(
        doors,
        ("token-names-the-contact", "The token is for the contact that was asked for"),
        "RFC 8693 4.1; contract 1",
        |attempt| {
            let contact = &attempt.world.contact(ContactRole::Allowed)?.id;
            let says = attempt.says(&attempt.ask()?.send()?.granted()?)?;
            same("contact", says.contact.as_deref(), contact)
        },
    );
    cases.at(
        doors,
        ("token-names-the-actor", "The token names the application as the one who acts"),
        "RFC 8693 4.1",
        |attempt| {
            if attempt.world.adapter.claims.actor.is_empty() {
                return Err(Stop::skip("`claims.actor` says that tokens name nobody"));
            }
            let application = &attempt.world.application(attempt.role())?.id;
            let says = attempt.says(&attempt.ask()?.send()?.granted()?)?;
            same("actor", says.actor.as_deref(), application)
        },
    );
    cases.at(
        doors,
        ("token-names-the-application", "The token names the application that it was issued to"),
        "RFC 9068 2.2; RFC 8693 4.3",
        |attempt| {
            let application = &attempt.world.application(attempt.role())?.id;
            let says = attempt.says(&attempt.ask()?.send()?.granted()?)?;
            same("application", says.application.as_deref(), application)
        },
    );
    cases.at(
        doors,
        ("act-is-not-nested", "`act` names one actor, and no chain"),
        "RFC 8693 4.1",
        |attempt| {
            let says = attempt.says(&attempt.ask()?.send()?.granted()?)?;
            match says.claims["act"].get("act") {
                None => Ok(()),
                Some(_) => Err(Stop::fail("the honest request", "an `act` within `act`")),
            }
        },
    );
    cases.at(
        doors,
        (
            "act-in-introspection",
            "Introspection names the actor, the contact and the application of the token",
        ),
        "RFC 7662 2.2; RFC 8693 4.1",
        |attempt| {
            let grant = attempt.ask()?.send()?.granted()?;
            let says = attempt.says(&grant)?;
            let told =
                attempt.about(Door::Introspection, attempt.role(), &grant.access_token)?.send()?.active()?;
            let ways = &attempt.world.adapter.claims;
            for (way, expected) in [
                (&ways.actor, &says.actor),
                (&ways.contact, &says.contact),
                (&ways.application, &says.application),
            ] {
                let found = crate::world::World::found(&told, way);
                same(
                    way,
                    found.first().and_then(|value| value.as_str()),
                    expected.as_deref().unwrap_or_default(),
                )
                .or_else(|stop| if way.is_empty() { Ok(()) } else { Err(stop) })?;
            }
            Ok(())
        },
    );
    cases.at(
        &[Door::ClientCredentials],
        (
            "own-token-names-no-contact",
            "An application's own token is for nobody else, and nobody acts in it",
        ),
        "RFC 9068 2.2; RFC 9700 4.15",
        |attempt| {
            let application = &attempt.world.application(attempt.role())?.id;
            let says = attempt.says(&attempt.ask()?.send()?.granted()?)?;
            if says.actor.is_some() || !says.clients.is_empty() {
                return Err(Stop::fail(
                    "the honest request",
                    "a token with an actor or with client companies",
                ));
            }
            match &says.contact {
                Some(contact) if contact != application => {
                    Err(Stop::fail("the honest request", format_args!("a token for `{contact}`")))
                }
                _ => Ok(()),
            }
        },
    );
}

fn same(what: &str, found: Option<&str>, expected: &str) -> Verdict {
    if found == Some(expected) {
        return Ok(());
    }
    Err(Stop::fail(
        "the honest request",
        format_args!("a token whose {what} is {found:?} and not `{expected}`"),
    ))
}

fn actor_tokens(cases: &mut Cases) {
    let door = &[Door::TokenExchange];
    type Make = fn(&Attempt<'_>) -> Result<(String, &'static str), Stop>;
    let tokens: [(&str, &str, Make); 5] = [
        ("actor-token-garbage", "nonsense", |_| Ok(("nonsense".to_owned(), JWT))),
        ("actor-token-access-token", "an access token", |attempt| {
            Ok((attempt.token()?.access_token, ACCESS_TOKEN))
        }),
        ("actor-token-of-another", "an assertion of another application", |attempt| {
            let other = ApplicationRole::Other;
            let id = &attempt.world.application(other)?.id;
            Ok((attempt.assertion(other, id)?.signed(attempt.world.key(other)?), JWT))
        }),
        ("actor-token-contact", "an assertion that names another contact", |attempt| {
            let contact = &attempt.world.contact(ContactRole::SecondAllowed)?.id;
            let role = attempt.role();
            Ok((attempt.assertion(role, contact)?.signed(attempt.world.key(role)?), JWT))
        }),
        ("actor-token-unsigned", "a token without a signature", |_| {
            Ok(("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.".to_owned(), JWT))
        }),
    ];
    for (id, words, make) in tokens {
        let title = format!("{words} as `actor_token` makes nobody else the actor");
        let title = super::forged::capital(&title);
        cases.at(door, (id, &title), "RFC 8693 2.1, 4.1", move |attempt| {
            let honest = attempt.says(&attempt.ask()?.send()?.granted()?)?;
            let (token, kind) = make(attempt)?;
            let ask = attempt.ask()?.with("actor_token", token).with("actor_token_type", kind);
            ask.send()?.refused_or(&[Why::Request, Why::Grant], |grant| attempt.says(&grant)?.within(&honest))
        });
    }
    cases.at(
        door,
        ("actor-token-without-type", "`actor_token` without its type is refused"),
        "RFC 8693 2.1",
        |attempt| {
            attempt.ask()?.send()?.granted()?;
            attempt.ask()?.with("actor_token", "x").send()?.refused(&[Why::Request, Why::Grant])
        },
    );
    cases.at(
        door,
        ("actor-token-type-alone", "`actor_token_type` without a token is refused"),
        "RFC 8693 2.1",
        |attempt| {
            attempt.ask()?.send()?.granted()?;
            attempt.ask()?.with("actor_token_type", JWT).send()?.refused(&[Why::Request, Why::Grant])
        },
    );
    cases.at(
        door,
        ("subject-token-type-left-out", "A subject token without its type is refused"),
        "RFC 8693 2.1",
        |attempt| {
            attempt.ask()?.send()?.granted()?;
            attempt.ask()?.without("subject_token_type").send()?.refused(&[Why::Request])
        },
    );
    for (id, words, kind) in [
        ("subject-token-type-empty", "an empty type", ""),
        ("subject-token-type-unknown", "a type that nobody knows", "urn:example:token"),
        ("subject-token-type-saml", "a type that it does not have", SAML),
        ("subject-token-type-refresh-token", "the type of a refresh token", REFRESH_TOKEN),
        ("subject-token-type-capitals", "its type in capitals", "URN:IETF:PARAMS:OAUTH:TOKEN-TYPE:JWT"),
    ] {
        let title = format!("A subject token with {words} is refused");
        cases.at(door, (id, &title), "RFC 8693 2.1, 3", move |attempt| {
            attempt.ask()?.send()?.granted()?;
            attempt.ask()?.instead("subject_token_type", kind).send()?.refused(NOT_TAKEN)
        });
    }
    for (id, words, kind) in [
        ("requested-refresh-token", "a refresh token", REFRESH_TOKEN),
        ("requested-id-token", "an ID token", ID_TOKEN),
        ("requested-saml", "a SAML assertion", SAML),
        ("requested-unknown", "a token that nobody knows", "urn:example:token"),
    ] {
        let title = format!("Asking for {words} gives no refresh token, and nothing wider");
        cases.at(door, (id, &title), "RFC 8693 2.1, 2.2.1", move |attempt| {
            let honest = attempt.says(&attempt.ask()?.send()?.granted()?)?;
            let answer = attempt.ask()?.with("requested_token_type", kind).send()?;
            answer.refused_or(&[Why::Request, Why::Unauthorized], |grant| {
                if grant.body.get("refresh_token").is_some() {
                    return Err(Stop::fail(&grant.sent, "a refresh token"));
                }
                attempt.says(&grant)?.within(&honest)
            })
        });
    }
}

fn exchanged(cases: &mut Cases) {
    let grants = &[Door::JwtBearer, Door::TokenExchange];
    cases.at(
        grants,
        ("access-token-as-subject", "A token that the server gave for a contact is not changed into another"),
        "RFC 8693 5; RFC 8725 3.11",
        |attempt| {
            let grant = attempt.ask()?.send()?.granted()?;
            attempt.ask()?.subject(&grant.access_token).send()?.refused(NOT_TAKEN)
        },
    );
    cases.at(
        grants,
        ("id-token-as-subject", "An ID token that the server gave is not changed into an access token"),
        "RFC 8725 3.11; RFC 8693 5",
        |attempt| {
            attempt.ask()?.send()?.granted()?;
            let grant = attempt.there()?.ask()?.send()?.granted()?;
            let token = grant.id_token.ok_or_else(|| Stop::skip("the server gives no ID token"))?;
            attempt.ask()?.subject(token).send()?.refused(NOT_TAKEN)
        },
    );
    for (id, words, kind) in [
        ("access-token-by-its-type", "an access token said to be one", ACCESS_TOKEN),
        ("access-token-as-id-token", "an access token said to be an ID token", ID_TOKEN),
        ("access-token-as-refresh-token", "an access token said to be a refresh token", REFRESH_TOKEN),
    ] {
        let title = format!("Exchanging {words} gives no token");
        cases.at(&[Door::TokenExchange], (id, &title), "RFC 8693 2.1, 5", move |attempt| {
            let grant = attempt.ask()?.send()?.granted()?;
            let ask = attempt.ask()?.subject(&grant.access_token).instead("subject_token_type", kind);
            ask.send()?.refused(NOT_TAKEN)
        });
    }
    cases.at(
        &[Door::TokenExchange],
        ("id-token-by-its-type", "Exchanging an ID token said to be one gives no token"),
        "RFC 8693 2.1, 5",
        |attempt| {
            attempt.ask()?.send()?.granted()?;
            let grant = attempt.there()?.ask()?.send()?.granted()?;
            let token = grant.id_token.ok_or_else(|| Stop::skip("the server gives no ID token"))?;
            let ask = attempt.ask()?.subject(token).instead("subject_token_type", ID_TOKEN);
            ask.send()?.refused(NOT_TAKEN)
        },
    );
    cases.at(
        grants,
        ("own-token-as-subject", "An application's own token is not changed into one for a contact"),
        "RFC 9700 4.15; RFC 8693 5",
        |attempt| {
            attempt.ask()?.send()?.granted()?;
            let own = Attempt { door: Door::ClientCredentials, ..*attempt }.ask()?.send()?.granted()?;
            attempt.ask()?.subject(&own.access_token).send()?.refused(NOT_TAKEN)
        },
    );
    cases.at(
        grants,
        ("client-assertion-as-subject", "The application's own proof is no token that names a contact"),
        "RFC 8725 3.11; RFC 7523 3",
        |attempt| {
            attempt.ask()?.send()?.granted()?;
            let role = attempt.role();
            let token = attempt.client_assertion(role)?.signed(attempt.world.key(role)?);
            attempt.ask()?.subject(token).send()?.refused(NOT_TAKEN)
        },
    );
    cases.at(
        &[Door::ContactToken, Door::JwtBearer, Door::TokenExchange, Door::ClientCredentials],
        ("access-token-as-client-assertion", "An access token does not prove an application"),
        "RFC 8725 3.11; RFC 7523 2.2",
        |attempt| {
            let honest = attempt.ask()?.send()?.granted()?;
            let ask = attempt.ask()?.unproved().with("client_assertion_type", CLIENT_ASSERTION_TYPE);
            ask.with("client_assertion", &honest.access_token).send()?.refused(&[Why::Client, Why::Request])
        },
    );
    cases.at(
        &[Door::ContactToken, Door::JwtBearer, Door::TokenExchange, Door::ClientCredentials],
        ("access-token-as-bearer-proof", "An access token in `Authorization` does not prove an application"),
        "RFC 6749 2.3",
        |attempt| {
            let honest = attempt.ask()?.send()?.granted()?;
            let bearer = format!("Bearer {}", honest.access_token);
            attempt
                .ask()?
                .unproved()
                .header("Authorization", bearer)
                .send()?
                .refused(&[Why::Client, Why::Request])
        },
    );
    cases.at(
        &[Door::JwtBearer, Door::TokenExchange],
        ("grant-as-client-assertion", "A token that names a contact does not prove an application"),
        "RFC 8725 3.11; RFC 7523 2.2",
        |attempt| {
            let role = ApplicationRole::Signing;
            let contact = &attempt.world.contact(ContactRole::Allowed)?.id;
            attempt.ask_as(role)?.send()?.granted()?;
            let grant = attempt.assertion(role, contact)?.signed(attempt.world.key(role)?);
            let ask = attempt.ask_as(role)?.unproved().with("client_assertion_type", CLIENT_ASSERTION_TYPE);
            ask.with("client_assertion", grant).send()?.refused(&[Why::Client, Why::Request])
        },
    );
    cases.at(
        &[Door::JwtBearer, Door::TokenExchange],
        ("one-assertion-for-both", "One token does not both prove the application and name the contact"),
        "RFC 8725 3.11; RFC 7523 3",
        |attempt| {
            let role = ApplicationRole::Signing;
            attempt.ask_as(role)?.send()?.granted()?;
            let token = attempt.client_assertion(role)?.signed(attempt.world.key(role)?);
            let ask = attempt.ask_as(role)?.unproved().subject(&token);
            let ask =
                ask.with("client_assertion_type", CLIENT_ASSERTION_TYPE).with("client_assertion", &token);
            ask.send()?.refused(&[Why::Client, Why::Grant, Why::Request])
        },
    );
}
