//! HTTP itself: methods, framing, hosts, and headers that some proxies believe.

use crate::answer::Why;
use crate::attempt::{Attempt, Says};
use crate::case::{Cases, Stop};

const HTTP: &[Why] = &[Why::Http, Why::Request];

pub(super) fn add(cases: &mut Cases) {
    methods(cases);
    framing(cases);
    believed(cases);
}

fn honest(attempt: &Attempt<'_>) -> Result<Says, Stop> {
    attempt.says(&attempt.ask()?.send()?.granted()?)
}

fn methods(cases: &mut Cases) {
    for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "post", "POSTX"] {
        let small = if method == "post" { "-in-small-letters" } else { "" };
        let id = format!("method-{}{small}", method.to_lowercase());
        let title = format!("The method {method} gives no token");
        cases.at(&super::TOKEN_DOORS, (&id, &title), "RFC 6749 3.2; RFC 9110 9.1", move |attempt| {
            honest(attempt)?;
            let answer = attempt.ask()?.method(method).send()?;
            match answer.status() {
                // What OPTIONS may say is no token.
                200 | 204 if method == "OPTIONS" && answer.json()["access_token"].is_null() => Ok(()),
                501 | 505 => Ok(()),
                _ => answer.refused(HTTP),
            }
        });
    }
    for (header, words) in [
        ("X-HTTP-Method-Override", "a header that names another method"),
        ("X-Method-Override", "another header that names another method"),
    ] {
        let id = format!("method-by-{}", header.to_lowercase());
        let title = format!("GET with {words} gives no token");
        cases.at(&super::TOKEN_DOORS, (&id, &title), "RFC 6749 3.2", move |attempt| {
            honest(attempt)?;
            attempt.ask()?.method("GET").header(header, "POST").send()?.refused(HTTP)
        });
    }
}

fn framing(cases: &mut Cases) {
    let doors = &super::TOKEN_DOORS;
    // Heads that are not clear about where the body ends; the body is the honest one with a request behind it.
    type Head = (&'static str, &'static str, &'static [(&'static str, &'static str)]);
    let heads: [Head; 8] = [
        (
            "length-and-chunked",
            "a length and chunks at once",
            &[("Content-Length", "{length}"), ("Transfer-Encoding", "chunked")],
        ),
        ("two-lengths", "two lengths", &[("Content-Length", "{length}"), ("Content-Length", "0")]),
        ("length-list", "a list of lengths", &[("Content-Length", "{length}, 0")]),
        ("length-signed", "a length with a sign", &[("Content-Length", "+{length}")]),
        ("length-hex", "a hexadecimal length", &[("Content-Length", "0x10")]),
        ("length-negative", "a negative length", &[("Content-Length", "-1")]),
        ("chunked-capitals", "chunks under another name", &[("Transfer-Encoding", "xchunked")]),
        ("chunked-twice", "chunks in chunks", &[("Transfer-Encoding", "chunked, chunked")]),
    ];
    for (id, words, headers) in heads {
        let title = format!("A request with {words} gives no token");
        cases.at(doors, (id, &title), "RFC 9112 6.1, 6.3", move |attempt| {
            honest(attempt)?;
            let ask = attempt.ask()?;
            let body = ask.request()?.body.unwrap_or_default();
            let length = body.len().max(1).to_string();
            let mut ask = ask;
            for (name, value) in headers {
                ask = ask.header(name, value.replace("{length}", &length));
            }
            // An empty form would leave nothing to be unclear about.
            let body = if body.is_empty() { b"x=1".to_vec() } else { body };
            let typed = Some("application/x-www-form-urlencoded");
            let answer = ask.body(typed, body).send()?;
            if answer.status() == 501 { Ok(()) } else { answer.refused(HTTP) }
        });
    }
    type Spoil = fn(&str) -> String;
    let raw: [(&str, &str, &str, Spoil); 7] = [
        ("space-before-colon", "a space before a colon", "RFC 9112 5.1", |head| {
            head.replacen("Host:", "Host :", 1)
        }),
        ("folded-header", "a folded header", "RFC 9112 5.2", |head| {
            head.replacen("\r\n", "\r\nX-A: 1\r\n X-B: 2\r\n", 1)
        }),
        ("nul-in-header", "NUL in a header", "RFC 9110 5.5", |head| {
            head.replacen("\r\n", "\r\nX-A: a\0b\r\n", 1)
        }),
        ("no-host", "no host", "RFC 9112 3.2", |head| {
            head.split("\r\n").filter(|line| !line.starts_with("Host:")).collect::<Vec<_>>().join("\r\n")
        }),
        ("old-http", "HTTP/0.9", "RFC 9112 2.3", |head| head.replacen(" HTTP/1.1", "", 1)),
        ("new-http", "HTTP/3.7", "RFC 9112 2.3", |head| head.replacen(" HTTP/1.1", " HTTP/3.7", 1)),
        ("bare-return", "carriage returns alone", "RFC 9112 2.2", |head| head.replace("\r\n", "\r")),
    ];
    for (id, words, source, spoil) in raw {
        let title = format!("A request with {words} gives no token, or the honest one");
        cases.at(doors, (id, &title), source, move |attempt| {
            let honest = honest(attempt)?;
            let ask = attempt.ask()?;
            let bytes = crate::wire::bytes(&ask.request()?);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
            let sent = format!("{}\r\n\r\n{body}", spoil(head));
            // Bytes that are no request may be waited for; the end of what we send ends that.
            let answer = ask.that(words).send_bytes(sent.as_bytes())?;
            match answer.status() {
                501 | 505 => Ok(()),
                _ => answer.refused_or(HTTP, |grant| attempt.says(&grant)?.within(&honest)),
            }
        });
    }
    cases.at(doors, ("two-hosts", "A request with two hosts gives no token"), "RFC 9112 3.2", |attempt| {
        honest(attempt)?;
        attempt.ask()?.header("Host", "one.example").header("Host", "two.example").send()?.refused(HTTP)
    });
    cases.at(
        doors,
        ("many-headers", "A request with a thousand headers gives no token, or the honest one"),
        "RFC 6585 5",
        |attempt| {
            let honest = honest(attempt)?;
            let mut ask = attempt.ask()?;
            for number in 0..1_000 {
                ask = ask.header(&format!("X-{number}"), "1");
            }
            ask.send()?.refused_or(HTTP, |grant| attempt.says(&grant)?.within(&honest))
        },
    );
    cases.at(
        doors,
        (
            "long-header",
            "A request with a header of a hundred thousand bytes gives no token, or the honest one",
        ),
        "RFC 6585 5",
        |attempt| {
            let honest = honest(attempt)?;
            let answer = attempt.ask()?.header("X-Long", "a".repeat(100_000)).send()?;
            answer.refused_or(HTTP, |grant| attempt.says(&grant)?.within(&honest))
        },
    );
}

/// Headers that some server behind some proxy believes.
const BELIEVED: &[(&str, &str)] = &[
    ("Host", "evil.example"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Proto", "http"),
    ("X-Forwarded-For", "127.0.0.1"),
    ("X-Forwarded-Prefix", "/admin"),
    ("Forwarded", "for=127.0.0.1;host=evil.example;proto=http"),
    ("X-Real-IP", "127.0.0.1"),
    ("X-Original-Host", "evil.example"),
    ("Origin", "https://evil.example"),
    ("Referer", "https://evil.example/"),
    ("Cookie", "session=admin; admin=1"),
    ("X-API-Key", "admin"),
    ("Content-Encoding", "gzip"),
    ("Expect", "100-continue"),
    ("Upgrade", "h2c"),
    ("Range", "bytes=0-10"),
    ("Accept", "text/html"),
    ("Accept", "application/xml;q=1, application/json;q=0"),
    ("Accept-Encoding", "identity;q=0"),
    ("Accept-Language", "../../etc/passwd"),
    ("If-None-Match", "*"),
    ("Prefer", "respond-async"),
];

fn believed(cases: &mut Cases) {
    for (at, &(name, value)) in BELIEVED.iter().enumerate() {
        let again = BELIEVED[..at].iter().any(|(before, _)| *before == name);
        let id = format!("header-{}{}", name.to_lowercase(), if again { "-second" } else { "" });
        let title = format!("A header {name} changes nothing that the token says");
        cases.at(&super::TOKEN_DOORS, (&id, &title), "RFC 9700 4.13; RFC 9110 5.1", move |attempt| {
            let honest = honest(attempt)?;
            let answer = attempt.ask()?.header(name, value).send()?;
            let whys = &[Why::Http, Why::Request];
            let allowed = answer.header("access-control-allow-credentials").is_some();
            if name == "Origin" && allowed {
                return Err(Stop::fail(&answer.sent, "pages of any site may read the answer"));
            }
            answer.refused_or(whys, |grant| {
                let says = attempt.says(&grant)?;
                says.within(&honest)?;
                if says.claims["iss"] != honest.claims["iss"] {
                    return Err(Stop::fail(&grant.sent, "a token with another issuer"));
                }
                Ok(())
            })
        });
    }
}
