//! Assertions that applications sign, and worlds in which they may.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use procura_jose::{Algorithm, Jwk, PrivateKey};
use procura_protocol::application_auth::{AuthMethods, CLIENT_ASSERTION_TYPE};
use procura_protocol::secret::Secret;
use procura_protocol::token::GRANT_TYPE_HEADER;
use procura_store::records::{CredentialNo, RegisteredKey, Registration};
use serde_json::{Value, json};

use crate::World;
use crate::clock::BEGINNING;
use crate::keys::make;
use crate::world::{APPLICATION, ISSUER};

/// A key of an application.
pub struct AssertionKey(PrivateKey);

impl AssertionKey {
    /// A new key; RSA keys of one process are the same.
    pub fn new(algorithm: Algorithm) -> AssertionKey {
        AssertionKey(make(algorithm))
    }

    /// A key that is kept somewhere.
    ///
    /// # Panics
    ///
    /// When it is none.
    #[expect(clippy::expect_used, reason = "a test writes its own keys")]
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &Secret) -> AssertionKey {
        AssertionKey(PrivateKey::from_pkcs8(algorithm, pkcs8.expose()).expect("a key"))
    }

    /// Its public half.
    pub fn jwk(&self) -> Jwk {
        self.0.public_jwk()
    }

    /// Its public half, as it stands in a registration.
    pub fn registered(&self) -> RegisteredKey {
        RegisteredKey { no: CredentialNo(1), jwk: json!(self.jwk()).to_string().into(), expires_at: None }
    }

    /// The header of an assertion that works.
    pub fn header(&self) -> Value {
        json!({"alg": self.0.algorithm(), "kid": self.0.kid()})
    }

    /// An assertion of the trusted application that works; `id` is its `jti`.
    pub fn assertion(&self, id: &str) -> String {
        self.sign(&self.header(), &claims(id))
    }

    /// The header of a grant that works.
    pub fn grant_header(&self) -> Value {
        json!({"alg": self.0.algorithm(), "kid": self.0.kid(), "typ": GRANT_TYPE_HEADER})
    }

    /// An assertion by which the trusted application asks for a contact (RFC 7523 2.1); `id` is its `jti`.
    pub fn grant(&self, contact: &str, id: &str) -> String {
        self.sign(&self.grant_header(), &grant_claims(contact, id))
    }

    /// These claims, signed as they are.
    ///
    /// # Panics
    ///
    /// When the crypto library fails.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// These texts, signed whatever they are.
    ///
    /// # Panics
    ///
    /// When the crypto library fails.
    #[expect(clippy::expect_used, reason = "a test without a signature can only stop")]
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.0.sign(message.as_bytes()).expect("a signature");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

/// The claims of an assertion of the trusted application that works when tests begin; `id` is its `jti`.
pub fn claims(id: &str) -> Value {
    json!({
        "iss": APPLICATION, "sub": APPLICATION, "aud": ISSUER, "jti": id,
        "iat": BEGINNING.0, "nbf": BEGINNING.0, "exp": BEGINNING.0 + 60,
    })
}

/// The claims of a grant that works when tests begin; `id` is its `jti`.
pub fn grant_claims(contact: &str, id: &str) -> Value {
    json!({
        "iss": APPLICATION, "sub": contact, "aud": ISSUER, "jti": id,
        "iat": BEGINNING.0, "exp": BEGINNING.0 + 60,
    })
}

/// The form in which an assertion is sent.
pub fn form(assertion: &str) -> String {
    format!(
        "client_assertion_type={}&client_assertion={assertion}",
        CLIENT_ASSERTION_TYPE.replace(':', "%3A")
    )
}

impl World {
    /// Registers the trusted application for assertions alone, signed with one of these keys.
    #[must_use]
    pub fn signing(self, keys: &[&AssertionKey]) -> World {
        let keys = keys.iter().map(|key| key.registered()).collect();
        self.registration(|registration| registration.keys = keys).by("private_key_jwt")
    }

    /// Registers a key of the trusted application, which proves itself as before.
    #[must_use]
    pub fn granting(self, key: &AssertionKey) -> World {
        let keys = [key.registered()].into();
        self.registration(|registration| registration.keys = keys)
    }

    /// Registers the trusted application for these methods alone.
    ///
    /// # Panics
    ///
    /// When they are none.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test names its methods")]
    pub fn by(self, methods: &str) -> World {
        let methods = AuthMethods::parse(methods).expect("methods");
        self.registration(|registration| registration.methods = methods)
    }

    /// Changes how the trusted application is registered.
    #[must_use]
    pub fn registration(self, change: impl FnOnce(&mut Registration)) -> World {
        self.application(|application| change(Arc::make_mut(&mut application.registration)))
    }
}
