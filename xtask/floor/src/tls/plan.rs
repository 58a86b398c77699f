//! What a run asks for, and how it proves who asks.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use procura_jose::{Algorithm, PrivateKey};
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
    #[serde(skip)]
    turn: Cell<usize>,
    #[serde(skip)]
    key: Option<PrivateKey>,
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

/// Seconds that an assertion is good for.
const LIFE: u64 = 60;

impl Plan {
    pub(super) fn read(path: &Path) -> Result<Plan, Failure> {
        let mut plan: Plan = serde_json::from_slice(&fs::read(path)?)?;
        if plan.paths.is_empty() {
            return Err("a plan without paths".into());
        }
        if let Some(assertion) = &plan.assertion {
            plan.key = Some(PrivateKey::from_pkcs8(Algorithm::Es256, &fs::read(&assertion.key_file)?)?);
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
            body.push_str(&assertion.sign(key, turn)?);
        }
        let path = &self.paths[turn % self.paths.len()];
        let length = body.len();
        let mut request = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n");
        if let Some(authorization) = &self.authorization {
            request.push_str(&format!("authorization: {authorization}\r\n"));
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
    fn sign(&self, key: &PrivateKey, turn: usize) -> Result<String, Failure> {
        let now = since_1970();
        let Assertion { application_id, audience, .. } = self;
        let claims = format!(
            r#"{{"iss":"{application_id}","sub":"{application_id}","aud":"{audience}","iat":{},"exp":{},"jti":"{}-{turn}"}}"#,
            now.as_secs(),
            now.as_secs() + LIFE,
            now.as_nanos(),
        );
        Ok(key.sign_compact("JWT", claims.as_bytes())?)
    }
}
