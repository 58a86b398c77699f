//! Applications of the sample that prove themselves by more than a secret, or whose tokens are bound to a key.
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
use super::sample;
use crate::exit::Failure;
use crate::wiring::{self, Bound};

/// The program that proves itself by a certificate that no CA issued.
pub(super) const SELF_SIGNED: &str = "app_h4wz6rpe";

/// The program that signs assertions.
pub(super) const SIGNING: &str = "app_q8vn5ckt";

/// The program that needs a certificate of the demo's CA beside its secret.
pub(super) const TWO_FACTORS: &str = "app_z2gd7mfu";

/// The program whose tokens are bound to a key, of which it brings proofs beside its secret.
pub(super) const WITH_PROOFS: &str = "app_d6hw2nzx";

/// The program of which each token is bound to a certificate and to a key.
pub(super) const BOUND_TWICE: &str = "app_w7jd5shg";

/// The program of the profile fapi2 that signs assertions and brings proofs.
pub(super) const FAPI_SIGNING: &str = "app_f3kr8yqm";

/// The program of the profile fapi2 that proves itself by a certificate.
pub(super) const FAPI_CERTIFICATE: &str = "app_t9cx4bvp";

/// Those that may sign grants, with the one key of their partner. It is as good as their trust: whoever has it
/// can ask in the name of each.
const GRANTING: [&str; 6] =
    [sample::APPLICATION, SIGNING, WITH_PROOFS, BOUND_TWICE, FAPI_SIGNING, FAPI_CERTIFICATE];

/// A contact that all of them can act for, and the client through which they can.
pub(super) const CONTACT: &str = "CON2001";
const CLIENT: &str = "CLI1001";

type Pairs<'a> = &'a [(&'static str, &'a str)];

/// The applications, then the trusts in them; the client and the resource must stand before them.
pub(super) fn rows() -> Result<Vec<Row>, Invalid> {
    let subject = format!("CN={PARTNER}");
    let name = ("certificate_subject_dn", subject.as_str());
    let (proofs, fapi2) = (("dpop_bound_access_tokens", "true"), ("profile", "fapi2"));
    let programs: [(&str, &str, &str, Pairs<'_>); 7] = [
        (SELF_SIGNED, "Ledgerlark archive", "self_signed_tls_client_auth", &[]),
        (SIGNING, "Ledgerlark batch", "private_key_jwt", &[]),
        (TWO_FACTORS, "Ledgerlark treasury", "client_secret_basic", &[("certificate", "required"), name]),
        (WITH_PROOFS, "Ledgerlark invoices", "client_secret_basic", &[proofs]),
        (BOUND_TWICE, "Ledgerlark payroll", "tls_client_auth", &[name, proofs]),
        (FAPI_SIGNING, "Ledgerlark payments", "private_key_jwt", &[proofs, fapi2]),
        (FAPI_CERTIFICATE, "Ledgerlark clearing", "tls_client_auth", &[name, fapi2]),
    ];
    let applications = programs.iter().map(|(id, name, methods, more)| {
        let pairs = [
            ("application_id", *id),
            ("name", *name),
            ("trusted", "true"),
            ("status", "active"),
            ("resources", sample::PAYMENTS),
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
    for application in GRANTING {
        register(bound, application, CredentialValue::Key(jwk.as_str().into())).await?;
    }
    Ok(())
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
        assert_eq!(rows.len(), 14);
    }
}
