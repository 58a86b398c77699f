//! Makes tokens of recipes, and keeps those that are there.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE};
use procura_jose::{base64url, digest};
use serde_json::Value;

use super::der;
use super::keys::Keys;
use super::numbers;
use super::recipe::{Edit, KnownBytes, Made, PartName, Recipe, Signature, Turn, Writing};
use crate::steps::Failure;

/// Makes tokens. Signatures that are random come from the tokens of the file, where they still fit.
pub(super) struct Maker<'a> {
    keys: &'a Keys,
    signatures: HashMap<Signed, Vec<u8>>,
}

/// What is signed, by which key and with which algorithm.
#[derive(PartialEq, Eq, Hash)]
struct Signed {
    key: String,
    algorithm: String,
    message: String,
}

impl<'a> Maker<'a> {
    /// Takes over the signatures of `file` that still verify.
    pub(super) fn of(keys: &'a Keys, file: &Value) -> Self {
        let mut maker = Maker { keys, signatures: HashMap::new() };
        for list in super::LISTS {
            for case in file[list].as_array().into_iter().flatten() {
                maker.keep(case);
            }
        }
        maker
    }

    /// Remembers the signature of a case, if nothing was done to it.
    fn keep(&mut self, case: &Value) -> Option<()> {
        let recipe = &case["recipe"];
        let key = recipe["key"].as_str()?;
        let algorithm = match recipe.get("signature") {
            None => self.keys.algorithm(key),
            Some(signature) => signature["by"].as_str()?,
        };
        let mut written = recipe["written"].as_array().into_iter().flatten();
        if recipe.get("then").is_some() || written.any(|writing| writing[0] == "signature") {
            return None;
        }
        let (shown, signature) = case["token"].as_str()?.rsplit_once('.')?;
        let message = match recipe.get("signed") {
            Some(signed) => message(&signed["header"], &signed["claims"]),
            None => shown.to_owned(),
        };
        let signature = base64url::decode(signature).ok()?;
        if self.keys.verifies(key, algorithm, message.as_bytes(), &signature) {
            let signed = Signed { key: key.to_owned(), algorithm: algorithm.to_owned(), message };
            self.signatures.insert(signed, signature);
        }
        Some(())
    }

    /// The token of a recipe.
    pub(super) fn make(&mut self, recipe: &Recipe) -> Result<String, Failure> {
        match recipe {
            Recipe::Raw(text) => Ok(text.clone()),
            Recipe::Made(made) => self.assemble(made),
        }
    }

    fn assemble(&mut self, made: &Made) -> Result<String, Failure> {
        let header = write(made, PartName::Header, &made.header.bytes())?;
        let claims = write(made, PartName::Claims, &made.claims.bytes())?;
        let message = match &made.signed {
            Some((header, claims)) => message(header, claims),
            None => format!("{header}.{claims}"),
        };
        let signature = write(made, PartName::Signature, &self.signature(made, &message)?)?;
        let mut parts = vec![header, claims, signature];
        let mut text = parts.join(".");
        for edit in &made.then {
            let edited = apply(edit, &mut parts, &text);
            if edited == text {
                return Err(broken(&format!("{edit:?} changes nothing")));
            }
            text = edited;
        }
        Ok(text)
    }

    fn signature(&mut self, made: &Made, message: &str) -> Result<Vec<u8>, Failure> {
        let own = self.keys.algorithm(made.key);
        match &made.signature {
            Signature::Own => self.sign(made.key, own, message),
            Signature::By(algorithm) => self.sign(made.key, algorithm, message),
            Signature::Hmac(bytes) => {
                let key = self.known(made.key, *bytes);
                Ok(digest::hmac_sha256(&key, message.as_bytes()).to_vec())
            }
            Signature::Bytes(text) => base64url::decode(text).map_err(|_| broken(text)),
            Signature::Turned(turn) => turned(*turn, &self.sign(made.key, own, message)?),
        }
    }

    fn sign(&mut self, key: &str, algorithm: &str, message: &str) -> Result<Vec<u8>, Failure> {
        let [key, algorithm, message] = [key, algorithm, message].map(str::to_owned);
        let signed = Signed { key, algorithm, message };
        if let Some(signature) = self.signatures.get(&signed) {
            return Ok(signature.clone());
        }
        let signature = self.keys.sign(&signed.key, &signed.algorithm, signed.message.as_bytes())?;
        self.signatures.insert(signed, signature.clone());
        Ok(signature)
    }

    fn known(&self, key: &str, bytes: KnownBytes) -> Vec<u8> {
        let number = |member| self.keys.number(key, member);
        let public = self.keys.public(key);
        let first = if public["kty"] == "RSA" { "n" } else { "x" };
        match bytes {
            KnownBytes::Nothing => Vec::new(),
            KnownBytes::SpkiDer => self.spki(key),
            KnownBytes::SpkiPem => der::pem(&self.spki(key)).into_bytes(),
            KnownBytes::SpkiPemWithoutLineFeed => der::pem(&self.spki(key)).trim_end().as_bytes().to_vec(),
            KnownBytes::Jwk => public.to_string().into_bytes(),
            KnownBytes::Kid => self.keys.kid(key).as_bytes().to_vec(),
            KnownBytes::FirstNumber => number(first),
            KnownBytes::FirstNumberText => base64url::encode(&number(first)).into_bytes(),
            KnownBytes::Point => [vec![4], number("x"), number("y")].concat(),
        }
    }

    fn spki(&self, key: &str) -> Vec<u8> {
        let number = |member| self.keys.number(key, member);
        match self.keys.public(key)["kty"].as_str() {
            Some("RSA") => der::spki_of_rsa(&number("n"), &number("e")),
            Some("OKP") => der::spki_of_ed25519(&number("x")),
            _ => der::spki_of_point(&number("x"), &number("y")),
        }
    }
}

/// What is signed when these are header and claims.
fn message(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| base64url::encode(value.to_string().as_bytes());
    format!("{}.{}", encode(header), encode(claims))
}

/// The text of a part.
fn write(made: &Made, name: PartName, bytes: &[u8]) -> Result<String, Failure> {
    let writing = made.written.iter().find(|(part, _)| *part == name).map(|(_, writing)| *writing);
    let usual = base64url::encode(bytes);
    let other = match writing {
        None => return Ok(usual),
        Some(Writing::Padded) => URL_SAFE.encode(bytes),
        Some(Writing::Standard) => STANDARD_NO_PAD.encode(bytes),
        Some(Writing::SpareBits) => numbers::with_spare_bits(&usual, bytes.len()),
    };
    // A case that says what it does not do would prove nothing.
    if other == usual { Err(broken(&format!("{name:?} looks the same as {writing:?}"))) } else { Ok(other) }
}

fn apply(edit: &Edit, parts: &mut Vec<String>, text: &str) -> String {
    let place = |name: PartName| match name {
        PartName::Header => 0,
        PartName::Claims => 1,
        PartName::Signature => 2,
    };
    match edit {
        Edit::Keep(name, characters) => parts[place(*name)].truncate(*characters),
        Edit::Insert(name, at, inserted) => parts[place(*name)].insert_str(*at, inserted),
        Edit::Replace(name, other) => parts[place(*name)].clone_from(other),
        Edit::Parts(count) => parts.truncate(*count),
        Edit::Prepend(before) => return format!("{before}{text}"),
        Edit::Append(after) => return format!("{text}{after}"),
    }
    parts.join(".")
}

fn turned(turn: Turn, signature: &[u8]) -> Result<Vec<u8>, Failure> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let zeros = vec![0; r.len()];
    Ok(match turn {
        Turn::Der => der::signature(r, s),
        Turn::Swapped => [s, r].concat(),
        Turn::ZeroR => [&zeros, s].concat(),
        Turn::ZeroS => [r, &zeros].concat(),
        Turn::NegatedS => [r, &numbers::order_minus(s)].concat(),
        Turn::RaisedS => [r, &numbers::plus_order(s)].concat(),
        Turn::LedByZero => [&[0], signature].concat(),
        Turn::TrailedByZero => [signature, &[0]].concat(),
        Turn::Short => signature[..signature.len() - 1].to_vec(),
        Turn::OneBit => {
            let mut other = signature.to_vec();
            let last = other.last_mut().ok_or_else(|| broken("an empty signature"))?;
            *last ^= 1;
            other
        }
    })
}

fn broken(what: &str) -> Failure {
    Failure::wrong(format!("a recipe of the vectors can't be followed: {what}"))
}
