//! A certificate that stands in a registration (RFC 8705 2.2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::ArgMatches;
use procura_protocol::time::UnixSeconds;
use procura_store::administration::{CredentialRecord, CredentialValue, NewCredential, Shown};
use procura_store::credential::CredentialKind;
use procura_store::fields::Key;
use procura_x509::Certificate;
use serde_json::{Map, Value, json};

use super::{end_of, named, registered};
use crate::exit::{Failure, Outcome};
use crate::output::{self, Form, plain};
use crate::wiring::Desk;

pub(super) fn about() -> (String, String) {
    let about = "Register a certificate of an application, or end one".to_owned();
    let long = "For self_signed_tls_client_auth, and as a second factor: the certificate itself is compared, not \
                who issued it. Two live at once, so that one can be replaced without a pause: add the second, let \
                the application use it, retire the first. A certificate by a configured CA needs no registration: \
                say what it must say, with --certificate-san-dns or its like.\n\n\
                Examples:\n  \
                procura application certificate add app_klapp klapp.pem --data DIR\n  \
                procura application certificate list app_klapp --data DIR\n  \
                procura application certificate retire app_klapp 7 --data DIR";
    (about, long.to_owned())
}

/// What the file holds.
pub(super) const FILE: &str = "The certificate in PEM, alone: neither its chain nor its private key";

pub(super) fn add(
    desk: &Desk,
    form: Form,
    owner: &Key,
    (matches, wanted): (&ArgMatches, Option<UnixSeconds>),
) -> Outcome {
    let (shown, bytes) = super::read_file(matches)?;
    let certificate = Certificate::from_pem(&bytes)
        .map_err(|problem| Failure::usage(format_args!("{shown} can't be registered: {problem}")))?;
    let now = desk.context(None).at.seconds();
    check(&certificate, now).map_err(|problem| Failure::refused(format_args!("{shown}: {problem}")))?;
    if now < certificate.not_before() {
        output::note(&format!("procura: {shown} proves nothing before {}", certificate.not_before()));
    }
    // Its last second is one in which it still holds (RFC 5280 4.1.2.5).
    let own = certificate.not_after().plus(1);
    let expires_at = wanted.map_or(own, |wanted| wanted.min(own));
    let value = CredentialValue::Certificate(certificate.der().into());
    let no = registered(desk, owner, NewCredential { value, expires_at: Some(expires_at) })?;
    let mut value = named(owner, CredentialKind::Certificate, no);
    value.insert("expires_at".to_owned(), end_of(Some(expires_at)));
    describe_read(&certificate, &mut value);
    let subject = plain(&certificate.subject());
    form.print(&format!("{owner}: certificate {no} of {subject}, good until {expires_at}"), &value)
}

fn check(certificate: &Certificate, now: UnixSeconds) -> Result<(), String> {
    if certificate.not_after() < now {
        return Err(format!("the certificate has ended, at {}", certificate.not_after()));
    }
    if !certificate.has_strong_key() {
        return Err(
            "the certificate's key is too weak, or of a kind that is not taken: use EC, Ed25519, or RSA \
                    from 2048 bits"
                .to_owned(),
        );
    }
    Ok(())
}

/// What can be shown of a certificate that is kept.
pub(super) fn describe(credential: &CredentialRecord, value: &mut Map<String, Value>) {
    let Shown::Certificate(der) = &credential.shown else { return };
    if let Ok(certificate) = Certificate::from_der(der) {
        describe_read(&certificate, value);
    }
}

fn describe_read(certificate: &Certificate, value: &mut Map<String, Value>) {
    value.insert("subject".to_owned(), json!(certificate.subject()));
    value.insert("not_before".to_owned(), json!(certificate.not_before().to_string()));
    value.insert("not_after".to_owned(), json!(certificate.not_after().to_string()));
    value.insert("thumbprint".to_owned(), json!(URL_SAFE_NO_PAD.encode(certificate.thumbprint())));
}
