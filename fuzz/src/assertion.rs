use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use procura_jose::{Algorithm, Jwk, PrivateKey, UnverifiedJwt};
use procura_protocol::client_assertion::{
    AHEAD, ASSERTION_TYPES, ClientAssertion, MAX_JTI_BYTES, Purpose, Terms,
};
use procura_protocol::time::UnixSeconds;
use serde_json::Value;

const TERMS: Terms<'_> = Terms {
    purpose: Purpose::Authentication,
    application: "app_partner",
    audience: "https://procura.example",
    now: UnixSeconds(1_800_000_000),
    lifetime: 300,
};

/// An assertion as it came; and, when there is a line feed, a header and claims that the right key has
/// signed, with `$kid` in place of the key's id.
///
/// Nobody else's assertion verifies. Of one that the right key signed, what is read is what was signed, the
/// application whose keys are looked for is the one that it is of, and what is accepted keeps every bound.
/// Whether one was accepted.
pub fn assertion(data: &[u8]) -> bool {
    let (key, jwk) = key();
    let Ok(text) = std::str::from_utf8(data) else { return false };
    if let Ok(jwt) = UnverifiedJwt::read(text, ASSERTION_TYPES) {
        assert!(jwt.verify::<Value>([jwk]).is_err(), "an assertion that nobody signed");
    }
    text.split_once('\n').is_some_and(|(header, claims)| {
        let token = signed(key, &header.replace("$kid", key.kid().as_str()), claims);
        accepted(&token, jwk, claims)
    })
}

fn accepted(token: &str, jwk: &Jwk, claims: &str) -> bool {
    let Ok(jwt) = UnverifiedJwt::read(token, ASSERTION_TYPES) else { return false };
    let Ok(read) = jwt.verify::<ClientAssertion>([jwk]) else { return false };
    assert_eq!(jwt.algorithm(), Algorithm::Es256);
    assert_eq!(jwt.named_issuer(), &*read.issuer, "keys of one, claims of another");
    let Ok(written) = serde_json::from_str::<Value>(claims) else {
        panic!("claims that are no JSON");
    };
    for (name, value) in
        [("iss", &read.issuer), ("sub", &read.subject), ("aud", &read.audience), ("jti", &read.id)]
    {
        assert_eq!(written[name], **value, "{name} was read as something else");
    }
    if read.check(&TERMS).is_err() {
        return false;
    }
    let Terms { application, audience, now, lifetime, .. } = TERMS;
    assert_eq!((&*read.issuer, &*read.subject, &*read.audience), (application, application, audience));
    assert!(now < read.expires_at && read.expires_at <= now.plus(lifetime + AHEAD), "exp out of bounds");
    for at in [read.issued_at, read.not_before].into_iter().flatten() {
        assert!(at <= now.plus(AHEAD), "iat or nbf out of bounds");
    }
    assert!(!read.id.is_empty() && read.id.len() <= MAX_JTI_BYTES, "jti out of bounds");
    true
}

fn signed(key: &PrivateKey, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let Ok(signature) = key.sign(message.as_bytes()) else {
        panic!("the key does not sign");
    };
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

/// One key for the whole run.
fn key() -> &'static (PrivateKey, Jwk) {
    static KEY: OnceLock<(PrivateKey, Jwk)> = OnceLock::new();
    KEY.get_or_init(|| match PrivateKey::generate(Algorithm::Es256) {
        Ok((key, _)) => {
            let jwk = key.public_jwk();
            (key, jwk)
        }
        Err(error) => panic!("no key: {error}"),
    })
}
