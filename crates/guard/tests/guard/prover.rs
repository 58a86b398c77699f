//! Proofs of possession.

use procura_jose::digest::sha256;
use procura_jose::{Algorithm, CompactPrefix, PrivateKey, append_signature, base64url, compact_input};
use procura_protocol::confirmation::KeyThumbprint;
use procura_protocol::dpop::DPOP_TYPE;
use serde_json::{Value, json};

use crate::fake::{AUDIENCE, START};

/// Whoever proves to hold a key.
pub(crate) struct Prover(PrivateKey);

impl Prover {
    pub(crate) fn new() -> Prover {
        Prover(PrivateKey::generate(Algorithm::Es256).unwrap().0)
    }

    pub(crate) fn thumbprint(&self) -> KeyThumbprint {
        KeyThumbprint::parse(self.0.public_jwk().thumbprint().as_str()).unwrap()
    }

    /// Claims of a proof for this token, of a GET of [`AUDIENCE`]`/trade` now.
    pub(crate) fn claims(token: &str, jti: &str) -> Value {
        let ath = base64url::encode(&sha256(token.as_bytes()));
        json!({ "jti": jti, "htm": "GET", "htu": format!("{AUDIENCE}/trade"), "iat": START, "ath": ath })
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let prefix = CompactPrefix::bringing_its_key(&self.0.public_jwk(), DPOP_TYPE);
        let message = compact_input(&prefix, claims.to_string().as_bytes());
        let signature = self.0.sign(&message).unwrap();
        String::from_utf8(append_signature(message, signature.as_ref())).unwrap()
    }

    pub(crate) fn proof(&self, token: &str, jti: &str) -> String {
        self.sign(&Prover::claims(token, jti))
    }
}
