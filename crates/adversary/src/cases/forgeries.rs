//! Tokens that nobody who holds the key has signed.

use procura_jose::base64url;
use serde_json::{Value, json};

use super::slots::Honest;
use crate::jwt::{compact, parts};
use crate::keys::{as_der, es384, hs256, pem, spki, unique};
use crate::world::Strangers;

/// A forgery: its name, what must hold of "it", what that rests on, and how it is made. `None` where this
/// token can't be forged so.
pub(super) type Forgery =
    (&'static str, &'static str, &'static str, fn(&Honest<'_>, &Strangers) -> Option<String>);

const ALG: &str = "RFC 8725 3.1";
const NONE: &str = "RFC 8725 3.2; CVE-2022-23540";
const CONFUSED: &str = "RFC 8725 3.1; CVE-2015-9235, CVE-2016-5431";

/// All of them.
pub(super) const FORGERIES: &[Forgery] = &[
    ("alg-none", "with alg none and no signature", NONE, |honest, _| unsigned(honest, "none")),
    ("alg-none-capitals", "with alg NONE and no signature", NONE, |honest, _| unsigned(honest, "NONE")),
    ("alg-none-mixed-case", "with alg nOnE and no signature", NONE, |honest, _| unsigned(honest, "nOnE")),
    ("alg-none-signature-kept", "with alg none and the signature of before", NONE, |honest, _| {
        let header = honest.jwt.clone().head("alg", json!("none")).header;
        let signature = base64url::decode(parts(&honest.token)?[2]).ok()?;
        Some(written(&header, &honest.jwt.claims, |_| signature))
    }),
    ("alg-none-two-parts", "with alg none and without even the last dot", NONE, |honest, _| {
        unsigned(honest, "none").map(|token| token.trim_end_matches('.').to_owned())
    }),
    ("alg-missing", "without alg", ALG, |honest, stranger| {
        let header = honest.jwt.clone().head("alg", Value::Null).header;
        Some(written(&header, &honest.jwt.claims, |message| stranger.ec.sign(message)))
    }),
    ("alg-empty", "with an empty alg and an empty signature", ALG, |honest, _| unsigned(honest, "")),
    ("alg-null", "with alg null", ALG, |honest, _| {
        let mut header = honest.jwt.header.clone();
        header["alg"] = Value::Null;
        Some(written(&header, &honest.jwt.claims, |_| Vec::new()))
    }),
    ("alg-number", "whose alg is a number", ALG, |honest, stranger| {
        let header = honest.jwt.clone().head("alg", json!(0)).header;
        Some(written(&header, &honest.jwt.claims, |message| stranger.ec.sign(message)))
    }),
    ("alg-list", "whose alg is a list", ALG, |honest, stranger| {
        let header = honest.jwt.clone().head("alg", json!(["none", "ES256"])).header;
        Some(written(&header, &honest.jwt.claims, |message| stranger.ec.sign(message)))
    }),
    ("alg-unknown", "with an alg that nobody knows", ALG, |honest, stranger| {
        let header = honest.jwt.clone().head("alg", json!("XX999")).header;
        Some(written(&header, &honest.jwt.claims, |message| stranger.ec.sign(message)))
    }),
    ("hs256-public-pem", "with HS256 and the public key as PEM for the secret", CONFUSED, |honest, _| {
        hmac(honest, pem(&spki(&public(honest)?)).as_bytes())
    }),
    ("hs256-public-pem-bare", "with HS256 and the PEM without its last line feed", CONFUSED, |honest, _| {
        hmac(honest, pem(&spki(&public(honest)?)).trim_end().as_bytes())
    }),
    ("hs256-public-der", "with HS256 and the public key as DER for the secret", CONFUSED, |honest, _| {
        hmac(honest, &spki(&public(honest)?))
    }),
    ("hs256-public-jwk", "with HS256 and the public JWK's text for the secret", CONFUSED, |honest, _| {
        hmac(honest, public(honest)?.to_string().as_bytes())
    }),
    ("hs256-public-x", "with HS256 and the key's first number for the secret", CONFUSED, |honest, _| {
        let public = public(honest)?;
        let number = public["x"].as_str().or(public["n"].as_str())?;
        hmac(honest, &base64url::decode(number).ok()?)
    }),
    ("hs256-kid", "with HS256 and the kid for the secret", CONFUSED, |honest, _| {
        hmac(honest, honest.jwt.header["kid"].as_str()?.as_bytes())
    }),
    ("hs256-empty-secret", "with HS256 and an empty secret", "RFC 8725 3.5", |honest, _| hmac(honest, b"")),
    ("hs256-weak-secret", "with HS256 and the secret `secret`", "RFC 8725 3.5", |honest, _| {
        hmac(honest, b"secret")
    }),
    ("hs512-public-pem", "said to be HS512", CONFUSED, |honest, _| {
        let header = honest.jwt.clone().head("alg", json!("HS512")).header;
        let key = pem(&spki(&public(honest)?));
        Some(written(&header, &honest.jwt.claims, |message| hs256(key.as_bytes(), message).repeat(2)))
    }),
    ("signature-empty", "with an empty signature", "RFC 7515 5.2; CVE-2020-28042", |honest, _| {
        signature(honest, &[])
    }),
    ("signature-zeroes", "with r and s of zero", "RFC 7515 5.2; CVE-2022-21449", |honest, _| {
        signature(honest, &[0; 64])
    }),
    ("signature-zeroes-der", "with r and s of zero in DER", "RFC 7515 5.2; CVE-2022-21449", |honest, _| {
        signature(honest, &[0x30, 6, 2, 1, 0, 2, 1, 0])
    }),
    (
        "signature-order",
        "with r and s that are the order of the curve",
        "RFC 7515 5.2; CVE-2022-21449",
        |honest, _| {
            let order = base64url::decode("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE").ok()?;
            signature(honest, &order.repeat(2))
        },
    ),
    ("signature-ones", "with a signature of ones", "RFC 7515 5.2", |honest, _| {
        signature(honest, &[0xff; 64])
    }),
    ("signature-one-byte", "with a signature of one byte", "RFC 7515 5.2", |honest, _| {
        signature(honest, &[1])
    }),
    ("signature-short", "with its signature cut by a byte", "RFC 7515 5.2", |honest, _| {
        let bytes = base64url::decode(parts(&honest.token)?[2]).ok()?;
        signature(honest, &bytes[..bytes.len() - 1])
    }),
    ("signature-long", "with a byte more in its signature", "RFC 7515 5.2", |honest, _| {
        let mut bytes = base64url::decode(parts(&honest.token)?[2]).ok()?;
        bytes.push(0);
        signature(honest, &bytes)
    }),
    ("signature-der", "with its own signature written as DER", "RFC 7518 3.4", |honest, _| {
        let bytes = base64url::decode(parts(&honest.token)?[2]).ok()?;
        (bytes.len() == 64).then(|| signature(honest, &as_der(&bytes)))?
    }),
    ("signature-changed", "with one bit of its signature changed", "RFC 7515 5.2", |honest, _| {
        let mut bytes = base64url::decode(parts(&honest.token)?[2]).ok()?;
        *bytes.last_mut()? ^= 1;
        signature(honest, &bytes)
    }),
    ("signature-twice", "with two signatures", "RFC 7515 7.1", |honest, _| {
        let [_, _, last] = parts(&honest.token)?;
        Some(format!("{}.{last}", honest.token))
    }),
    (
        "stranger",
        "signed by another key under the kid of the right one",
        "RFC 7515 5.2",
        |honest, stranger| {
            let header = honest.jwt.clone().head("alg", json!("ES256")).header;
            Some(written(&header, &honest.jwt.claims, |message| stranger.ec.sign(message)))
        },
    ),
    (
        "stranger-rsa",
        "signed by somebody's RSA key under the kid of the right one",
        ALG,
        |honest, stranger| {
            let header = honest.jwt.clone().head("alg", json!("PS256")).header;
            Some(written(&header, &honest.jwt.claims, |message| stranger.rsa.sign(message)))
        },
    ),
    ("stranger-ed25519", "signed by somebody's Ed25519 key under the right kid", ALG, |honest, stranger| {
        let header = honest.jwt.clone().head("alg", json!("EdDSA")).header;
        Some(written(&header, &honest.jwt.claims, |message| stranger.ed.sign(message)))
    }),
    ("stranger-without-kid", "signed by another key, without kid", "RFC 7515 4.1.4", |honest, stranger| {
        let header = honest.jwt.clone().head("alg", json!("ES256")).head("kid", Value::Null).header;
        Some(written(&header, &honest.jwt.claims, |message| stranger.ec.sign(message)))
    }),
    ("es384", "said to be ES384, on another curve", ALG, |honest, _| {
        let header = honest.jwt.clone().head("alg", json!("ES384")).header;
        Some(written(&header, &honest.jwt.claims, es384))
    }),
    ("es256k", "said to be ES256K", ALG, |honest, stranger| {
        let header = honest.jwt.clone().head("alg", json!("ES256K")).header;
        Some(written(&header, &honest.jwt.claims, |message| stranger.ec.sign(message)))
    }),
    ("es256-p384", "said to be ES256, with a signature on P-384", ALG, |honest, _| {
        let header = honest.jwt.clone().head("alg", json!("ES256")).header;
        Some(written(&header, &honest.jwt.claims, es384))
    }),
    (
        "jwk",
        "signed by a key that its own header brings",
        "RFC 8725 3.10; CVE-2018-0114, CVE-2026-27962",
        |honest, stranger| {
            let header = stranger_header(honest, stranger).head("jwk", stranger.ec.public_jwk()).header;
            Some(written(&header, &honest.jwt.claims, |message| stranger.ec.sign(message)))
        },
    ),
    (
        "jwk-right-kid",
        "whose header brings a key under the right kid",
        "RFC 8725 3.10; CVE-2018-0114",
        |honest, stranger| {
            let mut jwk = stranger.ec.public_jwk();
            jwk["kid"] = honest.jwt.header["kid"].clone();
            let header = honest.jwt.clone().head("alg", json!("ES256")).head("jwk", jwk).header;
            Some(written(&header, &honest.jwt.claims, |message| stranger.ec.sign(message)))
        },
    ),
    ("jku", "that says where its key is published", "RFC 8725 3.10", |honest, stranger| {
        let header = stranger_header(honest, stranger);
        let header = header.head("jku", json!("https://127.0.0.1:9/jwks.json")).header;
        Some(written(&header, &honest.jwt.claims, |message| stranger.ec.sign(message)))
    }),
    ("x5u", "that says where its certificate is", "RFC 8725 3.10", |honest, stranger| {
        let header = stranger_header(honest, stranger);
        let header = header.head("x5u", json!("https://127.0.0.1:9/chain.pem")).header;
        Some(written(&header, &honest.jwt.claims, |message| stranger.ec.sign(message)))
    }),
    ("x5c", "that brings its certificate", "RFC 7515 4.1.6", |honest, stranger| {
        use base64::Engine as _;
        let der = stranger.identity.chain.first()?;
        let chain = json!([base64::engine::general_purpose::STANDARD.encode(der)]);
        let header = stranger_header(honest, stranger).head("x5c", chain).header;
        Some(written(&header, &honest.jwt.claims, |message| stranger.ec.sign(message)))
    }),
    ("kid-empty", "with an empty kid", "RFC 8725 3.10", |honest, stranger| kid(honest, stranger, json!(""))),
    ("kid-path", "whose kid is a path, with HS256 and an empty secret", "RFC 8725 3.10", |honest, _| {
        let header = honest.jwt.clone().head("alg", json!("HS256"));
        let header = header.head("kid", json!("../../../../../../dev/null")).header;
        Some(written(&header, &honest.jwt.claims, |message| hs256(b"", message)))
    }),
    ("kid-sql", "whose kid is a piece of SQL", "RFC 8725 3.10", |honest, stranger| {
        kid(honest, stranger, json!("x' UNION SELECT 'secret'; --"))
    }),
    ("kid-url", "whose kid is a URL", "RFC 8725 3.10", |honest, stranger| {
        kid(honest, stranger, json!("http://127.0.0.1:9/key"))
    }),
    ("kid-long", "whose kid has six thousand bytes", "RFC 8725 3.10", |honest, stranger| {
        kid(honest, stranger, json!("k".repeat(6_000)))
    }),
    ("kid-nul", "whose kid ends with NUL", "RFC 8725 3.10", |honest, stranger| {
        let right = honest.jwt.header["kid"].as_str().unwrap_or("k");
        kid(honest, stranger, json!(format!("{right}\0")))
    }),
    ("kid-number", "whose kid is a number", "RFC 7515 4.1.4", |honest, stranger| {
        kid(honest, stranger, json!(0))
    }),
    ("kid-list", "whose kid is a list", "RFC 7515 4.1.4", |honest, stranger| {
        kid(honest, stranger, json!([honest.jwt.header["kid"]]))
    }),
    ("claims-changed", "with changed claims under the signature of before", "RFC 7515 5.2", |honest, _| {
        let [header, claims, signature] = parts(&honest.token)?;
        let text = String::from_utf8(base64url::decode(claims).ok()?).ok()?;
        let changed = text.replacen("\"exp\":1", "\"exp\":2", 1).replacen("\"iat\":1", "\"iat\":2", 1);
        (changed != text).then(|| format!("{header}.{}.{signature}", base64url::encode(changed.as_bytes())))
    }),
    (
        "claims-of-another",
        "with somebody else in it under the signature of before",
        "RFC 7515 5.2",
        |honest, _| {
            let [header, _, signature] = parts(&honest.token)?;
            let mut claims = honest.jwt.claims.clone();
            claims["sub"] = json!("somebody-else");
            claims["jti"] = json!(unique());
            Some(format!("{header}.{}.{signature}", base64url::encode(claims.to_string().as_bytes())))
        },
    ),
    ("header-changed", "with a changed header under the signature of before", "RFC 7515 5.2", |honest, _| {
        let [_, claims, signature] = parts(&honest.token)?;
        let header = honest.jwt.clone().head("x-more", json!(1)).header.to_string();
        Some(format!("{}.{claims}.{signature}", base64url::encode(header.as_bytes())))
    }),
    ("two-parts", "without its signature", "RFC 7515 7.1", |honest, _| {
        let [header, claims, _] = parts(&honest.token)?;
        Some(format!("{header}.{claims}"))
    }),
    ("json-form", "in the flattened JSON serialization", "RFC 7515 7.2.2; CVE-2022-39227", |honest, _| {
        let [header, claims, signature] = parts(&honest.token)?;
        Some(json!({"protected": header, "payload": claims, "signature": signature}).to_string())
    }),
    (
        "json-and-compact",
        "that is JSON and compact at once, with two payloads",
        "CVE-2022-39227",
        |honest, _| {
            let [header, claims, signature] = parts(&honest.token)?;
            let mut other = honest.jwt.claims.clone();
            other["sub"] = json!("somebody-else");
            let other = base64url::encode(other.to_string().as_bytes());
            Some(format!(
                "{{\"{header}.{other}.\":\"\",\"protected\":\"{header}\",\"payload\":\"{claims}\",\"signature\":\"{signature}\"}}"
            ))
        },
    ),
    ("jwe", "that is encrypted under the public key", "RFC 8725 3.1; CVE-2026-29000", |honest, _| {
        let header = json!({"alg": "ECDH-ES", "enc": "A128GCM", "cty": "JWT"}).to_string();
        let inner = base64url::encode(honest.token.as_bytes());
        Some(format!(
            "{}..AAAAAAAAAAAAAAAA.{inner}.AAAAAAAAAAAAAAAAAAAAAA",
            base64url::encode(header.as_bytes())
        ))
    }),
    (
        "jwe-work",
        "that asks for a password derivation of two thousand million rounds",
        "RFC 8725 3.1",
        |_, _| {
            let header = json!({
                "alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2s": "AAAAAAAAAAAAAAAA", "p2c": 2_000_000_000u32,
            });
            let header = base64url::encode(header.to_string().as_bytes());
            Some(format!(
                "{header}.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA"
            ))
        },
    ),
    ("padded", "whose parts are padded", "RFC 7515 2", |honest, _| {
        let [header, claims, signature] = parts(&honest.token)?;
        Some(format!("{header}=.{claims}==.{signature}=="))
    }),
    ("standard-alphabet", "whose signature uses + and /", "RFC 7515 2", |honest, _| {
        let [header, claims, signature] = parts(&honest.token)?;
        let changed = signature.replace('-', "+").replace('_', "/");
        // A signature without either is common enough that the case would show nothing with it.
        (changed != signature).then(|| format!("{header}.{claims}.{changed}"))
    }),
    (
        "trailing-bits",
        "whose signature has bits that decode to nothing",
        "RFC 7515 2; RFC 4648 3.5",
        |honest, _| {
            let [header, claims, signature] = parts(&honest.token)?;
            let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let last = *signature.as_bytes().last()?;
            let at = alphabet.iter().position(|letter| *letter == last)?;
            let other = char::from(*alphabet.get(at ^ 1)?);
            (signature.len() % 4 != 0).then(|| {
                let kept = &signature[..signature.len() - 1];
                format!("{header}.{claims}.{kept}{other}")
            })
        },
    ),
    ("line-feeds", "with line feeds in its parts", "RFC 7515 2", |honest, _| {
        let [header, claims, signature] = parts(&honest.token)?;
        Some(format!("{header}.{}\n{}.{signature}", &claims[..8], &claims[8..]))
    }),
    ("nested", "inside of another that a stranger signed", "RFC 8725 3.3", |honest, stranger| {
        let header = stranger_header(honest, stranger).head("cty", json!("JWT")).header.to_string();
        Some(compact(header.as_bytes(), honest.token.as_bytes(), |message| stranger.ec.sign(message)))
    }),
    ("empty-claims", "without any claims, signed by a stranger", "RFC 8725 3.8", |honest, stranger| {
        let header = stranger_header(honest, stranger).header.to_string();
        Some(compact(header.as_bytes(), b"{}", |message| stranger.ec.sign(message)))
    }),
    ("not-json", "whose claims are no JSON", "RFC 7519 7.2", |honest, stranger| {
        let header = stranger_header(honest, stranger).header.to_string();
        Some(compact(header.as_bytes(), b"sub=admin", |message| stranger.ec.sign(message)))
    }),
    ("deep-json", "whose claims are ten thousand lists deep", "RFC 7519 7.2", |honest, stranger| {
        let header = stranger_header(honest, stranger).header.to_string();
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(3_000), "]".repeat(3_000));
        Some(compact(header.as_bytes(), deep.as_bytes(), |message| stranger.ec.sign(message)))
    }),
    ("garbage", "that is three words", "RFC 7519 7.2", |_, _| Some("not.a.token".to_owned())),
    ("dots", "that is dots", "RFC 7515 5.2", |_, _| Some("..".to_owned())),
];

fn written(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    compact(header.to_string().as_bytes(), claims.to_string().as_bytes(), sign)
}

fn unsigned(honest: &Honest<'_>, algorithm: &str) -> Option<String> {
    let header = honest.jwt.clone().head("alg", json!(algorithm)).header;
    Some(written(&header, &honest.jwt.claims, |_| Vec::new()))
}

fn public(honest: &Honest<'_>) -> Option<Value> {
    honest.public.is_object().then(|| honest.public.clone())
}

fn hmac(honest: &Honest<'_>, key: &[u8]) -> Option<String> {
    let header = honest.jwt.clone().head("alg", json!("HS256")).header;
    Some(written(&header, &honest.jwt.claims, |message| hs256(key, message)))
}

fn signature(honest: &Honest<'_>, bytes: &[u8]) -> Option<String> {
    let [header, claims, _] = parts(&honest.token)?;
    Some(format!("{header}.{claims}.{}", base64url::encode(bytes)))
}

fn stranger_header(honest: &Honest<'_>, stranger: &Strangers) -> crate::jwt::Jwt {
    honest.jwt.clone().head("alg", json!("ES256")).head("kid", json!(stranger.ec.kid()))
}

fn kid(honest: &Honest<'_>, stranger: &Strangers, kid: Value) -> Option<String> {
    let header = honest.jwt.clone().head("alg", json!("ES256")).head("kid", kid).header;
    Some(written(&header, &honest.jwt.claims, |message| stranger.ec.sign(message)))
}
