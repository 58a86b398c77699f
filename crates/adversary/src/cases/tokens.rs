//! Tokens once they are out: at APIs, at introspection, at revocation.

use serde_json::Value;

use crate::adapter::{ApplicationRole, ClientRole, ContactRole, Door, ResourceRole};
use crate::answer::{Answer, Why};
use crate::attempt::{Ask, Attempt, Call, basic};
use crate::case::{Cases, Stop, Verdict};
use crate::wire::{self, Request, Url};

const INTROSPECTION: &[Door] = &[Door::Introspection];
const REVOCATION: &[Door] = &[Door::Revocation];
const RESOURCE: &[Door] = &[Door::Resource];

pub(super) fn add(cases: &mut Cases) {
    introspection(cases);
    revocation(cases);
    resource(cases);
    documents(cases);
}

/// A document that anybody may read: `jwks` or `metadata`.
pub(super) fn document(attempt: &Attempt<'_>, which: &str) -> Result<Value, Stop> {
    let endpoints = &attempt.world.adapter.endpoints;
    let url = if which == "jwks" { &endpoints.jwks } else { &endpoints.metadata };
    let url =
        url.as_ref().ok_or_else(|| Stop::skip(format_args!("the adapter has no `endpoints.{which}`")))?;
    let answer = get(attempt, url)?;
    answer.let_through()?;
    Ok(answer.json())
}

fn get<'w>(attempt: &Attempt<'w>, url: &str) -> Result<Answer<'w>, Stop> {
    let request = Request {
        method: "GET".to_owned(),
        url: Url::parse(url).map_err(Stop::Skip)?,
        headers: Vec::new(),
        body: None,
        identity: None,
    };
    let sent = "GET of a document".to_owned();
    let came = wire::send(&attempt.world.roots, &request).map_err(|error| Stop::fail(&sent, error))?;
    let departures = &attempt.world.adapter.departures;
    Ok(Answer { sent, door: attempt.door, departures, came: Ok(came) })
}

/// A token in force, whom it was issued to, and that introspection says so.
fn known(attempt: &Attempt<'_>) -> Result<(String, ApplicationRole), Stop> {
    let (_, role) = attempt.somewhere()?;
    let token = attempt.token()?.access_token;
    attempt.about(Door::Introspection, role, &token)?.send()?.active()?;
    Ok((token, role))
}

fn introspect<'w>(attempt: &Attempt<'w>, role: ApplicationRole, token: &str) -> Result<Ask<'w>, Stop> {
    attempt.about(Door::Introspection, role, token)
}

fn introspection(cases: &mut Cases) {
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

fn revocation(cases: &mut Cases) {
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
pub(super) fn eventually(
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

/// Shows that a token opens the API; the call.
fn open<'w>(attempt: &Attempt<'w>) -> Result<Call<'w>, Stop> {
    let call = attempt.call(ResourceRole::Default, &attempt.token()?.access_token)?;
    call.send()?.let_through()?;
    Ok(call)
}

fn resource(cases: &mut Cases) {
    cases.at(RESOURCE, ("without-token", "Without a token nothing opens"), "RFC 6750 3", |attempt| {
        open(attempt)?.without_token().send()?.barred()
    });
    cases.at(
        RESOURCE,
        ("challenge", "Who brings no token is told how, and no error"),
        "RFC 6750 3, 3.1",
        |attempt| {
            let answer = open(attempt)?.without_token().send()?;
            answer.barred()?;
            match answer.header("www-authenticate") {
                Some(told) if !told.contains("error=") => Ok(()),
                _ => Err(Stop::fail(&answer.sent, "no challenge, or one with an error")),
            }
        },
    );
    cases.at(RESOURCE, ("id-token", "An ID token opens no API"), "RFC 8725 3.11; RFC 9068 4", |attempt| {
        open(attempt)?;
        let id_token = attempt.token()?.id_token.ok_or_else(|| Stop::skip("the server gives no ID token"))?;
        attempt.call(ResourceRole::Default, &id_token)?.send()?.barred()
    });
    cases.at(
        RESOURCE,
        ("token-for-another", "A token for another API opens nothing here"),
        "RFC 8707 3; RFC 9068 4",
        |attempt| {
            open(attempt)?;
            let there = attempt.there()?;
            let settings = attempt.world.adapter.door(there.door);
            let name = settings.map_or("resource", |settings| settings.resource_parameter.as_str());
            let second = &attempt.world.resource(ResourceRole::Second)?.id;
            let grant = there.ask()?.with(name, second).send()?.granted()?;
            attempt.call(ResourceRole::Default, &grant.access_token)?.send()?.barred()
        },
    );
    cases.at(
        RESOURCE,
        ("own-token", "The token of an application alone opens nothing of a contact's"),
        "RFC 9700 4.15; contract 4",
        |attempt| {
            open(attempt)?;
            let own = Attempt { door: Door::ClientCredentials, ..*attempt }.ask()?.send()?.granted()?;
            attempt.call(ResourceRole::Default, &own.access_token)?.send()?.barred()
        },
    );
    cases.at(
        RESOURCE,
        ("grant-as-token", "A token that names a contact opens no API"),
        "RFC 8725 3.11",
        |attempt| {
            open(attempt)?;
            let role = ApplicationRole::Signing;
            let contact = &attempt.world.contact(ContactRole::Allowed)?.id;
            let door = Door::JwtBearer;
            let grant = Attempt { door, ..*attempt }.assertion(role, contact)?;
            let grant = grant.head("typ", "at+jwt".into()).signed(attempt.world.key(role)?);
            attempt.call(ResourceRole::Default, &grant)?.send()?.barred()
        },
    );
    cases.at(
        RESOURCE,
        ("token-in-query", "A token in the query opens nothing"),
        "RFC 6750 2.3; RFC 9700 4.3.2",
        |attempt| {
            let token = attempt.token()?.access_token;
            let call = open(attempt)?;
            let own = call.url().split_once('?').map(|(_, query)| format!("{query}&")).unwrap_or_default();
            call.query(&format!("{own}access_token={token}")).without_token().send()?.barred()
        },
    );
    cases.at(
        RESOURCE,
        ("token-in-query-too", "A token in the query beside one in the header is refused or passed over"),
        "RFC 6750 2",
        |attempt| {
            let call = open(attempt)?;
            let own = call.url().split_once('?').map(|(_, query)| format!("{query}&")).unwrap_or_default();
            let answer = call.query(&format!("{own}access_token=x")).send()?;
            if answer.status() < 500 && answer.status() != 0 {
                Ok(())
            } else {
                Err(Stop::fail(&answer.sent, answer.told()))
            }
        },
    );
    for (id, words, scheme) in [
        ("basic-scheme", "under Basic", "Basic"),
        ("unknown-scheme", "under a scheme that nobody knows", "Token"),
        ("no-scheme", "under no scheme", ""),
        ("two-schemes", "under two schemes", "Bearer Bearer"),
    ] {
        let title = format!("A token {words} opens nothing");
        cases.at(RESOURCE, (id, &title), "RFC 6750 2.1", move |attempt| {
            open(attempt)?.scheme(scheme).send()?.barred()
        });
    }
    cases.at(
        RESOURCE,
        ("two-tokens", "Two Authorization headers open nothing"),
        "RFC 6750 2; RFC 9110 5.3",
        |attempt| {
            let other = format!("Bearer {}", attempt.token()?.access_token);
            open(attempt)?.header("Authorization", other).send()?.barred()
        },
    );
    cases.at(
        RESOURCE,
        ("token-and-nonsense", "A right token beside a broken one opens nothing"),
        "RFC 6750 2; RFC 9110 5.3",
        |attempt| open(attempt)?.header("Authorization", "Bearer nonsense").send()?.barred(),
    );
    cases.at(
        RESOURCE,
        ("date", "Answers carry the date, by which clients notice that their clocks are wrong"),
        "RFC 9110 6.6.1",
        |attempt| {
            let answer = open(attempt)?.send()?;
            if answer.header("date").is_some() {
                Ok(())
            } else {
                Err(Stop::fail(&answer.sent, "an answer without Date"))
            }
        },
    );
    cases.at(
        RESOURCE,
        ("not-kept", "What belongs to a contact is not kept by shared caches"),
        "RFC 6750 5.3; RFC 9111 3.5",
        |attempt| {
            let answer = open(attempt)?.send()?;
            let kept = answer.header("cache-control").unwrap_or_default();
            let closed = ["no-store", "private", "no-cache"].iter().any(|word| kept.contains(word));
            if closed { Ok(()) } else { Err(Stop::fail(&answer.sent, "an answer that any cache may keep")) }
        },
    );
    for (role, id, words) in [
        (ClientRole::Foreign, "client-foreign", "a client that is not in the token"),
        (ClientRole::Untrusting, "client-untrusting", "a client that does not trust the application"),
        (ClientRole::Unknown, "client-unknown", "a client that does not exist"),
    ] {
        let title = format!("A token opens nothing of {words}");
        cases.at(RESOURCE, (id, &title), "RFC 9068 4; contract 4", move |attempt| {
            let name = client_parameter(attempt)?;
            let client = attempt.world.client(role)?;
            open(attempt)?.query(&format!("{name}={client}")).send()?.barred()
        });
    }
    type Query = fn(&str, &str, &str) -> String;
    let queries: [(&str, &str, Query); 7] = [
        ("client-left-out", "without a client", |_, _, _| String::new()),
        ("client-empty", "with an empty client", |name, _, _| format!("{name}=")),
        ("client-twice", "with two clients", |name, own, foreign| format!("{name}={own}&{name}={foreign}")),
        ("client-twice-other-way", "with two clients, the foreign one first", |name, own, foreign| {
            format!("{name}={foreign}&{name}={own}")
        }),
        ("client-list", "with a list of clients", |name, own, foreign| format!("{name}={own},{foreign}")),
        ("client-capitals", "with a parameter in capitals", |name, _, foreign| {
            format!("{}={foreign}", name.to_uppercase())
        }),
        ("client-encoded", "with an encoded name beside the plain one", |name, own, foreign| {
            let first = name.bytes().next().unwrap_or(b'x');
            format!("{name}={own}&%{first:02x}{}={foreign}", &name[1..])
        }),
    ];
    for (id, words, query) in queries {
        let title = format!("A call {words} opens nothing");
        cases.at(RESOURCE, (id, &title), "RFC 9068 4; contract 4", move |attempt| {
            let name = client_parameter(attempt)?;
            let (own, foreign) =
                (attempt.world.client(ClientRole::Listed)?, attempt.world.client(ClientRole::Foreign)?);
            open(attempt)?.query(&query(name, own, foreign)).send()?.barred()
        });
    }
    cases.at(
        RESOURCE,
        ("other-contact-in-header", "A header that names another contact than the token opens nothing"),
        "contract 4",
        |attempt| {
            let other = &attempt.world.contact(ContactRole::SecondAllowed)?.id;
            open(attempt)?.header("X-Contact-ID", other).send()?.barred()
        },
    );
}

fn client_parameter<'w>(attempt: &Attempt<'w>) -> Result<&'w str, Stop> {
    let name = attempt.world.resource(ResourceRole::Default)?.client_parameter.as_deref();
    name.ok_or_else(|| Stop::skip("`resources.default` has no `client_parameter`"))
}

fn documents(cases: &mut Cases) {
    let door = &[Door::Documents];
    cases.at(
        door,
        ("keys-are-public", "The key set has no private member, and no shared secret"),
        "RFC 7517 9.2; RFC 8725 3.5",
        |attempt| {
            let set = document(attempt, "jwks")?;
            for key in set["keys"].as_array().into_iter().flatten() {
                let private =
                    ["d", "p", "q", "dp", "dq", "qi", "k"].iter().any(|name| key.get(name).is_some());
                if private || key["kty"] == "oct" {
                    return Err(Stop::fail("GET of the key set", "a key with private members"));
                }
            }
            Ok(())
        },
    );
    cases.at(
        door,
        ("keys-have-names", "Every published key has a kid, and no two have the same"),
        "RFC 7517 4.5",
        |attempt| {
            let set = document(attempt, "jwks")?;
            let keys = set["keys"].as_array().cloned().unwrap_or_default();
            let names: std::collections::BTreeSet<String> =
                keys.iter().map(|key| key["kid"].to_string()).collect();
            let whole = !keys.is_empty() && names.len() == keys.len() && !names.contains("null");
            if whole {
                Ok(())
            } else {
                Err(Stop::fail("GET of the key set", "keys without names of their own"))
            }
        },
    );
    cases.at(
        door,
        ("keys-are-strong", "No published RSA key has less than 2048 bits"),
        "RFC 7518 3.3",
        |attempt| {
            let set = document(attempt, "jwks")?;
            let weak =
                set["keys"].as_array().into_iter().flatten().any(|key| {
                    key["kty"] == "RSA" && key["n"].as_str().is_none_or(|number| number.len() < 340)
                });
            if weak { Err(Stop::fail("GET of the key set", "a weak RSA key")) } else { Ok(()) }
        },
    );
    cases.at(
        door,
        ("metadata-names-the-issuer", "The metadata is the issuer's own"),
        "RFC 8414 3.3",
        |attempt| {
            let metadata = document(attempt, "metadata")?;
            let right = metadata["issuer"] == attempt.world.adapter.issuer.as_str();
            if right { Ok(()) } else { Err(Stop::fail("GET of the metadata", "another issuer")) }
        },
    );
    cases.at(
        door,
        (
            "metadata-offers-nothing-weak",
            "The metadata offers neither none nor HS256, and no implicit or password grant",
        ),
        "RFC 9700 2.1.2, 2.4; RFC 8725 3.2",
        |attempt| {
            let metadata = document(attempt, "metadata")?;
            let weak = ["none", "HS256", "HS384", "HS512", "implicit", "password", "token"];
            let lists =
                metadata.as_object().into_iter().flatten().filter(|(name, _)| name.ends_with("_supported"));
            for (name, list) in lists {
                let found = list
                    .as_array()
                    .into_iter()
                    .flatten()
                    .find(|value| weak.iter().any(|word| *value == word));
                if let Some(found) = found {
                    return Err(Stop::fail("GET of the metadata", format_args!("`{name}` has {found}")));
                }
            }
            Ok(())
        },
    );
    cases.at(door, ("documents-by-post", "A document is not changed by POST"), "RFC 9110 9.3.3", |attempt| {
        let url = attempt.world.adapter.endpoints.jwks.as_ref();
        let url = url.ok_or_else(|| Stop::skip("the adapter has no `endpoints.jwks`"))?;
        let request = Request {
            method: "POST".to_owned(),
            url: Url::parse(url).map_err(Stop::Skip)?,
            headers: vec![("Content-Type".to_owned(), b"application/json".to_vec())],
            body: Some(br#"{"keys":[]}"#.to_vec()),
            identity: None,
        };
        let sent = "POST of a key set".to_owned();
        let came = wire::send(&attempt.world.roots, &request).map_err(|error| error.to_string());
        let departures = &attempt.world.adapter.departures;
        Answer { sent, door: attempt.door, departures, came }.refused(&[Why::Http])
    });
}
