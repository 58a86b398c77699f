//! More than the contact has: scopes, client companies, resources, lifetimes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::adapter::{ClientRole, ContactRole, Door, ResourceRole};
use crate::answer::{Answer, Grant, Why};
use crate::attempt::{Attempt, Says};
use crate::case::{Cases, Stop, Verdict};

const SCOPE: &[Why] = &[Why::Scope, Why::Request];

pub(super) fn add(cases: &mut Cases) {
    scopes(cases);
    clients(cases);
    resources(cases);
    others(cases);
}

/// What an honest token says.
fn honest(attempt: &Attempt<'_>) -> Result<Says, Stop> {
    attempt.says(&attempt.ask()?.send()?.granted()?)
}

/// Refused, or a token that says no more than the honest one.
fn no_more(attempt: &Attempt<'_>, honest: &Says, answer: Answer<'_>, whys: &[Why]) -> Verdict {
    answer.refused_or(whys, |grant| attempt.says(&grant)?.within(honest))
}

fn scopes(cases: &mut Cases) {
    let doors = &Door::FOR_CONTACTS;
    // Values of `scope`; `{held}` is a name that the contact holds.
    let values: [(&str, &str, &str); 12] = [
        ("scope-unknown", "a scope that does not exist", "no_such_scope"),
        ("scope-wildcard", "every scope", "*"),
        ("scope-admin", "the scope of an administrator", "admin"),
        ("scope-offline", "offline access", "openid offline_access"),
        ("scope-held-and-unknown", "a held scope and one that does not exist", "{held} no_such_scope"),
        ("scope-comma", "scopes with a comma between", "{held},can_everything"),
        ("scope-line-feed", "scopes with a line feed between", "{held}\ncan_everything"),
        ("scope-tab", "scopes with a tab between", "{held}\tcan_everything"),
        ("scope-quote", "a scope with a quotation mark", "{held}\" admin"),
        ("scope-backslash", "a scope with a backslash", "{held}\\ admin"),
        ("scope-capitals", "scopes in capitals", "OPENID ADMIN"),
        ("scope-long", "a scope of ten thousand letters", "{long}"),
    ];
    for (id, words, value) in values {
        let title = format!("Asking for {words} widens nothing");
        cases.at(doors, (id, &title), "RFC 6749 3.3", move |attempt| {
            let honest = honest(attempt)?;
            let held = attempt.world.contact(ContactRole::Allowed)?.scopes.first().cloned();
            let value = value.replace("{held}", &held.unwrap_or_else(|| "openid".to_owned()));
            let value = value.replace("{long}", &"s".repeat(10_000));
            let answer = attempt.ask()?.with("scope", value).send()?;
            no_more(attempt, &honest, answer, SCOPE)
        });
    }
    cases.at(
        doors,
        ("scope-not-held", "Asking for a scope that the contact does not hold widens nothing"),
        "RFC 6749 3.3; contract 1",
        |attempt| {
            let honest = honest(attempt)?;
            let name = not_held(attempt)?;
            no_more(attempt, &honest, attempt.ask()?.with("scope", name).send()?, SCOPE)
        },
    );
    cases.at(
        doors,
        ("scope-all", "Asking for every scope that the server knows widens nothing"),
        "RFC 6749 3.3; contract 1",
        |attempt| {
            let honest = honest(attempt)?;
            let all = supported(attempt)?.into_iter().collect::<Vec<_>>().join(" ");
            no_more(attempt, &honest, attempt.ask()?.with("scope", all).send()?, SCOPE)
        },
    );
    cases.at(
        doors,
        ("scope-narrows", "A scope that is asked for is all that the token has"),
        "RFC 6749 3.3; RFC 8693 2.2.1",
        |attempt| {
            let honest = honest(attempt)?;
            let scopes = &attempt.world.contact(ContactRole::Allowed)?.scopes;
            let one = scopes.first().ok_or_else(|| Stop::skip("`contacts.allowed` has no `scopes`"))?;
            let says = attempt.says(&attempt.ask()?.with("scope", one).send()?.granted()?)?;
            says.within(&honest)?;
            match says.powers.iter().find(|power| *power != one && *power != "openid") {
                Some(more) => Err(Stop::fail(
                    format_args!("a request with scope `{one}`"),
                    format_args!("`{more}` too"),
                )),
                None => Ok(()),
            }
        },
    );
    cases.at(
        doors,
        ("above-ceiling", "A contact gets no more than the client's trust lets through"),
        "contract 1",
        |attempt| {
            honest(attempt)?;
            let contact = attempt.world.contact(ContactRole::AboveCeiling)?;
            let says = attempt.says(&attempt.ask_for(&contact.id)?.send()?.granted()?)?;
            match says.powers.iter().find(|power| *power != "openid" && !contact.scopes.contains(power)) {
                Some(more) => Err(Stop::fail(
                    "a request for `above_ceiling`",
                    format_args!("a permission more: {more}"),
                )),
                None => Ok(()),
            }
        },
    );
    cases.at(
        doors,
        ("above-ceiling-asked", "Asking by name for what the trust does not let through gives nothing"),
        "contract 1",
        |attempt| {
            let contact = attempt.world.contact(ContactRole::AboveCeiling)?;
            let says = attempt.says(&attempt.ask_for(&contact.id)?.send()?.granted()?)?;
            let all = supported(attempt)?.into_iter().collect::<Vec<_>>().join(" ");
            no_more(attempt, &says, attempt.ask_for(&contact.id)?.with("scope", all).send()?, SCOPE)
        },
    );
    cases.at(
        &[Door::ClientCredentials],
        ("scope-of-a-contact", "An application alone gets nothing that belongs to a contact"),
        "RFC 6749 4.4; contract 1",
        |attempt| {
            let honest = honest(attempt)?;
            let all = supported(attempt)?.into_iter().collect::<Vec<_>>().join(" ");
            no_more(attempt, &honest, attempt.ask()?.with("scope", all).send()?, SCOPE)
        },
    );
}

/// The scopes that the server says it knows.
fn supported(attempt: &Attempt<'_>) -> Result<BTreeSet<String>, Stop> {
    let metadata = super::documents::document(attempt, "metadata")?;
    let names = metadata["scopes_supported"].as_array().into_iter().flatten();
    let names: BTreeSet<String> = names.filter_map(Value::as_str).map(str::to_owned).collect();
    if names.is_empty() { Err(Stop::skip("the metadata names no scopes")) } else { Ok(names) }
}

fn not_held(attempt: &Attempt<'_>) -> Result<String, Stop> {
    let held = &attempt.world.contact(ContactRole::Allowed)?.scopes;
    let says = honest(attempt)?;
    let lacking =
        supported(attempt)?.into_iter().find(|name| !held.contains(name) && !says.powers.contains(name));
    lacking.ok_or_else(|| Stop::skip("the contact holds every scope that there is"))
}

fn clients(cases: &mut Cases) {
    let doors = &Door::FOR_CONTACTS;
    for (role, id, words) in [
        (ClientRole::Foreign, "client-foreign", "a client that the contact has no authority over"),
        (ClientRole::Untrusting, "client-untrusting", "a client that does not trust the application"),
        (ClientRole::Unknown, "client-unknown", "a client that does not exist"),
    ] {
        let title = format!("Asking for {words} gives no token");
        cases.at(doors, (id, &title), "contract 1", move |attempt| {
            narrowed(attempt)?;
            let client = attempt.world.client(role)?;
            attempt.ask()?.with(parameter(attempt)?, client).send()?.refused(&[Why::Grant])
        });
        let title = format!("Asking for {words} beside one that is listed gives neither");
        cases.at(doors, (&format!("{id}-and-listed"), &title), "contract 1", move |attempt| {
            let listed = narrowed(attempt)?;
            let both = format!("{listed} {}", attempt.world.client(role)?);
            attempt.ask()?.with(parameter(attempt)?, both).send()?.refused(&[Why::Grant])
        });
        if role != ClientRole::Unknown {
            let title = format!("A refusal of {words} is that of one that does not exist, byte for byte");
            cases.at(doors, (&format!("{id}-alike"), &title), "contract 1", move |attempt| {
                let name = parameter(attempt)?;
                let ask = |role| attempt.ask()?.with(name, attempt.world.client(role)?).send();
                let (known, unknown) = (ask(role)?, ask(ClientRole::Unknown)?);
                known.refused(&[Why::Grant])?;
                let same = known.looks() == unknown.looks();
                if same {
                    Ok(())
                } else {
                    Err(Stop::fail(&known.sent, "it differs from that of an unknown one"))
                }
            });
        }
    }
    let values = [
        ("clients-wildcard", "every client", "*"),
        ("clients-comma", "clients with a comma between", "{listed},{foreign}"),
        ("clients-line-feed", "clients with a line feed between", "{listed}\n{foreign}"),
        ("clients-empty", "no client at all", ""),
        ("clients-space", "a space", " "),
        ("clients-small-letters", "a client in small letters", "{lower}"),
        ("clients-json", "a list as JSON", "[\"{listed}\",\"{foreign}\"]"),
        ("clients-many", "a thousand clients", "{many}"),
    ];
    for (id, words, value) in values {
        let title = format!("Asking for {words} widens nothing");
        cases.at(doors, (id, &title), "contract 1", move |attempt| {
            let listed = narrowed(attempt)?;
            let honest = honest(attempt)?;
            let foreign = attempt.world.client(ClientRole::Foreign)?;
            let value = value
                .replace("{listed}", &listed)
                .replace("{foreign}", foreign)
                .replace("{lower}", &listed.to_lowercase())
                .replace("{many}", &vec![foreign; 1_000].join(" "));
            let answer = attempt.ask()?.with(parameter(attempt)?, value).send()?;
            no_more(attempt, &honest, answer, &[Why::Grant, Why::Request])
        });
    }
    cases.at(
        doors,
        ("clients-narrow", "A client that is asked for is the only one in the token"),
        "contract 1",
        |attempt| narrowed(attempt).map(|_| ()),
    );
    cases.at(
        doors,
        ("clients-exact", "A token lists the clients that it must, and no other"),
        "contract 1",
        |attempt| {
            if attempt.world.adapter.claims.clients.is_empty() {
                return Err(Stop::skip("`claims.clients` says that tokens list none"));
            }
            let expected: BTreeSet<&String> =
                attempt.world.contact(ContactRole::Allowed)?.clients.iter().collect();
            let says = honest(attempt)?;
            if says.clients.iter().collect::<BTreeSet<_>>() == expected {
                return Ok(());
            }
            Err(Stop::fail("the honest request", format_args!("a token that lists {:?}", says.clients)))
        },
    );
}

fn parameter<'w>(attempt: &Attempt<'w>) -> Result<&'w str, Stop> {
    let settings = attempt.world.adapter.door(attempt.door);
    let name = settings.and_then(|settings| settings.clients_parameter.as_deref());
    name.ok_or_else(|| Stop::skip(format_args!("`doors.{}` has no `clients_parameter`", attempt.door)))
}

/// Shows that a client can be asked for, and that it is then the only one; its id.
fn narrowed(attempt: &Attempt<'_>) -> Result<String, Stop> {
    let name = parameter(attempt)?;
    let listed = attempt.world.client(ClientRole::Listed)?;
    let says = attempt.says(&attempt.ask()?.with(name, listed).send()?.granted()?)?;
    let other = says.clients.iter().find(|client| *client != listed);
    match other {
        None => Ok(listed.to_owned()),
        Some(other) => {
            Err(Stop::fail(format_args!("a request for `{listed}` alone"), format_args!("`{other}` too")))
        }
    }
}

fn resources(cases: &mut Cases) {
    let doors = &super::TOKEN_DOORS;
    for (role, id, words) in [
        (
            ResourceRole::Unregistered,
            "resource-unregistered",
            "a resource that the application is not registered for",
        ),
        (ResourceRole::Unknown, "resource-unknown", "a resource that does not exist"),
    ] {
        let title = format!("Asking for {words} gives no token");
        cases.at(doors, (id, &title), "RFC 8707 2", move |attempt| {
            attempt.ask()?.send()?.granted()?;
            let resource = &attempt.world.resource(role)?.id;
            attempt.ask()?.with(resource_parameter(attempt), resource).send()?.refused(&[Why::Target])
        });
    }
    cases.at(
        doors,
        ("resource-alike", "A refusal of a resource that exists is that of one that does not, byte for byte"),
        "contract 1",
        |attempt| {
            let ask = |role| {
                let resource = &attempt.world.resource(role)?.id;
                attempt.ask()?.with(resource_parameter(attempt), resource).send()
            };
            let (known, unknown) = (ask(ResourceRole::Unregistered)?, ask(ResourceRole::Unknown)?);
            known.refused(&[Why::Target])?;
            let same = known.looks() == unknown.looks();
            if same { Ok(()) } else { Err(Stop::fail(&known.sent, "it differs from that of an unknown one")) }
        },
    );
    cases.at(
        doors,
        ("resource-second", "A resource that is asked for is the only one that the token is for"),
        "RFC 8707 2",
        |attempt| {
            let resource = &attempt.world.resource(ResourceRole::Second)?.id;
            let grant = attempt.ask()?.with(resource_parameter(attempt), resource).send()?.granted()?;
            let says = attempt.says_with(&grant, "aud")?;
            let only = says.audience.iter().all(|audience| audience == resource) && says.audience.len() == 1;
            if only {
                Ok(())
            } else {
                Err(Stop::fail("a request for the second resource", format_args!("{:?}", says.audience)))
            }
        },
    );
    let values = [
        ("resource-relative", "a path", "/api"),
        ("resource-empty", "nothing", ""),
        ("resource-fragment", "a resource with a fragment", "{default}#x"),
        ("resource-query", "a resource with a query", "{default}?admin=1"),
        ("resource-slash", "a resource with a slash behind", "{default}/"),
        ("resource-dots", "a resource with dot segments", "{default}/../other"),
        ("resource-deeper", "a path below a resource", "{default}/admin"),
        ("resource-capitals", "a resource in capitals", "{upper}"),
        ("resource-encoded", "a resource with an encoded letter", "{default}%2f"),
        ("resource-prefix", "a host whose name begins like the resource's", "{default}.evil.example"),
        ("resource-userinfo", "another host behind the resource's name", "{default}@evil.example"),
        ("resource-space", "two resources in one value", "{default} {second}"),
        ("resource-issuer", "the server itself", "{issuer}"),
        ("resource-wildcard", "every resource", "*"),
        ("resource-script", "a URI that is a program", "javascript:alert(1)"),
        ("resource-long", "a URI of ten thousand letters", "https://{long}.example"),
    ];
    for (id, words, value) in values {
        let title = format!("Asking for {words} gives no token for anything but what it may be for");
        cases.at(doors, (id, &title), "RFC 8707 2", move |attempt| {
            let honest = honest(attempt)?;
            let default = &attempt.world.resource(ResourceRole::Default)?.id;
            let second =
                attempt.world.resource(ResourceRole::Second).map_or("urn:x", |second| second.id.as_str());
            let value = value
                .replace("{upper}", &default.to_uppercase())
                .replace("{default}", default)
                .replace("{second}", second)
                .replace("{issuer}", &attempt.world.adapter.issuer)
                .replace("{long}", &"a".repeat(10_000));
            let answer = attempt.ask()?.with(resource_parameter(attempt), value).send()?;
            no_more(attempt, &honest, answer, &[Why::Target, Why::Request])
        });
    }
    cases.at(
        doors,
        ("resource-twice", "Two resources give no token for more than one of them"),
        "RFC 8707 2",
        |attempt| {
            attempt.ask()?.send()?.granted()?;
            let name = resource_parameter(attempt);
            let default = &attempt.world.resource(ResourceRole::Default)?.id;
            let second = &attempt.world.resource(ResourceRole::Second)?.id;
            let answer = attempt.ask()?.with(name, default).with(name, second).send()?;
            answer.refused_or(&[Why::Target, Why::Request], |grant| one_audience(attempt, &grant))
        },
    );
    cases.at(
        doors,
        (
            "resource-and-foreign",
            "A resource beside one that the application may not have gives no token for that",
        ),
        "RFC 8707 2",
        |attempt| {
            let honest = honest(attempt)?;
            let name = resource_parameter(attempt);
            let default = &attempt.world.resource(ResourceRole::Default)?.id;
            let foreign = &attempt.world.resource(ResourceRole::Unregistered)?.id;
            let answer = attempt.ask()?.with(name, default).with(name, foreign).send()?;
            no_more(attempt, &honest, answer, &[Why::Target, Why::Request])
        },
    );
    cases.at(
        doors,
        (
            "audience-parameter",
            "`audience` does not lead to a token for a resource that the application may not have",
        ),
        "RFC 8693 2.1",
        |attempt| {
            let honest = honest(attempt)?;
            let foreign = &attempt.world.resource(ResourceRole::Unregistered)?.id;
            let answer = attempt.ask()?.with("audience", foreign).send()?;
            no_more(attempt, &honest, answer, &[Why::Target, Why::Request])
        },
    );
}

fn resource_parameter<'w>(attempt: &Attempt<'w>) -> &'w str {
    let settings = attempt.world.adapter.door(attempt.door);
    settings.map_or("resource", |settings| settings.resource_parameter.as_str())
}

fn one_audience(attempt: &Attempt<'_>, grant: &Grant) -> Verdict {
    let says = attempt.says_with(grant, "aud")?;
    match says.audience.len() {
        1 => Ok(()),
        _ => Err(Stop::fail(&grant.sent, format_args!("a token for {:?}", says.audience))),
    }
}

/// Parameters by which more could be asked for, and a value.
const MORE: &[(&str, &str)] = &[
    ("permissions", "can_everything"),
    ("roles", "admin"),
    ("groups", "admin"),
    ("authorization_details", "[{\"type\":\"all\"}]"),
    ("claims", "{\"access_token\":{\"admin\":{\"value\":true}}}"),
    ("acr_values", "urn:procura:acr:person"),
    ("acr", "urn:procura:acr:person"),
    ("amr", "pwd"),
    ("nonce", "n-0S6_WzA2Mj"),
    ("auth_time", "1"),
    ("expires_in", "31536000"),
    ("exp", "9999999999"),
    ("token_lifetime", "31536000"),
    ("max_age", "0"),
    ("prompt", "none"),
    ("response_type", "token"),
    ("token_type", "N_A"),
    ("mandates", "[{\"clients\":[\"*\"],\"permissions\":[\"*\"]}]"),
    ("act", "{\"sub\":\"admin\"}"),
    ("cnf", "{\"jkt\":\"x\"}"),
    ("dpop_jkt", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
    ("client_id", "{client}"),
    ("request", "eyJhbGciOiJub25lIn0.e30."),
    ("request_uri", "https://127.0.0.1:9/request"),
    ("refresh_token", "x"),
    ("code", "x"),
    ("username", "admin"),
    ("password", "admin"),
    ("redirect_uri", "https://evil.example"),
];

fn others(cases: &mut Cases) {
    for (name, value) in MORE {
        let id = format!("parameter-{}", name.replace('_', "-"));
        let title = format!("A parameter `{name}` changes nothing that the token says");
        cases.at(&Door::FOR_CONTACTS, (&id, &title), "RFC 6749 3.2", |attempt| {
            let honest_grant = attempt.ask()?.send()?.granted()?;
            let honest = attempt.says(&honest_grant)?;
            let client = attempt.world.client(ClientRole::Listed).unwrap_or("x");
            let answer = attempt.ask()?.with(name, value.replace("{client}", client)).send()?;
            answer.refused_or(&[Why::Request, Why::Client], |grant| {
                let says = attempt.says(&grant)?;
                says.within(&honest)?;
                let life = |says: &Says| Some(says.claims["exp"].as_i64()? - says.claims["iat"].as_i64()?);
                if life(&says) > life(&honest) {
                    return Err(Stop::fail(&grant.sent, "a token that lives longer"));
                }
                for claim in ["acr", "auth_time", "nonce", "amr", "cnf"] {
                    if says.claims[claim] != honest.claims[claim] {
                        return Err(Stop::fail(&grant.sent, format_args!("a token with another `{claim}`")));
                    }
                }
                Ok(())
            })
        });
    }
}
