//! Applications of the sample that prove themselves by more than a secret.
//!
//! Their certificates and keys are made anew with each start, as the secrets are: [`fill`] registers them.

use std::fs;
use std::path::Path;

use procura_store::administration::{
    AddCredential, Administration as _, CredentialToRetire, CredentialValue, NewCredential,
};
use procura_store::change::Entity;
use procura_store::fields::{Invalid, Key, Row};
use procura_store::records::CredentialNo;
use procura_x509::Certificate;

use super::super::credential::public_key;
use super::certificates::{Files, PARTNER};
use crate::exit::Failure;
use crate::wiring::{self, Bound};

/// The program that proves itself by a certificate that no CA issued.
pub(super) const SELF_SIGNED: &str = "app_h4wz6rpe";

/// The program that signs assertions.
pub(super) const SIGNING: &str = "app_q8vn5ckt";

/// The program that needs a certificate of the demo's CA beside its secret.
pub(super) const TWO_FACTORS: &str = "app_z2gd7mfu";

/// A contact that all of them can act for, and the client through which they can.
pub(super) const CONTACT: &str = "CON2001";
const CLIENT: &str = "CLI1001";

/// The applications, then the trusts in them; the client must stand before them.
pub(super) fn rows() -> Result<Vec<Row>, Invalid> {
    let subject = format!("CN={PARTNER}");
    let by_name = [("certificate", "required"), ("certificate_subject_dn", subject.as_str())];
    let nothing: &[(&'static str, &str)] = &[];
    let programs = [
        (SELF_SIGNED, "Ledgerlark archive", "self_signed_tls_client_auth", nothing),
        (SIGNING, "Ledgerlark batch", "private_key_jwt", nothing),
        (TWO_FACTORS, "Ledgerlark treasury", "client_secret_basic", &by_name[..]),
    ];
    let applications = programs.iter().map(|(id, name, methods, more)| {
        let pairs = [
            ("application_id", *id),
            ("name", *name),
            ("trusted", "true"),
            ("status", "active"),
            ("auth_methods", *methods),
        ];
        Row::read(Entity::Application, pairs.into_iter().chain(more.iter().copied()))
    });
    let trusts = programs.iter().map(|(id, ..)| {
        let pairs = [
            ("client_id", CLIENT),
            ("application_id", *id),
            ("contacts", CONTACT),
            ("ceiling", "all"),
            ("reason", "sample agreement of the demo"),
        ];
        Row::read(Entity::Trust, pairs)
    });
    applications.chain(trusts).collect()
}

/// Registers the certificate and the key that [`Files::make`] made.
pub(super) async fn fill(bound: &Bound, files: &Files) -> Result<(), Failure> {
    let certificate = Certificate::from_pem(&read(&files.self_signed())?).map_err(Failure::unavailable)?;
    register(bound, SELF_SIGNED, CredentialValue::Certificate(certificate.der().into())).await?;
    let key = public_key::read(&read(&files.verifying())?).map_err(Failure::unavailable)?;
    let jwk = serde_json::to_string(&key).map_err(Failure::unavailable)?;
    register(bound, SIGNING, CredentialValue::Key(jwk.into())).await.map(drop)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file)
        .map_err(|error| Failure::unavailable(format_args!("{} can't be read: {error}", file.display())))
}

/// Gives an application this certificate or key, in the place of those that an earlier start made.
async fn register(bound: &Bound, application: &str, value: CredentialValue) -> Result<CredentialNo, Failure> {
    let failed = |error| wiring::store_failed(&error);
    let owner = Key::read(Entity::Application, &[application]).map_err(Failure::unavailable)?;
    let (store, kind) = (bound.store(), value.kind());
    let held = store.credentials(owner.clone()).await.map_err(failed)?.unwrap_or_default();
    for old in held.iter().filter(|credential| credential.kind() == kind) {
        let old = CredentialToRetire { kind, no: old.no, compromised: false };
        store.retire_credential(bound.context(), owner.clone(), old).await.map_err(failed)?;
    }
    let new = NewCredential { value, expires_at: None };
    match store.add_credential(bound.context(), owner.clone(), new).await.map_err(failed)? {
        AddCredential::Added { no } => Ok(no),
        refused => {
            Err(Failure::unavailable(format_args!("{owner} could not be given a {kind}: {refused:?}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_one_that_the_directory_takes() {
        let rows = rows().unwrap();
        for row in &rows {
            row.applied_to(None).unwrap();
        }
        assert_eq!(rows.len(), 6);
    }
}
