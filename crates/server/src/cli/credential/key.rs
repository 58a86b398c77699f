//! A public key that verifies an application's assertions (RFC 7523 2.2).

use clap::ArgMatches;
use procura_jose::Jwk;
use procura_protocol::time::UnixSeconds;
use procura_store::administration::{CredentialRecord, CredentialValue, NewCredential, Shown};
use procura_store::credential::CredentialKind;
use procura_store::fields::Key;
use serde_json::{Map, Value, json};

use super::{end_of, named, public_key, registered};
use crate::exit::{Failure, Outcome};
use crate::output::{Form, plain};
use crate::wiring::Desk;

pub(super) fn about() -> (String, String) {
    let about = "Register a key that verifies an application's assertions, or end one".to_owned();
    let long = "For private_key_jwt: the application signs, and only it has the private half. Two live at once, so \
                that one can be replaced without a pause: add the second, let the application sign with it, retire \
                the first. An application that publishes its keys has them at --jwks-uri instead.\n\n\
                Examples:\n  \
                procura application key add app_klapp key.jwk --data DIR\n  \
                openssl pkey -in private.pem -pubout -out public.pem\n  \
                procura application key add app_klapp public.pem --data DIR --expires 365d";
    (about, long.to_owned())
}

/// What the file holds.
pub(super) const FILE: &str =
    "The public key: a JWK, or PEM (EC P-256, Ed25519, or RSA, which is taken for PS256)";

pub(super) fn add(
    desk: &Desk,
    form: Form,
    owner: &Key,
    (matches, expires_at): (&ArgMatches, Option<UnixSeconds>),
) -> Outcome {
    let (shown, bytes) = super::read_file(matches)?;
    let jwk = public_key::read(&bytes)
        .map_err(|problem| Failure::usage(format_args!("{shown} can't be registered: {problem}")))?;
    // Written anew: what we do not know of it is not kept.
    let text = serde_json::to_string(&jwk).map_err(Failure::unavailable)?;
    let value = CredentialValue::Key(text.into());
    let no = registered(desk, owner, NewCredential { value, expires_at })?;
    let mut value = named(owner, CredentialKind::Key, no);
    value.insert("expires_at".to_owned(), end_of(expires_at));
    describe_read(&jwk, &mut value);
    let until = expires_at.map_or_else(String::new, |end| format!(", good until {end}"));
    let kid = plain(jwk.kid().as_str());
    form.print(&format!("{owner}: key {no}, {} {kid}{until}", jwk.algorithm()), &value)
}

/// What can be shown of a key that is kept.
pub(super) fn describe(credential: &CredentialRecord, value: &mut Map<String, Value>) {
    let Shown::Key(text) = &credential.shown else { return };
    if let Ok(jwk) = serde_json::from_str::<Jwk>(text) {
        describe_read(&jwk, value);
    }
}

fn describe_read(jwk: &Jwk, value: &mut Map<String, Value>) {
    value.insert("kid".to_owned(), json!(jwk.kid().as_str()));
    value.insert("alg".to_owned(), json!(jwk.algorithm().to_string()));
}
