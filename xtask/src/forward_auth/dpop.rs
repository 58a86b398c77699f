//! Tokens that are bound to a key (RFC 9449), behind both proxies.
//!
//! A partner proves its key to Procura and gets such a token, then shows it to the proxy: with a proof for the URL by
//! which callers reach the API, with one that was used, with one for something else, and without. Nonces are
//! required, so that it is seen whether they find their way back through the proxy.

use std::fs;
use std::path::Path;

use procura_jose::digest::sha256;
use procura_jose::{Algorithm, CompactPrefix, PrivateKey, append_signature, base64url, compact_input};
use serde_json::{Value, json};

use super::cases::CONTACT;
use super::{Run, exchange, right};
use crate::procura::{ISSUER, Procura};
use crate::steps::Failure;
use crate::wire::basic;

/// The partner's program whose tokens are bound to its key.
const KEYED: &str = "app_keyed";
/// Where callers reach the API: `url` of the documented policies.
const API: &str = "https://quotes.example";
const PATH: &str = "/v1/quotes/EUR";

/// What the server's configuration ends with.
pub(super) const SETTINGS: &str = "[dpop]\nrequire_nonce = true\n";

const ROWS: [(&str, &str); 2] = [
    ("application", "application_id,name,trusted,dpop_bound_access_tokens\napp_keyed,Keyed,true,true\n"),
    ("trust", "client_id,application_id,contacts,ceiling,reason\ncli.alder,app_keyed,*,all,test\n"),
];

/// The partner's key, and its secret.
pub(super) struct Keyed {
    key: PrivateKey,
    secret: String,
}

/// What came through the proxy.
struct Came {
    status: u16,
    text: String,
    reached: usize,
}

impl Keyed {
    /// Registers the partner and its trust.
    pub(super) fn fill(procura: &Procura, folder: &Path) -> Result<Keyed, Failure> {
        for (noun, rows) in ROWS {
            let file = folder.join(format!("keyed-{noun}.csv"));
            fs::write(&file, rows).map_err(|why| Failure::wrong(format!("no rows: {why}")))?;
            procura.import(noun, &file)?;
        }
        Ok(Keyed { key: new_key()?, secret: procura.secret(KEYED)? })
    }

    /// All cases, at the proxy's plain listener.
    pub(super) fn check(&self, run: &mut Run) -> Result<(), Failure> {
        let token = self.token(run)?;
        let url = format!("{API}{PATH}");
        let dpop = format!("DPoP {token}");
        let nonce = self.nonce(run, &url, &token)?;
        let claims = |method: &str, url: &str, jti: &str, token: Option<&str>| {
            with_nonce(claims(method, url, jti, token), &nonce)
        };
        let proof = |jti: &str, url: &str| sign(&self.key, &claims("GET", url, jti, Some(&*token)));
        let good = proof("1", &url)?;
        let elsewhere = proof("2", &format!("{ISSUER}{PATH}"))?;
        let other_path = proof("3", &format!("{API}/v1/quotes/USD"))?;
        let posted = sign(&self.key, &claims("POST", &url, "4", Some(&*token)))?;
        let thief = sign(&new_key()?, &claims("GET", &url, "1", Some(&*token)))?;
        let without_token = sign(&self.key, &claims("GET", &url, "5", None))?;
        let bearer = format!("Bearer {token}");
        for (name, authorization, proofs, status) in [
            ("a token of a key without a proof", &dpop, &[][..], 401),
            ("a token of a key with a proof for another host", &dpop, &[&*elsewhere], 401),
            ("a token of a key with a proof for another path", &dpop, &[&*other_path], 401),
            ("a token of a key with a proof for another method", &dpop, &[&*posted], 401),
            ("a token of a key with a proof for no token", &dpop, &[&*without_token], 401),
            ("a token of a key with a proof of another key", &dpop, &[&*thief], 401),
            ("a token of a key with two proofs", &dpop, &[&*good, &*good], 401),
            ("a token of a key as Bearer, with its proof", &bearer, &[&*good], 401),
            ("a token of a key with its proof", &dpop, &[&*good], 200),
            ("a token of a key with a proof that was used", &dpop, &[&*good], 401),
        ] {
            let came = self.ask(run, authorization, proofs)?;
            let challenged = status == 200 || came.text.to_lowercase().contains("www-authenticate:");
            let fits = came.status == status && came.reached == usize::from(status == 200) && challenged;
            run.tell(name, right(fits, || came.why()));
        }
        Ok(())
    }

    /// A proof without a nonce, or with one that nobody gave out, is answered with one that is; and the caller sees
    /// it.
    fn nonce(&self, run: &mut Run, url: &str, token: &str) -> Result<String, Failure> {
        let (dpop, mut given) = (format!("DPoP {token}"), String::new());
        let without = claims("GET", url, "6", Some(token));
        for (name, claims) in [
            ("a proof without a nonce gets one", without.clone()),
            ("a proof with a nonce of nobody's gets one of ours", with_nonce(without, "nobodys")),
        ] {
            let came = self.ask(run, &dpop, &[&sign(&self.key, &claims)?])?;
            given = came.header("dpop-nonce").unwrap_or_default().to_owned();
            let told = came.header("www-authenticate").is_some_and(|said| said.contains("use_dpop_nonce"));
            let fits = came.status == 401 && told && !given.is_empty();
            run.tell(name, right(fits, || came.why()));
        }
        Ok(given)
    }

    fn token(&self, run: &Run) -> Result<String, Failure> {
        let claims = claims("POST", &format!("{ISSUER}/token/{CONTACT}"), "token", None);
        let (_, asked) = self.asked_for_token(run, &claims)?;
        let nonce = header(&asked, "dpop-nonce").unwrap_or_default();
        let (status, said) = self.asked_for_token(run, &with_nonce(claims, nonce))?;
        let body = said.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let answer: Value = serde_json::from_str(body).unwrap_or_default();
        match answer["access_token"].as_str() {
            Some(token) if answer["token_type"] == "DPoP" => Ok(token.to_owned()),
            _ => Err(Failure::wrong(format!("no token of a key: {status}"))),
        }
    }

    fn asked_for_token(&self, run: &Run, claims: &Value) -> Result<(u16, String), Failure> {
        let proof = sign(&self.key, claims)?;
        let request = format!(
            "POST /token/{CONTACT} HTTP/1.1\r\nHost: procura\r\nConnection: close\r\nAuthorization: {}\r\n\
             DPoP: {proof}\r\nContent-Length: 0\r\n\r\n",
            basic(KEYED, &self.secret),
        );
        exchange(run.server, &request)
    }

    fn ask(&self, run: &mut Run, authorization: &str, proofs: &[&str]) -> Result<Came, Failure> {
        let proofs: String = proofs.iter().map(|proof| format!("DPoP: {proof}\r\n")).collect();
        let request = format!(
            "GET {PATH}?client_id=cli.alder HTTP/1.1\r\nHost: quotes.example\r\nConnection: close\r\n\
             Authorization: {authorization}\r\n{proofs}\r\n"
        );
        let (status, text) = exchange(run.proxy, &request)?;
        Ok(Came { status, text, reached: run.upstream.take().len() })
    }
}

impl Came {
    fn header(&self, name: &str) -> Option<&str> {
        header(&self.text, name)
    }

    fn why(&self) -> String {
        let challenge = self.header("www-authenticate").unwrap_or("no challenge");
        format!("{} ({challenge}), and {} requests reached the upstream", self.status, self.reached)
    }
}

/// A field of an answer's head.
fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let lines = answer.lines().take_while(|line| !line.is_empty());
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn with_nonce(mut claims: Value, nonce: &str) -> Value {
    claims["nonce"] = nonce.into();
    claims
}

fn new_key() -> Result<PrivateKey, Failure> {
    let made = PrivateKey::generate(Algorithm::Es256);
    made.map(|(key, _)| key).map_err(|why| Failure::wrong(format!("no key: {why}")))
}

fn claims(method: &str, url: &str, jti: &str, token: Option<&str>) -> Value {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs());
    let mut claims = json!({ "jti": jti, "htm": method, "htu": url, "iat": now });
    if let Some(token) = token {
        claims["ath"] = base64url::encode(&sha256(token.as_bytes())).into();
    }
    claims
}

fn sign(key: &PrivateKey, claims: &Value) -> Result<String, Failure> {
    let prefix = CompactPrefix::bringing_its_key(&key.public_jwk(), "dpop+jwt");
    let message = compact_input(&prefix, claims.to_string().as_bytes());
    let signature = key.sign(&message).map_err(|why| Failure::wrong(format!("no signature: {why}")))?;
    let text = String::from_utf8(append_signature(message, signature.as_ref()));
    text.map_err(|why| Failure::wrong(why.to_string()))
}
