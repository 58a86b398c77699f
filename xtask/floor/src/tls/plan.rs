//! What a run asks for, and how it proves who asks.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use procura_jose::{Algorithm, CompactPrefix, PrivateKey, append_signature, compact_input};
use serde::Deserialize;

use crate::Failure;
use crate::clocks::since_1970;

/// Requests in turn, as they stand in a file: secrets are not shown in a list of processes.
#[derive(Deserialize)]
pub(super) struct Plan {
    /// Targets of `POST`, in turn.
    paths: Vec<String>,
    /// The value of `Authorization`.
    authorization: Option<String>,
    /// The body, a form.
    #[serde(default)]
    form: String,
    /// Signs an assertion of its own for each request, beside the form.
    assertion: Option<Assertion>,
    /// Signs an assertion that is to be granted, for each request, beside the form.
    grant: Option<Grant>,
    /// Signs a proof of possession for each request.
    proof: Option<Proof>,
    #[serde(skip)]
    turn: Cell<usize>,
    #[serde(skip)]
    key: Option<PrivateKey>,
    #[serde(skip)]
    proving: Option<(PrivateKey, CompactPrefix)>,
}

/// How assertions are made (RFC 7523 3).
#[derive(Deserialize)]
struct Assertion {
    /// The application, `iss` and `sub`.
    application_id: String,
    /// `aud`.
    audience: String,
    /// PKCS#8 of an ES256 key, DER.
    key_file: std::path::PathBuf,
}

/// For whom the application asks (RFC 7523 2.1), with the key of its assertions.
#[derive(Deserialize)]
struct Grant {
    /// The parameter that it stands in.
    parameter: String,
    /// The contacts, in turn.
    contacts: Vec<String>,
    /// As of assertions.
    #[serde(flatten)]
    by: Assertion,
}

/// How proofs are made (RFC 9449 4.2).
#[derive(Deserialize)]
struct Proof {
    /// What stands before the path in `htu`.
    base_url: String,
    /// PKCS#8 of an ES256 key, DER.
    key_file: std::path::PathBuf,
}

/// Seconds that an assertion is good for. A server remembers each for as long, so of one run no more than it can.
const LIFE: u64 = 20;

impl Plan {
    pub(super) fn read(path: &Path) -> Result<Plan, Failure> {
        let mut plan: Plan = serde_json::from_slice(&fs::read(path)?)?;
        if plan.paths.is_empty() {
            return Err("a plan without paths".into());
        }
        let key = |file: &Path| -> Result<PrivateKey, Failure> {
            Ok(PrivateKey::from_pkcs8(Algorithm::Es256, &fs::read(file)?)?)
        };
        if let Some(by) = plan.assertion.as_ref().or(plan.grant.as_ref().map(|grant| &grant.by)) {
            plan.key = Some(key(&by.key_file)?);
        }
        if let Some(proof) = &plan.proof {
            let key = key(&proof.key_file)?;
            let prefix = CompactPrefix::bringing_its_key(&key.public_jwk(), "dpop+jwt");
            plan.proving = Some((key, prefix));
        }
        Ok(plan)
    }

    /// The next request, as it is sent.
    pub(super) fn next(&self, host: &str) -> Result<String, Failure> {
        let turn = self.turn.get();
        self.turn.set(turn + 1);
        let mut body = self.form.clone();
        if let (Some(assertion), Some(key)) = (&self.assertion, &self.key) {
            if !body.is_empty() {
                body.push('&');
            }
            body.push_str(
                "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer",
            );
            body.push_str("&client_assertion=");
            body.push_str(&assertion.sign(key, ("JWT", &assertion.application_id), turn)?);
        }
        if let (Some(Grant { parameter, contacts, by }), Some(key)) = (&self.grant, &self.key) {
            let contact = &contacts[turn % contacts.len().max(1)];
            let grant = by.sign(key, ("authorization-grant+jwt", contact), turn)?;
            body.push_str(&format!("&{parameter}={grant}"));
        }
        let path = &self.paths[turn % self.paths.len()];
        let length = body.len();
        let mut request = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n");
        if let Some(authorization) = &self.authorization {
            request.push_str(&format!("authorization: {authorization}\r\n"));
        }
        if let (Some(proof), Some(proving)) = (&self.proof, &self.proving) {
            request.push_str(&format!("dpop: {}\r\n", proof.sign(proving, path, turn)?));
        }
        if !body.is_empty() {
            request.push_str("content-type: application/x-www-form-urlencoded\r\n");
        }
        request.push_str("\r\n");
        request.push_str(&body);
        Ok(request)
    }
}

impl Assertion {
    /// Of a type, about somebody.
    fn sign(&self, key: &PrivateKey, (typ, about): (&str, &str), turn: usize) -> Result<String, Failure> {
        let now = since_1970();
        let Assertion { application_id, audience, .. } = self;
        let claims = format!(
            r#"{{"iss":"{application_id}","sub":"{about}","aud":"{audience}","iat":{},"exp":{},"jti":"{}-{turn}"}}"#,
            now.as_secs(),
            now.as_secs() + LIFE,
            now.as_nanos(),
        );
        Ok(key.sign_compact(typ, claims.as_bytes())?)
    }
}

impl Proof {
    fn sign(
        &self,
        (key, prefix): &(PrivateKey, CompactPrefix),
        path: &str,
        turn: usize,
    ) -> Result<String, Failure> {
        let now = since_1970();
        let claims = format!(
            r#"{{"jti":"{}-{turn}","htm":"POST","htu":"{}{path}","iat":{}}}"#,
            now.as_nanos(),
            self.base_url,
            now.as_secs(),
        );
        let message = compact_input(prefix, claims.as_bytes());
        let signature = key.sign(&message)?;
        Ok(String::from_utf8(append_signature(message, signature.as_ref()))?)
    }
}
