//! Tokens that their holder signed, and that say what they must not.

use procura_jose::base64url;
use serde_json::{Value, json};

use super::forged::capital;
use super::slots::Slot;
use crate::adapter::{ApplicationRole, ContactRole, Door};
use crate::attempt::Attempt;
use crate::case::{Cases, Stop, Verdict};
use crate::clock::now;
use crate::jwt::{Jwt, compact};
use crate::keys::{Key, unique};

/// What a token says wrongly: its name, what must hold of "it", the source, the slots, and the token.
type Lie = (&'static str, &'static str, &'static str, &'static [Slot], Tell);

/// Writes the token. `None` where this one can't say so.
type Tell = fn(&Attempt<'_>, Jwt, &Key) -> Option<String>;

const ASSERTIONS: &[Slot] = &[Slot::Grant, Slot::Client];
const GRANTS: &[Slot] = &[Slot::Grant];
const CLIENTS: &[Slot] = &[Slot::Client];
const ALL: &[Slot] = &[Slot::Grant, Slot::Client, Slot::Proof];
const PROOFS: &[Slot] = &[Slot::Proof];

/// A simple one: another value of a claim.
macro_rules! claim {
    ($name:literal, $($value:tt)+) => {
        |_, jwt, key| Some(jwt.claim($name, json!($($value)+)).signed(key))
    };
}

/// And another value in the header.
macro_rules! head {
    ($name:literal, $($value:tt)+) => {
        |_, jwt, key| Some(jwt.head($name, json!($($value)+)).signed(key))
    };
}

const LIES: &[Lie] = &[
    ("iss-missing", "without iss", "RFC 7523 3", ASSERTIONS, claim!("iss", Value::Null)),
    ("iss-other", "whose iss is another application", "RFC 7523 3", ASSERTIONS, |attempt, jwt, key| {
        let other = attempt.world.application(ApplicationRole::Other).ok()?;
        Some(jwt.claim("iss", json!(other.id)).signed(key))
    }),
    (
        "iss-unknown",
        "whose iss nobody knows",
        "RFC 7523 3",
        ASSERTIONS,
        claim!("iss", "https://stranger.example"),
    ),
    ("iss-list", "whose iss is a list", "RFC 7519 4.1.1", ASSERTIONS, |_, jwt, key| {
        let own = jwt.claims["iss"].clone();
        Some(jwt.claim("iss", json!([own])).signed(key))
    }),
    ("iss-server", "whose iss is the server", "RFC 7523 3", ASSERTIONS, |attempt, jwt, key| {
        Some(jwt.claim("iss", json!(attempt.world.adapter.issuer)).signed(key))
    }),
    ("sub-missing", "without sub", "RFC 7523 3", ASSERTIONS, claim!("sub", Value::Null)),
    ("sub-empty", "with an empty sub", "RFC 7523 3", ASSERTIONS, claim!("sub", "")),
    ("sub-number", "whose sub is a number", "RFC 7519 4.1.2", ASSERTIONS, claim!("sub", 0)),
    ("sub-boolean", "whose sub is true", "RFC 7519 4.1.2", ASSERTIONS, claim!("sub", true)),
    ("sub-list", "whose sub is a list", "RFC 7519 4.1.2", ASSERTIONS, |_, jwt, key| {
        let own = jwt.claims["sub"].clone();
        Some(jwt.claim("sub", json!([own])).signed(key))
    }),
    (
        "sub-object",
        "whose sub is an object that a query might read",
        "RFC 7519 4.1.2",
        ASSERTIONS,
        claim!("sub", {"$ne": null}),
    ),
    (
        "sub-other-application",
        "whose sub is another application",
        "RFC 7523 3",
        CLIENTS,
        |attempt, jwt, key| {
            let other = attempt.world.application(ApplicationRole::Other).ok()?;
            Some(jwt.claim("sub", json!(other.id)).signed(key))
        },
    ),
    ("sub-contact", "whose sub is a contact", "RFC 7523 3", CLIENTS, |attempt, jwt, key| {
        let contact = attempt.world.contact(ContactRole::Allowed).ok()?;
        Some(jwt.claim("sub", json!(contact.id)).signed(key))
    }),
    ("sub-application", "whose sub is the application itself", "RFC 7523 3", GRANTS, |_, jwt, key| {
        let own = jwt.claims["iss"].clone();
        Some(jwt.claim("sub", own).signed(key))
    }),
    ("aud-missing", "without aud", "RFC 7523 3", ASSERTIONS, claim!("aud", Value::Null)),
    ("aud-empty", "with an empty aud", "RFC 7523 3", ASSERTIONS, claim!("aud", "")),
    (
        "aud-empty-list",
        "whose aud is an empty list",
        "RFC 7523 3; CVE-2020-26160",
        ASSERTIONS,
        claim!("aud", []),
    ),
    ("aud-other", "for another server", "RFC 7523 3", ASSERTIONS, claim!("aud", "https://other.example")),
    (
        "aud-two",
        "for this server and another",
        "draft-ietf-oauth-rfc7523bis 4; CVE-2025-27371",
        ASSERTIONS,
        |_, jwt, key| {
            let own = jwt.claims["aud"].clone();
            Some(jwt.claim("aud", json!([own, "https://other.example"])).signed(key))
        },
    ),
    ("aud-list", "whose aud is a list of one", "draft-ietf-oauth-rfc7523bis 4", ASSERTIONS, |_, jwt, key| {
        let own = jwt.claims["aud"].clone();
        Some(jwt.claim("aud", json!([own])).signed(key))
    }),
    (
        "aud-endpoint",
        "for the URL that is asked",
        "draft-ietf-oauth-rfc7523bis 4; CVE-2025-27371",
        ASSERTIONS,
        |attempt, jwt, key| {
            let contact = attempt.world.contact(ContactRole::Allowed).ok()?;
            let url = attempt.url(ApplicationRole::Signing, &contact.id).ok()?;
            Some(jwt.claim("aud", json!(url)).signed(key))
        },
    ),
    ("aud-slash", "for the issuer with a slash more", "RFC 8725 3.9", ASSERTIONS, |_, jwt, key| {
        let own = format!("{}/", jwt.claims["aud"].as_str()?);
        Some(jwt.claim("aud", json!(own)).signed(key))
    }),
    ("aud-capitals", "for the issuer in capitals", "RFC 8725 3.9", ASSERTIONS, |_, jwt, key| {
        let own = jwt.claims["aud"].as_str()?.to_uppercase();
        Some(jwt.claim("aud", json!(own)).signed(key))
    }),
    (
        "aud-prefix",
        "for a host whose name begins with the issuer's",
        "RFC 8725 3.9",
        ASSERTIONS,
        |_, jwt, key| {
            let own = format!("{}.evil.example", jwt.claims["aud"].as_str()?);
            Some(jwt.claim("aud", json!(own)).signed(key))
        },
    ),
    ("aud-application", "for the application itself", "RFC 7523 3", ASSERTIONS, |_, jwt, key| {
        let own = jwt.claims["iss"].clone();
        Some(jwt.claim("aud", own).signed(key))
    }),
    ("exp-missing", "without exp", "RFC 7523 3", ASSERTIONS, claim!("exp", Value::Null)),
    ("exp-past", "that has expired", "RFC 7523 3", ASSERTIONS, claim!("exp", now() - 1)),
    ("exp-long-past", "that expired long ago", "RFC 7523 3", ASSERTIONS, claim!("exp", 1)),
    ("exp-zero", "whose exp is 0", "RFC 7523 3", ASSERTIONS, claim!("exp", 0)),
    ("exp-negative", "whose exp is negative", "RFC 7519 4.1.4", ASSERTIONS, claim!("exp", -1)),
    (
        "exp-text",
        "whose exp is a text",
        "RFC 7519 4.1.4",
        ASSERTIONS,
        claim!("exp", (now() + 60).to_string()),
    ),
    ("exp-far", "that lives a year", "RFC 7523 3", ASSERTIONS, claim!("exp", now() + 31_536_000)),
    ("exp-far-hour", "that lives an hour", "contract 6", ASSERTIONS, claim!("exp", now() + 3_600)),
    ("exp-huge", "whose exp no clock can hold", "RFC 7519 4.1.4", ASSERTIONS, claim!("exp", 1e300)),
    ("exp-list", "whose exp is a list", "RFC 7519 4.1.4", ASSERTIONS, claim!("exp", [now() + 60])),
    ("nbf-future", "that is not in force yet", "RFC 7523 3", ASSERTIONS, claim!("nbf", now() + 3_600)),
    ("nbf-text", "whose nbf is a text", "RFC 7519 4.1.5", ASSERTIONS, claim!("nbf", "now")),
    ("iat-future", "from the future", "contract 6", ALL, claim!("iat", now() + 3_600)),
    ("iat-old", "that was written an hour ago", "contract 6", ALL, claim!("iat", now() - 3_600)),
    ("iat-text", "whose iat is a text", "RFC 7519 4.1.6", ALL, claim!("iat", "now")),
    ("iat-huge", "whose iat no clock can hold", "RFC 7519 4.1.6", ALL, claim!("iat", 1e300)),
    ("jti-missing", "without jti", "RFC 7523 3", ALL, claim!("jti", Value::Null)),
    ("jti-empty", "with an empty jti", "contract 6", ALL, claim!("jti", "")),
    ("jti-number", "whose jti is a number", "RFC 7519 4.1.7", ALL, claim!("jti", 7)),
    ("jti-list", "whose jti is a list", "RFC 7519 4.1.7", ALL, claim!("jti", ["a"])),
    ("typ-access-token", "that calls itself an access token", "RFC 8725 3.11", ALL, head!("typ", "at+jwt")),
    ("typ-proof", "that calls itself a DPoP proof", "RFC 8725 3.11", ASSERTIONS, head!("typ", "dpop+jwt")),
    ("typ-number", "whose typ is a number", "RFC 7515 4.1.9", ALL, head!("typ", 1)),
    (
        "typ-client-assertion",
        "that calls itself a client assertion",
        "RFC 8725 3.11",
        &[Slot::Grant, Slot::Proof],
        head!("typ", "client-authentication+jwt"),
    ),
    (
        "typ-grant",
        "that calls itself a grant",
        "RFC 8725 3.11",
        &[Slot::Client, Slot::Proof],
        head!("typ", "authorization-grant+jwt"),
    ),
    (
        "typ-plain",
        "that does not say that it is one",
        "RFC 8725 3.11",
        &[Slot::Grant, Slot::Proof],
        head!("typ", "JWT"),
    ),
    ("typ-missing", "without typ", "RFC 8725 3.11", &[Slot::Grant, Slot::Proof], head!("typ", Value::Null)),
    (
        "crit-unknown",
        "with an extension that must be understood",
        "RFC 7515 4.1.11; CVE-2025-59420",
        ALL,
        |_, jwt, key| Some(jwt.head("crit", json!(["bork"])).head("bork", json!(1)).signed(key)),
    ),
    ("crit-b64", "with an unencoded payload said to be critical", "RFC 7797 6", ALL, |_, jwt, key| {
        Some(jwt.head("crit", json!(["b64"])).head("b64", json!(true)).signed(key))
    }),
    ("crit-empty", "with an empty list of extensions", "RFC 7515 4.1.11", ALL, head!("crit", [])),
    ("crit-known", "that says that exp is an extension", "RFC 7515 4.1.11", ALL, head!("crit", ["exp"])),
    ("duplicate-alg", "that names alg twice", "RFC 7515 5.2", ALL, |_, jwt, key| {
        let header = jwt.header.to_string();
        let header = format!("{},\"alg\":\"none\"}}", header.trim_end_matches('}'));
        plain_header(&jwt.header).then(|| text(&header, &jwt.claims.to_string(), key))
    }),
    ("duplicate-typ", "that names typ twice", "RFC 7515 5.2", ALL, |_, jwt, key| {
        let header = jwt.header.to_string().replacen('{', "{\"typ\":\"at+jwt\",", 1);
        Some(text(&header, &jwt.claims.to_string(), key))
    }),
    ("duplicate-sub", "that names sub twice", "RFC 7519 4", ASSERTIONS, |attempt, jwt, key| {
        let other = attempt.world.contact(ContactRole::OtherAllowed).map(|contact| contact.id.clone());
        let other = other.unwrap_or_else(|_| "somebody-else".to_owned());
        let claims = jwt.claims.to_string();
        let claims = format!("{},\"sub\":{}}}", claims.trim_end_matches('}'), json!(other));
        Some(text(&jwt.header.to_string(), &claims, key))
    }),
    (
        "duplicate-sub-equal",
        "that names sub twice with one value",
        "RFC 7519 4",
        ASSERTIONS,
        |_, jwt, key| {
            let claims = jwt.claims.to_string();
            let claims = format!("{},\"sub\":{}}}", claims.trim_end_matches('}'), jwt.claims["sub"]);
            Some(text(&jwt.header.to_string(), &claims, key))
        },
    ),
    ("duplicate-aud", "that names aud twice", "RFC 7519 4", ASSERTIONS, |_, jwt, key| {
        let claims = jwt.claims.to_string().replacen('{', "{\"aud\":\"https://other.example\",", 1);
        Some(text(&jwt.header.to_string(), &claims, key))
    }),
    ("duplicate-exp", "that names exp twice", "RFC 7519 4", ASSERTIONS, |_, jwt, key| {
        let claims = jwt.claims.to_string().replacen('{', "{\"exp\":1,", 1);
        Some(text(&jwt.header.to_string(), &claims, key))
    }),
    ("duplicate-jti", "that names jti twice", "RFC 7519 4", ALL, |_, jwt, key| {
        let claims = jwt.claims.to_string().replacen('{', &format!("{{\"jti\":\"{}\",", unique()), 1);
        Some(text(&jwt.header.to_string(), &claims, key))
    }),
    (
        "duplicate-escaped",
        "that names jti twice, once escaped",
        "RFC 7519 4; RFC 8259 4",
        ALL,
        |_, jwt, key| {
            let twice = format!("{{\"\\u006ati\":\"{}\",", unique());
            Some(text(&jwt.header.to_string(), &jwt.claims.to_string().replacen('{', &twice, 1), key))
        },
    ),
    ("claims-list", "whose claims are a list", "RFC 7519 7.2", ALL, |_, jwt, key| {
        Some(text(&jwt.header.to_string(), &json!([jwt.claims]).to_string(), key))
    }),
    ("claims-text", "whose claims are a text", "RFC 7519 7.2", ALL, |_, jwt, key| {
        Some(text(&jwt.header.to_string(), &json!(jwt.claims.to_string()).to_string(), key))
    }),
    ("claims-trailing", "with more behind its claims", "RFC 7519 7.2", ALL, |_, jwt, key| {
        Some(text(&jwt.header.to_string(), &format!("{}{{}}", jwt.claims), key))
    }),
    ("claims-bom", "whose claims begin with a byte order mark", "RFC 8259 8.1", ALL, |_, jwt, key| {
        Some(text(&jwt.header.to_string(), &format!("\u{feff}{}", jwt.claims), key))
    }),
    ("claims-latin1", "whose claims are not UTF-8", "RFC 7519 7.2", ALL, |_, jwt, key| {
        let mut claims = jwt.claims.to_string().replacen('{', "{\"x\":\"!\",", 1).into_bytes();
        let at = claims.iter().position(|byte| *byte == b'!')?;
        claims[at] = 0xe9;
        Some(compact(jwt.header.to_string().as_bytes(), &claims, |message| key.sign(message)))
    }),
    ("unencoded", "whose claims are not encoded at all", "RFC 7797 5", ALL, |_, jwt, key| {
        let message = format!("{}.{}", base64url::encode(jwt.header.to_string().as_bytes()), jwt.claims);
        Some(format!("{message}.{}", base64url::encode(&key.sign(message.as_bytes()))))
    }),
    ("htm-other", "for another method", "RFC 9449 4.3", PROOFS, claim!("htm", "GET")),
    ("htm-lower-case", "for a method in small letters", "RFC 9449 4.3", PROOFS, claim!("htm", "post")),
    ("htm-missing", "without htm", "RFC 9449 4.2", PROOFS, claim!("htm", Value::Null)),
    ("htm-list", "for several methods", "RFC 9449 4.2", PROOFS, claim!("htm", ["POST", "GET"])),
    ("htu-other-path", "for another endpoint", "RFC 9449 4.3", PROOFS, |_, jwt, key| {
        let url = format!("{}/other", jwt.claims["htu"].as_str()?);
        Some(jwt.claim("htu", json!(url)).signed(key))
    }),
    (
        "htu-other-host",
        "for another server",
        "RFC 9449 4.3",
        PROOFS,
        claim!("htu", "https://other.example/token"),
    ),
    (
        "htu-host-suffix",
        "for a host whose name begins like this one's",
        "RFC 9449 4.3",
        PROOFS,
        |_, jwt, key| {
            let url = jwt.claims["htu"].as_str()?;
            let (scheme, rest) = url.split_once("://")?;
            let (host, path) = rest.split_once('/')?;
            Some(
                jwt.clone().claim("htu", json!(format!("{scheme}://{host}.evil.example/{path}"))).signed(key),
            )
        },
    ),
    ("htu-userinfo", "for another host behind this one's name", "RFC 9449 4.3", PROOFS, |_, jwt, key| {
        let url = jwt.claims["htu"].as_str()?;
        let (scheme, rest) = url.split_once("://")?;
        let (host, path) = rest.split_once('/')?;
        Some(jwt.clone().claim("htu", json!(format!("{scheme}://{host}@evil.example/{path}"))).signed(key))
    }),
    ("htu-missing", "without htu", "RFC 9449 4.2", PROOFS, claim!("htu", Value::Null)),
    ("htu-relative", "for a path alone", "RFC 9449 4.2", PROOFS, |attempt, jwt, key| {
        let path = attempt.ask_as(ApplicationRole::Dpop).ok()?.path();
        Some(jwt.claim("htu", json!(path)).signed(key))
    }),
    ("htu-list", "for several URLs", "RFC 9449 4.2", PROOFS, |_, jwt, key| {
        let own = jwt.claims["htu"].clone();
        Some(jwt.claim("htu", json!([own])).signed(key))
    }),
    ("htu-scheme", "for the same place by another scheme", "RFC 9449 4.3", PROOFS, |_, jwt, key| {
        let url = jwt.claims["htu"].as_str()?;
        let (scheme, rest) = url.split_once("://")?;
        let other = if scheme == "https" { "http" } else { "https" };
        Some(jwt.clone().claim("htu", json!(format!("{other}://{rest}"))).signed(key))
    }),
    ("iat-missing", "without iat", "RFC 9449 4.2", PROOFS, claim!("iat", Value::Null)),
    (
        "iat-two-minutes-old",
        "that was made two minutes ago",
        "RFC 9449 11.1",
        PROOFS,
        claim!("iat", now() - 120),
    ),
    (
        "nonce-invented",
        "with a nonce that the server never gave",
        "RFC 9449 8",
        PROOFS,
        // Where none is demanded, the server gives none, and what it did not give says nothing.
        |attempt, jwt, key| {
            attempt.world.nonce.borrow().as_ref()?;
            Some(jwt.clone().claim("nonce", json!("invented")).signed(key))
        },
    ),
    ("nonce-number", "whose nonce is a number", "RFC 9449 4.2", PROOFS, claim!("nonce", 1)),
    ("jwk-missing", "without its key", "RFC 9449 4.3", PROOFS, head!("jwk", Value::Null)),
    ("jwk-private", "that shows its private key", "RFC 9449 4.3", PROOFS, |_, jwt, key| {
        Some(jwt.head("jwk", key.private_jwk()).signed(key))
    }),
    ("jwk-symmetric", "whose key is a shared secret", "RFC 9449 4.3", PROOFS, |_, jwt, _| {
        let jwt = jwt.head("alg", json!("HS256")).head("jwk", json!({"kty": "oct", "k": "c2VjcmV0"}));
        Some(jwt.signed_by(|message| crate::keys::hs256(b"secret", message)))
    }),
    ("jwk-text", "whose key is a text", "RFC 9449 4.3", PROOFS, |_, jwt, key| {
        let own = jwt.header["jwk"].to_string();
        Some(jwt.head("jwk", json!(own)).signed(key))
    }),
    ("jwk-off-curve", "whose key is no point of its curve", "RFC 8725 3.4", PROOFS, |_, jwt, key| {
        let mut jwk = key.bare_jwk();
        jwk["y"] = jwk["x"].clone();
        Some(jwt.head("jwk", jwk).signed(key))
    }),
    ("kid-only", "that names its key by kid alone", "RFC 9449 4.3", PROOFS, |_, jwt, key| {
        Some(jwt.head("jwk", Value::Null).head("kid", json!(key.kid())).signed(key))
    }),
    ("rs256", "signed with RS256", "RFC 8725 3.2; FAPI 2.0 5.4.1", ALL, |attempt, jwt, _| {
        let rsa = attempt.world.strangers.rsa.with_algorithm(procura_jose::Algorithm::Rs256)?;
        let jwt = jwt.head("alg", json!("RS256"));
        let jwt = if jwt.header["jwk"].is_object() { jwt.head("jwk", rsa.bare_jwk()) } else { jwt };
        Some(jwt.signed(&rsa))
    }),
];

pub(super) fn add(cases: &mut Cases) {
    for lie in LIES {
        let (name, title, source, slots, _) = lie;
        for slot in *slots {
            let id = format!("{}-{name}", slot.name());
            let title = format!("{} {title} is not taken", capital(slot.words()));
            cases.at(slot.doors(), (&id, &title), source, |attempt| run(attempt, *slot, lie));
        }
    }
    let grants = [Door::JwtBearer, Door::TokenExchange];
    cases.at(
        &grants,
        (
            "grant-of-another-application",
            "A token that names the contact, signed and named by another application, is not taken",
        ),
        "RFC 7523 3",
        |attempt| {
            Slot::Grant.control(attempt)?;
            let other = ApplicationRole::Other;
            let contact = &attempt.world.contact(ContactRole::Allowed)?.id;
            let jwt = attempt.assertion(other, contact)?.signed(attempt.world.key(other)?);
            Slot::Grant.judge(attempt, &Slot::Grant.show(attempt, &jwt)?)
        },
    );
    cases.at(
        &grants,
        (
            "grant-key-of-another-application",
            "A token that names the contact, signed by another application's key, is not taken",
        ),
        "RFC 7523 3",
        |attempt| {
            Slot::Grant.control(attempt)?;
            let contact = &attempt.world.contact(ContactRole::Allowed)?.id;
            let key = attempt.world.key(ApplicationRole::Other)?;
            let jwt = attempt.assertion(attempt.role(), contact)?;
            let jwt = jwt.head("kid", json!(key.kid())).signed(key);
            Slot::Grant.judge(attempt, &Slot::Grant.show(attempt, &jwt)?)
        },
    );
    cases.at(
        Slot::Client.doors(),
        (
            "client-assertion-key-of-another-application",
            "An assertion signed by another application's key does not prove this one",
        ),
        "RFC 7523 3",
        |attempt| {
            Slot::Client.control(attempt)?;
            let key = attempt.world.key(ApplicationRole::Other)?;
            let jwt = attempt.client_assertion(ApplicationRole::Signing)?;
            let jwt = jwt.head("kid", json!(key.kid())).signed(key);
            Slot::Client.judge(attempt, &Slot::Client.show(attempt, &jwt)?)
        },
    );
}

fn run(attempt: &Attempt<'_>, slot: Slot, (name, title, _, _, tell): &Lie) -> Verdict {
    slot.control(attempt)?;
    let honest = slot.honest(attempt)?;
    let key = honest.key.ok_or_else(|| Stop::skip("the key of these tokens is not in the adapter"))?;
    let token = tell(attempt, honest.jwt, key).ok_or_else(|| {
        Stop::skip(format_args!("adapter or server have nothing that `{name}` says wrongly"))
    })?;
    let answer = slot.show(attempt, &token)?;
    slot.judge(attempt, &answer).map_err(|stop| match stop {
        Stop::Fail { sent, came } => Stop::fail(format_args!("{sent}; a token {title}"), came),
        other => other,
    })
}

fn text(header: &str, claims: &str, key: &Key) -> String {
    compact(header.as_bytes(), claims.as_bytes(), |message| key.sign(message))
}

/// Whether the header ends with its own brace and not with that of a member.
fn plain_header(header: &Value) -> bool {
    !header["jwk"].is_object() || !header.to_string().ends_with("}}")
}
