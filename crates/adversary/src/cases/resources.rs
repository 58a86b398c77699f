//! Tokens at an API: the right one, once, for its own contact and client.

use crate::adapter::{ApplicationRole, ClientRole, ContactRole, Door, ResourceRole};
use crate::attempt::{Attempt, Call};
use crate::case::{Cases, Stop};

const RESOURCE: &[Door] = &[Door::Resource];

/// Shows that a token opens the API; the call.
fn open<'w>(attempt: &Attempt<'w>) -> Result<Call<'w>, Stop> {
    let call = attempt.call(ResourceRole::Default, &attempt.token()?.access_token)?;
    call.send()?.let_through()?;
    Ok(call)
}

pub(super) fn add(cases: &mut Cases) {
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
