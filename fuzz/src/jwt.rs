use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use procura_jose::{Algorithm, Expect, Jwks, PrivateKey, verify_jwt};
use serde_json::Value;

const EXPECT: Expect<'_> = Expect { typ: "at+jwt", algorithms: &[Algorithm::Es256] };

/// A token as it came; and, when there is a line feed, a header and claims that the right key has signed,
/// with `$kid` in place of the key's id.
///
/// Nobody else's token verifies. One that the right key signed verifies only with the header that was
/// asked for, and its claims are those that were signed. Key sets are read from the same bytes. Whether a
/// token verified.
pub fn jwt(data: &[u8]) -> bool {
    let (key, keys) = key();
    let mut verified = false;
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(verify_jwt::<Value>(text, keys, &EXPECT).is_err(), "a token that nobody signed");
        if let Some((header, claims)) = text.split_once('\n') {
            verified = signed(key, keys, &header.replace("$kid", key.kid().as_str()), claims);
        }
    }
    if let Ok(set) = serde_json::from_slice::<Jwks>(data) {
        assert!(set.keys().len() <= Jwks::MAX_KEYS, "{} keys", set.keys().len());
        for key in set.keys() {
            assert!(set.find(key.kid().as_str()).is_some(), "a key that can't be found");
        }
    }
    verified
}

fn signed(key: &PrivateKey, keys: &Jwks, header: &str, claims: &str) -> bool {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let Ok(signature) = key.sign(message.as_bytes()) else {
        panic!("the key does not sign");
    };
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
    let Ok(verified) = verify_jwt::<Value>(&token, keys, &EXPECT) else {
        return false;
    };
    let Ok(header) = serde_json::from_str::<Value>(header) else {
        panic!("a header that is no JSON");
    };
    assert_eq!(header["alg"], "ES256");
    assert_eq!(header["kid"], key.kid().as_str());
    assert!(header.get("crit").is_none(), "crit was accepted");
    assert!(verified.claims().is_object(), "claims that are no object");
    assert_eq!(serde_json::from_str::<Value>(claims).ok().as_ref(), Some(verified.claims()));
    true
}

/// One key for the whole run.
fn key() -> &'static (PrivateKey, Jwks) {
    static KEY: OnceLock<(PrivateKey, Jwks)> = OnceLock::new();
    KEY.get_or_init(|| match PrivateKey::generate(Algorithm::Es256) {
        Ok((key, _)) => {
            let keys = Jwks::new([key.public_jwk()]);
            (key, keys)
        }
        Err(error) => panic!("no key: {error}"),
    })
}
