//! Proofs of possession that callers sign (RFC 9449), and worlds in which they must.

use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use procura_jose::digest::sha256;
use procura_jose::{Algorithm, PrivateKey};
use procura_protocol::application_auth::Profile;
use procura_protocol::dpop::DPOP_TYPE;
use serde_json::{Value, json};

use crate::World;
use crate::clock::BEGINNING;
use crate::keys::make;

/// A key of a caller, and how many proofs it signed.
pub struct ProofKey {
    key: PrivateKey,
    made: AtomicU32,
}

impl ProofKey {
    /// A new key; RSA keys of one process are the same.
    pub fn new(algorithm: Algorithm) -> ProofKey {
        ProofKey { key: make(algorithm), made: AtomicU32::new(0) }
    }

    /// The thumbprint of its public half, as it stands in `cnf.jkt`.
    pub fn thumbprint(&self) -> String {
        self.key.public_jwk().thumbprint().to_string()
    }

    /// Its public half with the members that are required of it alone.
    pub fn jwk(&self) -> Value {
        let mut jwk = json!(self.key.public_jwk());
        if let Some(members) = jwk.as_object_mut() {
            members.retain(|name, _| ["kty", "crv", "x", "y", "n", "e"].contains(&name.as_str()));
        }
        jwk
    }

    /// A proof for a request, made when tests begin; no two have the same `jti`.
    pub fn for_request(&self, method: &str, url: &str) -> Proof<'_> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let header = json!({"typ": DPOP_TYPE, "alg": self.key.algorithm(), "jwk": self.jwk()});
        let id = format!("{}-{number}", &self.thumbprint()[..8]);
        let claims = json!({"jti": id, "htm": method, "htu": url, "iat": BEGINNING.0});
        Proof { key: &self.key, header, claims }
    }
}

/// A proof that is not signed yet.
#[derive(Clone)]
pub struct Proof<'a> {
    key: &'a PrivateKey,
    header: Value,
    claims: Value,
}

impl Proof<'_> {
    /// With another member in its header; without it, if that is null.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.header, name, value.into());
        self
    }

    /// With another claim; without it, if that is null.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.claims, name, value.into());
        self
    }

    /// To go with this access token, at a resource.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        self.claim("ath", URL_SAFE_NO_PAD.encode(sha256(token.as_bytes())))
    }

    /// The proof.
    ///
    /// # Panics
    ///
    /// When the crypto library fails.
    #[expect(clippy::expect_used, reason = "a test without a signature can only stop")]
    pub fn sign(&self) -> String {
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", part(&self.header), part(&self.claims));
        let signature = self.key.sign(message.as_bytes()).expect("a signature");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

fn set(object: &mut Value, name: &str, value: Value) {
    match (object.as_object_mut(), value) {
        (Some(members), Value::Null) => drop(members.remove(name)),
        (Some(members), value) => drop(members.insert(name.to_owned(), value)),
        (None, _) => {}
    }
}

impl World {
    /// Registers the trusted application for tokens that are bound to a key.
    #[must_use]
    pub fn bound_to_a_key(self) -> World {
        self.registration(|registration| registration.proof_of_key = true)
    }

    /// Registers the trusted application for the profile `fapi2`.
    #[must_use]
    pub fn fapi2(self) -> World {
        self.registration(|registration| registration.profile = Profile::Fapi2)
    }
}
