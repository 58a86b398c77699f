//! A secret: made here, shown once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use procura_jose::Random;
use procura_jose::digest::sha256;
use procura_protocol::secret::Secret;
use procura_protocol::time::UnixSeconds;
use procura_store::administration::{CredentialValue, NewCredential};
use procura_store::change::Entity;
use procura_store::credential::CredentialKind;
use procura_store::fields::Key;
use procura_store::records::{CredentialNo, SecretHash};
use serde_json::json;
use zeroize::Zeroizing;

use super::super::record::flags;
use super::{end_of, named, registered};
use crate::exit::Outcome;
use crate::output::{self, Form};
use crate::wiring::Desk;

/// What every secret begins with, so that scanners of leaked secrets can know one.
const PREFIX: &str = "pcs_";

/// Makes a secret and its hash: 32 random bytes in base64url behind the prefix (47 characters).
pub(in crate::cli) fn make(random: &dyn Random) -> (Secret, SecretHash) {
    let mut bytes = Zeroizing::new([0; 32]);
    random.fill(&mut *bytes);
    let secret = Secret::from(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(*bytes)));
    let hash = SecretHash(sha256(secret.expose()));
    (secret, hash)
}

pub(super) fn about(owner: Entity) -> (String, String) {
    let about = format!("Give {} a secret, or end one", flags::one(owner));
    let long = format!(
        "Two secrets live at once, so that one can be replaced without a pause: add the second, let the {owner} \
         use it, retire the first. A secret is shown once, when it is made; only its hash is kept.",
    );
    (about, long)
}

pub(super) fn add(desk: &Desk, form: Form, owner: &Key, expires_at: Option<UnixSeconds>) -> Outcome {
    let (secret, hash) = make(&procura_jose::SystemRandom);
    let no = registered(desk, owner, NewCredential { value: CredentialValue::Secret(hash), expires_at })?;
    show(form, owner, (no, expires_at), &secret)
}

/// The one place that prints a secret. Wiped afterwards as far as it is ours.
fn show(
    form: Form,
    owner: &Key,
    (no, expires_at): (CredentialNo, Option<UnixSeconds>),
    secret: &Secret,
) -> Outcome {
    let text = secret.expose_str().unwrap_or_default();
    match form {
        Form::Text => {
            let until = expires_at.map_or_else(String::new, |end| format!(", good until {end}"));
            output::note(&format!("secret {no} of {owner}{until}, shown this once:"));
            output::line(text)
        }
        Form::Json => {
            let mut value = named(owner, CredentialKind::Secret, no);
            value.insert("expires_at".to_owned(), end_of(expires_at));
            value.insert("secret".to_owned(), json!(text));
            output::json_line(&value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_256_random_bits_behind_a_prefix_that_scanners_know() {
        let (one, hash) = make(&procura_jose::SystemRandom);
        let (other, _) = make(&procura_jose::SystemRandom);
        let text = one.expose_str().unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX).unwrap()).unwrap().len(), 32);
        assert_eq!(hash, SecretHash(sha256(text.as_bytes())));
        assert_ne!(one.expose(), other.expose());
    }
}
