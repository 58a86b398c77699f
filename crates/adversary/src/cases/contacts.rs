//! Whom a token may be for.

use serde_json::json;

use super::slots::Slot;
use crate::adapter::{ApplicationRole, ClientRole, ContactRole, Door, ResourceRole};
use crate::answer::{Answer, Why};
use crate::attempt::Attempt;
use crate::case::{Cases, Stop, Verdict};
use crate::clock::now;

/// Nobody may act for these.
const BARRED: &[(ContactRole, &str, &str)] = &[
    (ContactRole::Unknown, "unknown-contact", "a contact that does not exist"),
    (ContactRole::NoTrust, "no-trust", "a contact whose client does not trust the application"),
    (ContactRole::NoMandate, "no-mandate", "a contact with authority over no client"),
    (ContactRole::Disabled, "disabled-contact", "a contact that is switched off"),
    (ContactRole::SuspendedMandate, "suspended-mandate", "a contact whose authority is suspended"),
    (ContactRole::EndedWindow, "ended-window", "a contact whose authority ended"),
    (ContactRole::NotBegun, "not-begun", "a contact whose authority has not begun"),
    (ContactRole::WithdrawnTrust, "withdrawn-trust", "a contact whose client withdrew its trust"),
    (ContactRole::EndedTrust, "ended-trust", "a contact whose client's trust ended"),
    (ContactRole::InactiveClient, "inactive-client", "a contact whose client is not active"),
    (ContactRole::NotCovered, "not-covered", "a contact whom the trust does not cover"),
    (
        ContactRole::OtherAllowed,
        "contact-of-another-partner",
        "a contact that only another partner may act for",
    ),
];

/// Subjects that are not quite the allowed contact. `{id}` is the contact, `{other}` another partner's.
const NEARLY: &[(&str, &str, &str)] = &[
    ("contact-small-letters", "the contact in small letters", "{lower}"),
    ("contact-capitals", "the contact in capitals", "{upper}"),
    ("contact-space-behind", "the contact with a space behind", "{id} "),
    ("contact-space-before", "the contact with a space before", " {id}"),
    ("contact-tab", "the contact with a tab behind", "{id}\t"),
    ("contact-line-feed", "the contact with a line feed behind", "{id}\n"),
    ("contact-nul", "the contact with NUL behind", "{id}\0"),
    ("contact-nul-more", "the contact, NUL and more", "{id}\0x"),
    ("contact-dot", "the contact with a dot behind", "{id}."),
    ("contact-look-alike", "the contact with a letter of another alphabet", "{look}"),
    ("contact-full-width", "the contact in full-width letters", "{wide}"),
    ("contact-zero-width", "the contact with a character of no width", "{id}\u{200b}"),
    ("contact-accent", "the contact with a combining accent", "{id}\u{301}"),
    ("contact-two", "two contacts with a space between", "{id} {other}"),
    ("contact-two-comma", "two contacts with a comma between", "{id},{other}"),
    ("contact-wildcard", "every contact", "*"),
    ("contact-percent", "a pattern of SQL", "%"),
    ("contact-sql", "a piece of SQL", "x' OR '1'='1"),
    ("contact-quoted", "the contact in quotation marks", "\"{id}\""),
    ("contact-json", "an object as text", "{\"$ne\":null}"),
    ("contact-path", "a path that leads to the contact", "x/../{id}"),
    ("contact-uri", "the contact as a URI", "urn:contact:{id}"),
    ("contact-template", "an expression of a template", "${7*7}"),
    ("contact-very-long", "ten thousand letters", "{long}"),
    ("contact-null", "the word null", "null"),
];

pub(super) fn add(cases: &mut Cases) {
    let doors = &Door::FOR_CONTACTS;
    for (role, id, words) in BARRED {
        cases.at(doors, (id, &format!("Nobody gets a token for {words}")), "contract 1", |attempt| {
            allowed(attempt)?;
            let contact = &attempt.world.contact(*role)?.id;
            attempt.ask_for(contact)?.that(words).send()?.refused(&[Why::Grant])
        });
    }
    for (id, words, pattern) in NEARLY {
        let title = format!("Nobody gets a token for {words}");
        cases.at(doors, (id, &title), "RFC 8725 3.8; contract 1", |attempt| {
            let contact = allowed(attempt)?;
            let other = attempt.world.contact(ContactRole::OtherAllowed).map(|other| other.id.clone());
            let subject = filled(pattern, &contact, &other.unwrap_or_else(|_| "x".to_owned()));
            if subject == contact {
                return Err(Stop::skip("the contact's id is the same in that form"));
            }
            attempt.ask_for(&subject)?.that(words).send()?.refused(&[Why::Grant, Why::Request, Why::Http])
        });
    }
    cases.at(
        doors,
        ("ending-soon", "No token outlives the authority that it rests on"),
        "contract 1; RFC 9068 2.2",
        |attempt| {
            allowed(attempt)?;
            let contact = &attempt.world.contact(ContactRole::EndingSoon)?.id;
            let grant = attempt.ask_for(contact)?.send()?.granted()?;
            let left = attempt.says(&grant)?.claims["exp"].as_i64().unwrap_or(i64::MAX) - now();
            if left <= 600 {
                return Ok(());
            }
            Err(Stop::fail(&grant.sent, format_args!("a token that lives {left} s")))
        },
    );
    alike(cases);
    other_kinds(cases);
    left_out(cases);
    beside(cases);
}

/// Shows that the honest request is granted; the contact's id.
fn allowed(attempt: &Attempt<'_>) -> Result<String, Stop> {
    attempt.ask()?.send()?.granted()?;
    Ok(attempt.world.contact(ContactRole::Allowed)?.id.clone())
}

fn filled(pattern: &str, id: &str, other: &str) -> String {
    let wide = |letter: char| match u32::from(letter) {
        code @ 0x21..=0x7e => char::from_u32(code + 0xfee0).unwrap_or(letter),
        _ => letter,
    };
    let look = |letter: char| match letter {
        'C' => 'С',
        'O' => 'О',
        'a' => 'а',
        'e' => 'е',
        'o' => 'о',
        other => other,
    };
    pattern
        .replace("{lower}", &id.to_lowercase())
        .replace("{upper}", &id.to_uppercase())
        .replace("{look}", &id.chars().map(look).collect::<String>())
        .replace("{wide}", &id.chars().map(wide).collect::<String>())
        .replace("{long}", &"A".repeat(10_000))
        .replace("{other}", other)
        .replace("{id}", id)
}

fn alike(cases: &mut Cases) {
    for (role, id, words) in BARRED {
        if *role == ContactRole::Unknown {
            continue;
        }
        let title =
            format!("A refusal tells nothing about {words}: it is that of an unknown one, byte for byte");
        cases.at(&Door::FOR_CONTACTS, (&format!("{id}-alike"), &title), "contract 1", |attempt| {
            let ask = |role: ContactRole| -> Result<Answer<'_>, Stop> {
                attempt.ask_for(&attempt.world.contact(role)?.id)?.send()
            };
            let unknown = ask(ContactRole::Unknown)?;
            let known = ask(*role)?;
            known.refused(&[Why::Grant])?;
            if unknown.looks() == known.looks() {
                return Ok(());
            }
            Err(Stop::fail(
                &known.sent,
                format_args!("{}, and for an unknown one {}", known.told(), unknown.told()),
            ))
        });
    }
}

fn other_kinds(cases: &mut Cases) {
    type Find = fn(&Attempt<'_>) -> Result<String, Stop>;
    let kinds: [(&str, &str, Find); 5] = [
        ("application-id-as-contact", "the application's own id", |attempt| {
            Ok(attempt.world.application(attempt.role())?.id.clone())
        }),
        ("other-application-id-as-contact", "another application's id", |attempt| {
            Ok(attempt.world.application(ApplicationRole::Other)?.id.clone())
        }),
        ("client-id-as-contact", "a client company's id", |attempt| {
            Ok(attempt.world.client(ClientRole::Listed)?.to_owned())
        }),
        ("resource-id-as-contact", "a resource's id", |attempt| {
            Ok(attempt.world.resource(ResourceRole::Default)?.id.clone())
        }),
        ("issuer-as-contact", "the issuer", |attempt| Ok(attempt.world.adapter.issuer.clone())),
    ];
    for (id, words, find) in kinds {
        let title = format!("Nobody gets a token for {words} taken for a contact");
        cases.at(&Door::FOR_CONTACTS, (id, &title), "RFC 9068 5; RFC 9700 4.15", move |attempt| {
            allowed(attempt)?;
            let answer = attempt.ask_for(&find(attempt)?)?.that(words).send()?;
            answer.refused(&[Why::Grant, Why::Request, Why::Http])
        });
    }
}

fn left_out(cases: &mut Cases) {
    let grants = [Door::JwtBearer, Door::TokenExchange];
    cases.at(
        &grants,
        ("subject-left-out", "Without a token that names the contact there is none"),
        "RFC 7523 2.1; RFC 8693 2.1",
        |attempt| {
            allowed(attempt)?;
            let ask = attempt.ask()?;
            let name = ask.subject_parameter().unwrap_or_default();
            ask.without(name).send()?.refused(&[Why::Request])
        },
    );
    cases.at(
        &grants,
        ("subject-empty", "With an empty token in the place of the one that names the contact there is none"),
        "RFC 6749 3.2; RFC 8693 2.1",
        |attempt| {
            allowed(attempt)?;
            attempt.ask()?.subject("").send()?.refused(&[Why::Request, Why::Grant])
        },
    );
    cases.at(
        &grants,
        ("subject-bare-id", "The contact's bare id in the place of a signed token is not taken"),
        "RFC 7523 3; RFC 8693 2.1",
        |attempt| {
            let contact = allowed(attempt)?;
            attempt.ask()?.subject(contact).send()?.refused(&[Why::Request, Why::Grant])
        },
    );
    cases.at(
        &[Door::ContactToken],
        ("contact-left-out", "Without a contact in the path there is no token"),
        "contract 1",
        |attempt| {
            allowed(attempt)?;
            attempt.ask_for("")?.send()?.refused(&[Why::Request, Why::Http])
        },
    );
}

/// Parameters that another server, or another reader of the request, might take for the contact.
const NAMES: &[&str] = &[
    "contact_id",
    "sub",
    "subject",
    "username",
    "user_id",
    "requested_subject",
    "login_hint",
    "on_behalf_of",
    "act_as",
    "impersonate",
    "principal",
    "requested_actor",
];

fn beside(cases: &mut Cases) {
    for name in NAMES {
        let id = format!("contact-in-{}", name.replace('_', "-"));
        let title = format!("A parameter `{name}` does not change whom the token is for");
        cases.at(&Door::FOR_CONTACTS, (&id, &title), "RFC 6749 3.2; contract 1", |attempt| {
            let honest = attempt.says(&attempt.ask()?.send()?.granted()?)?;
            let other = other_contact(attempt)?;
            let answer = attempt.ask()?.with(name, &other).send()?;
            answer.refused_or(&[Why::Request], |grant| attempt.says(&grant)?.within(&honest))
        });
    }
    for name in
        ["X-Contact-ID", "X-User", "X-Forwarded-User", "X-Remote-User", "X-Original-URL", "X-Rewrite-URL"]
    {
        let id = format!("contact-in-header-{}", name.to_lowercase());
        let title = format!("A header {name} does not change whom the token is for");
        cases.at(&Door::FOR_CONTACTS, (&id, &title), "RFC 9700 4.13", move |attempt| {
            let honest = attempt.says(&attempt.ask()?.send()?.granted()?)?;
            let other = other_contact(attempt)?;
            let value = if name.ends_with("URL") { format!("/token/{other}") } else { other };
            let answer = attempt.ask()?.header(name, &value).send()?;
            answer.refused_or(&[Why::Request, Why::Http], |grant| attempt.says(&grant)?.within(&honest))
        });
    }
    cases.at(
        &[Door::JwtBearer, Door::TokenExchange],
        (
            "act-in-assertion",
            "`act` and `may_act` that the application writes itself do not come into the token",
        ),
        "RFC 8693 4.1, 4.4",
        act_in_assertion,
    );
}

fn other_contact(attempt: &Attempt<'_>) -> Result<String, Stop> {
    let second = attempt.world.contact(ContactRole::SecondAllowed);
    second.or_else(|_| attempt.world.contact(ContactRole::OtherAllowed)).map(|contact| contact.id.clone())
}

fn act_in_assertion(attempt: &Attempt<'_>) -> Verdict {
    let honest = attempt.says(&attempt.ask()?.send()?.granted()?)?;
    let role = attempt.role();
    let contact = &attempt.world.contact(ContactRole::Allowed)?.id;
    let jwt = attempt.assertion(role, contact)?;
    let jwt = jwt.claim("act", json!({"sub": "administrator"})).claim("may_act", json!({"sub": "x"}));
    let token = jwt.signed(attempt.world.key(role)?);
    Slot::Grant
        .show(attempt, &token)?
        .refused_or(&[Why::Grant, Why::Request], |grant| attempt.says(&grant)?.within(&honest))
}
