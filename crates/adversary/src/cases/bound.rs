//! Bound tokens at an API: nothing without the key or the certificate.

use serde_json::{Value, json};

use crate::adapter::{ApplicationRole, Door, ResourceRole};
use crate::attempt::{Attempt, Call};
use crate::case::{Cases, Stop, Verdict};
use crate::clock::now;
use crate::jwt::Jwt;
use crate::keys::Key;

const RESOURCE: &[Door] = &[Door::Resource];
const DPOP: ApplicationRole = ApplicationRole::Dpop;

type Spoil = fn(Jwt, &Key, &Attempt<'_>) -> String;

/// Proofs that must not open an API: name, words, source.
const WRONG: &[(&str, &str, &str, Spoil)] = &[
    ("without-ath", "that names no token", "RFC 9449 4.3, 7", |proof, key, _| {
        proof.claim("ath", Value::Null).signed(key)
    }),
    ("other-ath", "for another token", "RFC 9449 4.3, 7", |proof, key, _| {
        proof.claim("ath", json!("fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo")).signed(key)
    }),
    ("empty-ath", "with an empty ath", "RFC 9449 4.3, 7", |proof, key, _| {
        proof.claim("ath", json!("")).signed(key)
    }),
    ("other-key", "of another key", "RFC 9449 7.1", |proof, _, attempt| {
        let other = &attempt.world.strangers.ec;
        proof.head("jwk", other.bare_jwk()).signed(other)
    }),
    (
        "key-of-another-shown",
        "of another key that shows the right one",
        "RFC 9449 4.3",
        |proof, _, attempt| proof.signed(&attempt.world.strangers.ec),
    ),
    ("other-method", "for another method", "RFC 9449 4.3", |proof, key, _| {
        proof.claim("htm", json!("POST")).signed(key)
    }),
    ("other-url", "for another URL", "RFC 9449 4.3", |proof, key, _| {
        proof.claim("htu", json!("https://other.example/api")).signed(key)
    }),
    ("other-path", "for another path of the API", "RFC 9449 4.3", |proof, key, _| {
        let url = format!("{}/more", proof.claims["htu"].as_str().unwrap_or_default());
        proof.claim("htu", json!(url)).signed(key)
    }),
    ("old", "that is two minutes old", "RFC 9449 11.1", |proof, key, _| {
        proof.claim("iat", json!(now() - 120)).signed(key)
    }),
    ("future", "from the future", "RFC 9449 11.1", |proof, key, _| {
        proof.claim("iat", json!(now() + 3_600)).signed(key)
    }),
    ("without-iat", "without iat", "RFC 9449 4.2", |proof, key, _| {
        proof.claim("iat", Value::Null).signed(key)
    }),
    ("without-jti", "without jti", "RFC 9449 4.2", |proof, key, _| {
        proof.claim("jti", Value::Null).signed(key)
    }),
    ("other-typ", "that does not say that it is one", "RFC 9449 4.2", |proof, key, _| {
        proof.head("typ", json!("JWT")).signed(key)
    }),
    ("unsigned", "without a signature", "RFC 9449 4.3", |proof, _, _| {
        proof.head("alg", json!("none")).signed_by(|_| Vec::new())
    }),
    ("private-key", "that shows its private key", "RFC 9449 4.3", |proof, key, _| {
        proof.head("jwk", key.private_jwk()).signed(key)
    }),
    ("symmetric", "whose key is a shared secret", "RFC 9449 4.3", |proof, _, _| {
        let proof = proof.head("alg", json!("HS256")).head("jwk", json!({"kty": "oct", "k": "c2VjcmV0"}));
        proof.signed_by(|message| crate::keys::hs256(b"secret", message))
    }),
    ("broken", "that is nonsense", "RFC 9449 4.3", |_, _, _| "nonsense".to_owned()),
];

pub(super) fn add(cases: &mut Cases) {
    for (id, words, source, spoil) in WRONG {
        let id = format!("dpop-{id}");
        let title = format!("A bound token with a proof {words} is not taken");
        cases.at(RESOURCE, (&id, &title), source, |attempt| {
            let (call, key) = honest(attempt)?;
            let proof = spoil(call.dpop(key), key, attempt);
            call.scheme("DPoP").header("DPoP", proof).send()?.barred()
        });
    }
    cases.at(
        RESOURCE,
        ("dpop-none", "A bound token without a proof is not taken"),
        "RFC 9449 7.1",
        |attempt| honest(attempt)?.0.scheme("DPoP").send()?.barred(),
    );
    cases.at(
        RESOURCE,
        ("dpop-as-bearer", "A bound token is not taken as a bearer token"),
        "RFC 9449 7.2",
        |attempt| honest(attempt)?.0.send()?.barred(),
    );
    cases.at(
        RESOURCE,
        ("dpop-as-bearer-with-proof", "A bound token is not taken as a bearer token, proof or not"),
        "RFC 9449 7.2",
        |attempt| {
            let (call, key) = honest(attempt)?;
            let proof = call.dpop(key).signed(key);
            call.header("DPoP", proof).send()?.barred()
        },
    );
    cases.at(RESOURCE, ("dpop-two", "Two proofs are not taken"), "RFC 9449 4.3", |attempt| {
        let (call, key) = honest(attempt)?;
        let (one, two) = (call.dpop(key).signed(key), call.dpop(key).signed(key));
        call.scheme("DPoP").header("DPoP", one).header("DPoP", two).send()?.barred()
    });
    cases.at(
        RESOURCE,
        ("dpop-replayed", "A proof that was used is not taken again"),
        "RFC 9449 11.1",
        |attempt| {
            let (call, key) = honest(attempt)?;
            let call = call.clone().scheme("DPoP").header("DPoP", call.dpop(key).signed(key));
            call.send()?.let_through()?;
            call.send()?.barred()
        },
    );
    cases.at(
        RESOURCE,
        ("dpop-both-schemes", "A token under both schemes at once is not taken"),
        "RFC 9449 7.2",
        |attempt| {
            let (call, key) = honest(attempt)?;
            let proof = call.dpop(key).signed(key);
            let bearer = format!("Bearer {}", attempt.token()?.access_token);
            call.scheme("DPoP").header("Authorization", bearer).header("DPoP", proof).send()?.barred()
        },
    );
    cases.at(
        RESOURCE,
        ("bearer-as-dpop", "A token that is not bound is not taken under DPoP"),
        "RFC 9449 7.1",
        |attempt| {
            let (_, key) = honest(attempt)?;
            let call = attempt.call(ResourceRole::Default, &attempt.token()?.access_token)?;
            call.send()?.let_through()?;
            let proof = call.dpop(key).signed(key);
            call.scheme("DPoP").header("DPoP", proof).send()?.barred()
        },
    );
    by_certificate(cases);
}

/// Shows that a bound token is taken with a proof; the call without one, and the key.
fn honest<'w>(attempt: &Attempt<'w>) -> Result<(Call<'w>, &'w Key), Stop> {
    let key = attempt.world.proof_key(DPOP)?;
    let grant = attempt.there()?.ask_as(DPOP)?.send()?.granted()?;
    let call = attempt.call(ResourceRole::Default, &grant.access_token)?;
    let proof = call.dpop(key).signed(key);
    call.clone().scheme("DPoP").header("DPoP", proof).send()?.let_through()?;
    Ok((call, key))
}

fn by_certificate(cases: &mut Cases) {
    for (role, of) in
        [(ApplicationRole::Certificate, "certificate"), (ApplicationRole::TwoFactors, "two-factors")]
    {
        let cut = move |attempt: &Attempt<'_>| -> Result<String, Stop> {
            if !attempt.world.application(role)?.certificate_bound {
                return Err(Stop::skip(format_args!(
                    "`applications.{role}` has no `certificate_bound = true`"
                )));
            }
            let grant = attempt.there()?.ask_as(role)?.send()?.granted()?;
            let call = attempt.call(ResourceRole::Default, &grant.access_token)?;
            call.by_certificate(Some(attempt.world.identity(role)?))?.send()?.let_through()?;
            Ok(grant.access_token)
        };
        let id = format!("{of}-bound-without");
        cases.at(
            RESOURCE,
            (&id, "A token that is bound to a certificate is not taken without one"),
            "RFC 8705 3",
            move |attempt| {
                let token = cut(attempt)?;
                attempt.call(ResourceRole::Default, &token)?.by_certificate(None)?.send()?.barred()
            },
        );
        let id = format!("{of}-bound-elsewhere");
        cases.at(
            RESOURCE,
            (&id, "A token that is bound to a certificate is not taken where none is asked for"),
            "RFC 8705 3",
            move |attempt| {
                let token = cut(attempt)?;
                attempt.call(ResourceRole::Default, &token)?.send()?.barred()
            },
        );
        let id = format!("{of}-bound-other");
        cases.at(
            RESOURCE,
            (&id, "A token that is bound to a certificate is not taken with another"),
            "RFC 8705 3",
            move |attempt| {
                let token = cut(attempt)?;
                let other = std::sync::Arc::clone(&attempt.world.strangers.identity);
                attempt.call(ResourceRole::Default, &token)?.by_certificate(Some(other))?.send()?.barred()
            },
        );
        let id = format!("{of}-bound-in-header");
        cases.at(
            RESOURCE,
            (&id, "A token that is bound to a certificate is not taken with that in a header"),
            "RFC 9440 4",
            move |attempt| {
                use base64::Engine as _;
                let token = cut(attempt)?;
                let own = attempt.world.identity(role)?;
                let der = own.chain.first().map(|der| base64::engine::general_purpose::STANDARD.encode(der));
                let header = format!(":{}:", der.unwrap_or_default());
                let call = attempt.call(ResourceRole::Default, &token)?.by_certificate(None)?;
                call.header("Client-Cert", header).send()?.barred()
            },
        );
        let id = format!("{of}-bound-said");
        cases.at(
            &[Door::Introspection],
            (&id, "Introspection says what certificate a token is bound to"),
            "RFC 8705 3.2",
            move |attempt| {
                let grant = attempt.there()?.ask_as(role)?.send()?.granted()?;
                if !attempt.world.application(role)?.certificate_bound {
                    return Err(Stop::skip(format_args!(
                        "`applications.{role}` has no `certificate_bound = true`"
                    )));
                }
                let told = attempt.about(Door::Introspection, role, &grant.access_token)?.send()?.active()?;
                said(&told["cnf"]["x5t#S256"], &attempt.says(&grant)?.claims["cnf"]["x5t#S256"])
            },
        );
    }
    cases.at(
        &[Door::Introspection],
        ("dpop-bound-said", "Introspection says what key a token is bound to, or that it is over"),
        "RFC 9449 6.2",
        |attempt| {
            let grant = attempt.there()?.ask_as(DPOP)?.send()?.granted()?;
            let answer = attempt.about(Door::Introspection, DPOP, &grant.access_token)?.send()?;
            if answer.inactive().is_ok() {
                return Ok(());
            }
            said(&answer.active()?["cnf"]["jkt"], &json!(attempt.world.proof_key(DPOP)?.thumbprint()))
        },
    );
}

fn said(told: &Value, expected: &Value) -> Verdict {
    if told.is_string() && told == expected {
        return Ok(());
    }
    Err(Stop::fail("introspection of a bound token", "an answer that does not say what it is bound to"))
}
