//! What the command line adds for records that prove themselves: a closer look at a name in a certificate,
//! credentials with `show`, and a word about what does not fit.

use procura_protocol::application_auth::CertificateSubject;
use procura_store::administration::{Administration as _, CredentialRecord};
use procura_store::fields::{Key, Row};
use serde_json::{Value, json};

use super::super::credential::{described, warnings};
use crate::exit::Failure;
use crate::output;
use crate::wiring::Desk;

/// Whether a certificate can have the distinguished name that the row says: its form was read before, here
/// its parts are. A name that none can have would refuse every certificate, and nobody would know why.
pub(in crate::cli) fn check(row: &Row) -> Result<(), String> {
    let Some(Some(name)) = row.get("certificate_subject_dn") else { return Ok(()) };
    procura_x509::check_subject(&CertificateSubject::Dn(name.into()))
        .map_err(|problem| format!("certificate_subject_dn: {problem}"))
}

/// The credentials of a record that may have some.
pub(super) fn credentials(desk: &Desk, key: &Key) -> Result<Vec<CredentialRecord>, Failure> {
    Ok(desk.wait(desk.store().credentials(key.clone()))?.unwrap_or_default())
}

/// Sentences about what does not fit, on standard error.
pub(super) fn note_warnings(desk: &Desk, key: &Key) -> Result<(), Failure> {
    let held = credentials(desk, key)?;
    if let Some(row) = desk.wait(desk.store().get(key.clone()))? {
        let now = desk.context(None).at.seconds();
        for sentence in warnings::of(&row, &held, now) {
            output::note(&format!("procura: {key}: {sentence}"));
        }
    }
    Ok(())
}

/// A credential as a line of `show`: its name, and since and until when.
pub(super) fn line(credential: &CredentialRecord) -> (String, String) {
    let until = credential.expires_at.map_or_else(String::new, |end| format!(", until {end}"));
    (format!("{} {}", credential.kind(), credential.no), format!("since {}{until}", credential.created_at))
}

/// The credentials for programs, each with its kind.
pub(super) fn objects(credentials: &[CredentialRecord]) -> Value {
    let object = |one: &CredentialRecord| {
        let mut value = described(one);
        value.insert("kind".to_owned(), json!(one.kind().name()));
        Value::Object(value)
    };
    Value::Array(credentials.iter().map(object).collect())
}
