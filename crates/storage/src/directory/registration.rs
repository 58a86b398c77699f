//! How applications prove themselves: from rows to records.

use std::net::IpAddr;
use std::sync::Arc;

use procura_jose::digest::sha256;
use procura_protocol::application_auth::{
    AssertionAudience, AuthMethods, CertificateSubject, Profile, SecondFactor,
};
use procura_protocol::time::UnixSeconds;
use procura_store::administration::StoreError;
use procura_store::credential::CredentialKind;
use procura_store::records::{
    Application, CredentialNo, RegisteredCertificate, RegisteredKey, RegisteredSecret, Registration,
    Resource, SecretHash,
};
use rusqlite::Row;

use super::rows::{algorithm, blob, integer, number, optional, optional_text};

/// What an application's columns say, from the one at `first` on; without certificates and keys.
pub(super) fn registration(row: &Row<'_>, first: usize) -> Result<Registration, StoreError> {
    let code = |at| Ok::<_, StoreError>(u8::try_from(integer(row, at)?).unwrap_or_default());
    let methods = AuthMethods::from_bits(code(first)?);
    let second_factor = SecondFactor::from_code(code(first + 1)?);
    let audience = AssertionAudience::from_code(code(first + 9)?);
    let profile = Profile::from_code(code(first + 12)?);
    Ok(Registration {
        methods: methods.ok_or(StoreError::Damaged("ways to authenticate"))?,
        second_factor: second_factor.ok_or(StoreError::Damaged("what a certificate is"))?,
        bound_tokens: integer(row, first + 2)? == 1,
        subject: subject(row, first + 3)?,
        certificates: Box::default(),
        keys: Box::default(),
        jwks_uri: optional_text(row, first + 8)?.map(Box::from),
        assertion_audience: audience.ok_or(StoreError::Damaged("audience of assertions"))?,
        assertion_algorithm: match optional(row, first + 10)? {
            Some(_) => Some(algorithm(row, first + 10)?),
            None => None,
        },
        proof_of_key: integer(row, first + 11)? == 1,
        profile: profile.ok_or(StoreError::Damaged("an application's profile"))?,
    })
}

/// The one of five columns that is there.
fn subject(row: &Row<'_>, first: usize) -> Result<Option<CertificateSubject>, StoreError> {
    let address = |text: &str| text.parse::<IpAddr>().map_err(|_| StoreError::Damaged("an address"));
    for at in 0..5 {
        let Some(text) = optional_text(row, first + at)? else { continue };
        return Ok(Some(match at {
            0 => CertificateSubject::Dn(text.into()),
            1 => CertificateSubject::Dns(text.into()),
            2 => CertificateSubject::Uri(text.into()),
            3 => CertificateSubject::Ip(address(text)?),
            _ => CertificateSubject::Email(text.into()),
        }));
    }
    Ok(None)
}

/// A credential, as decisions see it.
pub(super) enum Credential {
    Secret(RegisteredSecret),
    Certificate(RegisteredCertificate),
    Key(RegisteredKey),
}

/// A row of the `credential` table, with the number of its owner.
pub(super) fn credential(row: &Row<'_>) -> Result<(u32, Credential), StoreError> {
    let no = CredentialNo(number(row, 1)?);
    let kind = u8::try_from(integer(row, 2)?).ok().and_then(CredentialKind::from_code);
    let value = blob(row, 3)?.ok_or(StoreError::Damaged("value of a credential"))?;
    // A second that has begun counts as over: what has expired must never prove anything.
    let expires_at = optional(row, 4)?.map(|millis| UnixSeconds(millis.div_euclid(1000)));
    let credential = match kind.ok_or(StoreError::Damaged("kind of a credential"))? {
        CredentialKind::Secret => {
            let hash = value.try_into().map_err(|_| StoreError::Damaged("hash of a secret"))?;
            Credential::Secret(RegisteredSecret { no, hash: SecretHash(hash), expires_at })
        }
        CredentialKind::Certificate => {
            let thumbprint = sha256(value);
            Credential::Certificate(RegisteredCertificate { no, thumbprint, expires_at })
        }
        CredentialKind::Key => {
            let jwk = std::str::from_utf8(value).map_err(|_| StoreError::Damaged("a key"))?;
            Credential::Key(RegisteredKey { no, jwk: jwk.into(), expires_at })
        }
    };
    Ok((number(row, 0)?, credential))
}

/// Gives an application what was read for it.
pub(super) fn give_application(
    application: &mut Application,
    credentials: impl IntoIterator<Item = Credential>,
) {
    let (mut certificates, mut keys) = (Vec::new(), Vec::new());
    for credential in credentials {
        match credential {
            Credential::Secret(secret) => application.secrets.push(secret),
            Credential::Certificate(certificate) => certificates.push(certificate),
            Credential::Key(key) => keys.push(key),
        }
    }
    if !certificates.is_empty() || !keys.is_empty() {
        let registration = Arc::make_mut(&mut application.registration);
        registration.certificates = certificates.into();
        registration.keys = keys.into();
    }
}

/// Gives a resource its secrets; it has nothing else.
pub(super) fn give_resource(resource: &mut Resource, credentials: impl IntoIterator<Item = Credential>) {
    let secret = |credential| match credential {
        Credential::Secret(secret) => Some(secret),
        Credential::Certificate(_) | Credential::Key(_) => None,
    };
    resource.secrets.extend(credentials.into_iter().filter_map(secret));
}
