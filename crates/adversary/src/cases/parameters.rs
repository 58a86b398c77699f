//! Forms that two readers could read as two requests, or that no reader should read.

use std::fmt::Write as _;

use crate::adapter::{ApplicationRole, ContactRole, Door};
use crate::answer::{Answer, Why};
use crate::attempt::{Ask, Attempt, Says, encoded};
use crate::case::{Cases, Stop, Verdict};

const FORM: &str = "application/x-www-form-urlencoded";

pub(super) fn add(cases: &mut Cases) {
    repeated(cases);
    grant_types(cases);
    queries(cases);
    bodies(cases);
    spellings(cases);
}

fn honest(attempt: &Attempt<'_>) -> Result<Says, Stop> {
    attempt.says(&attempt.ask()?.send()?.granted()?)
}

/// The form as text.
fn text(ask: &Ask<'_>) -> Result<String, Stop> {
    let mut text = String::new();
    for (name, value) in ask.whole_form()? {
        let and = if text.is_empty() { "" } else { "&" };
        let _ = write!(text, "{and}{}={}", encoded(name.as_bytes()), encoded(&value));
    }
    Ok(text)
}

/// Sends the form with this behind it.
fn with_text<'w>(attempt: &Attempt<'w>, more: &[u8]) -> Result<Answer<'w>, Stop> {
    let ask = attempt.ask()?;
    let mut body = text(&ask)?.into_bytes();
    if !body.is_empty() && !more.is_empty() {
        body.push(b'&');
    }
    body.extend_from_slice(more);
    ask.body(Some(FORM), body).send()
}

fn no_more(attempt: &Attempt<'_>, honest: &Says, answer: Answer<'_>) -> Verdict {
    answer.refused_or(&[Why::Request, Why::Scope, Why::Grant, Why::Http], |grant| {
        attempt.says(&grant)?.within(honest)
    })
}

fn repeated(cases: &mut Cases) {
    for name in [
        "scope",
        "resource",
        "grant_type",
        "client_id",
        "assertion",
        "subject_token",
        "subject_token_type",
        "x_unknown",
    ] {
        for (kind, words) in [("equal", "the same value"), ("different", "two values")] {
            let id = format!("{}-twice-{kind}", name.replace('_', "-"));
            let title = format!("`{name}` twice with {words} is refused");
            let doors: &[Door] = match name {
                "grant_type" => &[Door::JwtBearer, Door::TokenExchange, Door::ClientCredentials],
                "assertion" => &[Door::JwtBearer],
                "subject_token" | "subject_token_type" => &[Door::TokenExchange],
                "scope" => &Door::FOR_CONTACTS,
                _ => &super::TOKEN_DOORS,
            };
            cases.at(doors, (&id, &title), "RFC 6749 3.2", move |attempt| {
                let honest = honest(attempt)?;
                let ask = attempt.ask()?;
                let own = match name {
                    "client_id" => attempt.world.application(attempt.role())?.id.clone(),
                    "resource" => {
                        let role = crate::adapter::ResourceRole::Default;
                        attempt.world.resource(role)?.id.clone()
                    }
                    _ => ask.value(name).unwrap_or_else(|| "openid".to_owned()),
                };
                let second = if kind == "equal" { own.clone() } else { format!("{own}x") };
                let ask = ask.without(name).with(name, own).with(name, second);
                let answer = ask.send()?;
                if name == "x_unknown" {
                    // RFC 6749 3.2 has unknown ones ignored, and any that comes twice refused.
                    return no_more(attempt, &honest, answer);
                }
                // RFC 8707 2 lets several resources be named, and a server may not know `openid`.
                let own = match name {
                    "resource" => Why::Target,
                    "scope" => Why::Scope,
                    _ => Why::Request,
                };
                answer.refused(&[Why::Request, Why::Client, own])
            });
        }
    }
    for name in ["scope[]", "scope[0]", "scope.0", "SCOPE", "Scope", " scope", "scope ", "scope\0", "%73cope"]
    {
        let shown: String =
            name.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '-' }).collect();
        let capitals = if name.chars().any(char::is_uppercase) { "-with-capitals" } else { "" };
        let id = format!("name-{}{capitals}{}", shown.to_lowercase().trim_matches('-'), place(name));
        let title =
            format!("A parameter called `{}` is not another spelling of `scope`", name.escape_debug());
        cases.at(&Door::FOR_CONTACTS, (&id, &title), "RFC 6749 3.2; RFC 6749 B", move |attempt| {
            let honest = honest(attempt)?;
            no_more(attempt, &honest, attempt.ask()?.with(name, "admin can_everything").send()?)
        });
    }
}

fn place(name: &str) -> String {
    let at = [
        (" scope", "-space-before"),
        ("scope ", "-space-behind"),
        ("scope\0", "-nul"),
        ("scope[]", "-list"),
        ("scope[0]", "-indexed"),
        ("Scope", "-first"),
    ];
    at.iter().find(|(known, _)| *known == name).map_or_else(String::new, |(_, words)| (*words).to_owned())
}

fn grant_types(cases: &mut Cases) {
    let doors = &[Door::JwtBearer, Door::TokenExchange, Door::ClientCredentials];
    for (id, words, value) in [
        ("grant-type-empty", "empty", ""),
        ("grant-type-unknown", "unknown", "urn:example:grant"),
        ("grant-type-capitals", "in capitals", "{upper}"),
        ("grant-type-space", "with a space behind", "{own} "),
        ("grant-type-nul", "with NUL behind", "{own}\0"),
        ("grant-type-list", "two in one", "{own} client_credentials"),
        ("grant-type-password", "that of a password", "password"),
        ("grant-type-implicit", "that of the implicit flow", "implicit"),
        ("grant-type-code", "that of a code, without one", "authorization_code"),
        ("grant-type-refresh-token", "that of a refresh token, without one", "refresh_token"),
        (
            "grant-type-device",
            "that of a device, without a code",
            "urn:ietf:params:oauth:grant-type:device_code",
        ),
        ("grant-type-saml", "that of a SAML assertion", "urn:ietf:params:oauth:grant-type:saml2-bearer"),
    ] {
        let title = format!("A grant type that is {words} gives no token");
        cases.at(doors, (id, &title), "RFC 6749 5.2", move |attempt| {
            honest(attempt)?;
            let ask = attempt.ask()?;
            let own = ask.value("grant_type").unwrap_or_default();
            let value = value.replace("{upper}", &own.to_uppercase()).replace("{own}", &own);
            let whys = &[Why::GrantType, Why::Request, Why::Unauthorized, Why::Grant];
            ask.instead("grant_type", value).send()?.refused(whys)
        });
    }
    cases.at(
        doors,
        ("grant-type-left-out", "Without a grant type there is no token"),
        "RFC 6749 3.2, 5.2",
        |attempt| {
            honest(attempt)?;
            attempt.ask()?.without("grant_type").send()?.refused(&[Why::Request, Why::GrantType])
        },
    );
    cases.at(
        &[Door::ContactToken],
        ("grant-type-at-contact-token", "A grant type at the path of a contact changes nothing"),
        "RFC 6749 3.2; contract 1",
        |attempt| {
            let honest = honest(attempt)?;
            no_more(attempt, &honest, attempt.ask()?.with("grant_type", "client_credentials").send()?)
        },
    );
    cases.at(
        &[Door::JwtBearer, Door::TokenExchange],
        ("grant-as-client-credentials", "A token that names a contact beside another grant type is not read"),
        "RFC 6749 4.4; RFC 7521 4.1",
        |attempt| {
            let contact = &attempt.world.contact(ContactRole::Allowed)?.id;
            honest(attempt)?;
            let answer = attempt.ask()?.instead("grant_type", "client_credentials").send()?;
            answer.refused_or(&[Why::Request, Why::Unauthorized, Why::GrantType], |grant| {
                let says = attempt.says(&grant)?;
                if says.contact.as_ref() == Some(contact) || says.actor.is_some() {
                    return Err(Stop::fail(&grant.sent, "a token for the contact"));
                }
                Ok(())
            })
        },
    );
}

fn queries(cases: &mut Cases) {
    let doors = &super::TOKEN_DOORS;
    cases.at(
        &[Door::JwtBearer, Door::TokenExchange, Door::ClientCredentials],
        ("form-in-query", "What belongs into the form is not taken from the query"),
        "RFC 6749 3.2, 2.3.1",
        |attempt| {
            honest(attempt)?;
            let ask = attempt.ask()?;
            let form = text(&ask)?;
            ask.query(&form).body(None, "").send()?.refused(&[Why::Request, Why::GrantType, Why::Http])
        },
    );
    for (id, words, name, value) in [
        ("query-scope", "`scope`", "scope", "openid"),
        ("query-resource", "`resource`", "resource", "https://evil.example"),
        ("query-grant-type", "`grant_type`", "grant_type", "client_credentials"),
        ("query-client-id", "`client_id`", "client_id", "app_other"),
        ("query-assertion", "`assertion`", "assertion", "a.b.c"),
        ("query-actor-token", "`actor_token`", "actor_token", "a.b.c"),
    ] {
        let title = format!("{words} in the query beside a form changes nothing");
        cases.at(doors, (id, &title), "RFC 6749 3.2; RFC 9700 4.13", move |attempt| {
            let honest = honest(attempt)?;
            let answer = attempt.ask()?.query(&format!("{name}={value}")).send()?;
            no_more(attempt, &honest, answer)
        });
    }
    cases.at(
        doors,
        ("query-access-token", "An access token in the query is nobody's proof"),
        "RFC 6750 2.3; RFC 6749 2.3",
        |attempt| {
            let grant = attempt.ask()?.send()?.granted()?;
            let ask = attempt.ask()?.unproved().query(&format!("access_token={}", grant.access_token));
            ask.send()?.refused(&[Why::Client, Why::Request])
        },
    );
}

fn bodies(cases: &mut Cases) {
    let doors = &super::TOKEN_DOORS;
    type Write = fn(&Ask<'_>) -> Result<(Option<&'static str>, Vec<u8>), Stop>;
    let written: [(&str, &str, Write); 11] = [
        ("body-json", "as JSON", |ask| Ok((Some("application/json"), json(ask)?))),
        ("body-json-as-form", "as JSON that is said to be a form", |ask| Ok((Some(FORM), json(ask)?))),
        ("body-multipart", "in parts", |ask| Ok((Some("multipart/form-data; boundary=b"), multipart(ask)?))),
        ("body-xml", "as XML", |_| Ok((Some("application/xml"), b"<grant_type>x</grant_type>".to_vec()))),
        ("body-text", "as plain text", |ask| Ok((Some("text/plain"), filled(ask)?))),
        ("body-octets", "as octets", |ask| Ok((Some("application/octet-stream"), filled(ask)?))),
        ("body-other-charset", "in another character set", |ask| {
            let text = String::from_utf8_lossy(&filled(ask)?).into_owned();
            let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            Ok((Some("application/x-www-form-urlencoded; charset=utf-16"), wide))
        }),
        ("body-latin1", "with bytes that are no UTF-8", |ask| {
            let mut body = filled(ask)?;
            body.extend_from_slice(b"&scope=%ff%fe");
            Ok((Some(FORM), body))
        }),
        ("body-bom", "with a byte order mark", |ask| {
            let mut body = b"\xef\xbb\xbf".to_vec();
            body.extend(filled(ask)?);
            Ok((Some(FORM), body))
        }),
        ("body-semicolons", "with semicolons between its parts", |ask| {
            let mut body = filled(ask)?;
            body.iter_mut().filter(|byte| **byte == b'&').for_each(|byte| *byte = b';');
            body.extend_from_slice(b";scope=openid");
            Ok((Some(FORM), body))
        }),
        ("body-large", "of a million bytes", |ask| {
            let mut body = filled(ask)?;
            body.extend_from_slice(b"&x=");
            body.resize(1_000_000, b'a');
            Ok((Some(FORM), body))
        }),
    ];
    for (id, words, write) in written {
        let title = format!("A form {words} gives no token, or the honest one");
        cases.at(doors, (id, &title), "RFC 6749 B; RFC 6749 3.2", move |attempt| {
            let honest = honest(attempt)?;
            let ask = attempt.ask()?;
            let (kind, body) = write(&ask)?;
            let answer = ask.body(kind, body).send()?;
            let whys = &[Why::Request, Why::GrantType, Why::Scope, Why::Client, Why::Http];
            answer.refused_or(whys, |grant| attempt.says(&grant)?.within(&honest))
        });
    }
    cases.at(
        doors,
        ("body-many-parameters", "Ten thousand parameters are refused, or change nothing"),
        "RFC 6749 3.2",
        |attempt| {
            let honest = honest(attempt)?;
            let mut more = String::new();
            for number in 0..10_000 {
                let _ = write!(more, "x{number}=&");
            }
            no_more(attempt, &honest, with_text(attempt, more.as_bytes())?)
        },
    );
    cases.at(
        doors,
        ("body-long-name", "A parameter with a name of sixty thousand letters changes nothing"),
        "RFC 6749 3.2",
        |attempt| {
            let honest = honest(attempt)?;
            no_more(attempt, &honest, with_text(attempt, "n".repeat(60_000).as_bytes())?)
        },
    );
}

fn filled(ask: &Ask<'_>) -> Result<Vec<u8>, Stop> {
    let text = text(ask)?;
    Ok(if text.is_empty() { b"scope=openid".to_vec() } else { text.into_bytes() })
}

fn json(ask: &Ask<'_>) -> Result<Vec<u8>, Stop> {
    let mut object = serde_json::Map::new();
    for (name, value) in ask.whole_form()? {
        object.insert(name, String::from_utf8_lossy(&value).into());
    }
    object.entry("scope").or_insert_with(|| "openid".into());
    Ok(serde_json::Value::Object(object).to_string().into_bytes())
}

fn multipart(ask: &Ask<'_>) -> Result<Vec<u8>, Stop> {
    let mut body = Vec::new();
    for (name, value) in ask.whole_form()?.into_iter().chain([("scope".to_owned(), b"openid".to_vec())]) {
        let head = format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--b--\r\n");
    Ok(body)
}

fn spellings(cases: &mut Cases) {
    let doors = &Door::FOR_CONTACTS;
    for (id, words, more) in [
        ("percent-cut", "an escape that breaks off", &b"scope=openid%"[..]),
        ("percent-not-hex", "an escape that is none", b"scope=openid%zz"),
        ("percent-one-digit", "an escape of one digit", b"scope=openid%2"),
        ("utf8-broken", "bytes that are no UTF-8", b"scope=openid%c3%28"),
        ("utf8-overlong", "an overlong letter", b"scope=openid%c0%a0admin"),
        ("utf8-surrogate", "half of a pair", b"scope=openid%ed%a0%80"),
        ("nul-in-value", "NUL in a value", b"scope=openid%00"),
        ("control-in-value", "a control character in a value", b"scope=openid%01"),
        ("line-feed-in-value", "a line feed in a value", b"scope=openid%0d%0aX-Injected:%201"),
        ("empty-value", "an empty value", b"scope="),
        ("without-value", "a name without a value", b"scope"),
        ("without-name", "a value without a name", b"=openid"),
        ("nul-in-name", "NUL in a name", b"sco%00pe=openid"),
        ("empty-resource", "an empty resource", b"resource="),
    ] {
        let title =
            format!("A form with {words} gives no token, or the honest one, and never a server error");
        cases.at(doors, (id, &title), "RFC 6749 B; RFC 6749 3.2", move |attempt| {
            let honest = honest(attempt)?;
            no_more(attempt, &honest, with_text(attempt, more)?)
        });
    }
    cases.at(
        doors,
        ("plus-is-a-space", "A plus in a form is a space: `+` does not join two scopes into one name"),
        "RFC 6749 B",
        |attempt| {
            let honest = honest(attempt)?;
            let scopes = &attempt.world.contact(ContactRole::Allowed)?.scopes;
            let one = scopes.first().ok_or_else(|| Stop::skip("`contacts.allowed` has no `scopes`"))?;
            let answer = with_text(attempt, format!("scope=openid+{one}").as_bytes())?;
            attempt.says(&answer.granted()?)?.within(&honest)
        },
    );
    cases.at(doors, ("plus-encoded", "An encoded plus is no space"), "RFC 6749 B", |attempt| {
        let honest = honest(attempt)?;
        let answer = with_text(attempt, b"scope=openid%2Badmin")?;
        no_more(attempt, &honest, answer)
    });
    cases.at(
        &super::TOKEN_DOORS,
        ("error-echoes-nothing", "An error does not give back what was sent"),
        "RFC 6749 5.2",
        |attempt| {
            honest(attempt)?;
            let mark = "zx9markzx9";
            let ask = attempt.ask_as(ApplicationRole::Main)?;
            for answer in [
                ask.clone().with("scope", format!("<script>{mark}")).send()?,
                ask.clone().with("resource", format!("https://{mark}.example/")).send()?,
                ask.instead("grant_type", mark).send()?,
            ] {
                let Ok(response) = &answer.came else { continue };
                let in_body = String::from_utf8_lossy(&response.body).contains(mark);
                if in_body || response.headers.iter().any(|(_, value)| value.contains(mark)) {
                    return Err(Stop::fail(&answer.sent, format_args!("{} that repeats it", answer.told())));
                }
            }
            Ok(())
        },
    );
    cases.at(
        &super::TOKEN_DOORS,
        ("error-is-plain-ascii", "The text of an error has only the characters that it may have"),
        "RFC 6749 5.2",
        |attempt| {
            honest(attempt)?;
            let answer = attempt.ask()?.with("scope", "no_such_scope").with("resource", "x").send()?;
            answer.refused(&[Why::Request, Why::Scope, Why::Target])?;
            let body = answer.json();
            let text = body["error_description"].as_str().unwrap_or_default();
            let may = |letter: char| matches!(letter, ' '..='!' | '#'..='[' | ']'..='~');
            if text.chars().all(may) {
                Ok(())
            } else {
                Err(Stop::fail(&answer.sent, "a text with other characters"))
            }
        },
    );
}
