//! `procura dpop`: proofs of possession for calls that are made by hand (RFC 9449).

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{ArgMatches, Args, Command};
use http::{Method, Uri};
use procura_client::{Algorithm, Clock as _, DpopKey, ProofOf, Secret, SystemClock, SystemRandom, Token};
use serde_json::json;
use zeroize::Zeroizing;

use super::token::proof::{proof_key, read};
use super::{Json, arguments};
use crate::exit::{Failure, Outcome};

/// The largest file that is read for a token, in bytes.
const LARGEST_TOKEN: u64 = 64 * 1024;
/// How many characters of base64 stand in a line of PEM (RFC 7468 2).
const PEM_LINE: usize = 64;

#[derive(Debug, Args)]
struct Arguments {
    /// The private key, PEM, that the token is bound to
    #[arg(long, value_name = "FILE", requires = "url", required_unless_present = "new_key")]
    key: Option<PathBuf>,
    /// The method of the request
    #[arg(long, value_name = "METHOD", default_value = "GET", value_parser = method)]
    method: Method,
    /// The URL of the request
    #[arg(long, value_name = "URL", requires = "key")]
    url: Option<Uri>,
    /// The access token that goes with it, at an API; - reads standard input. Leave it out when asking for a token
    #[arg(long, value_name = "FILE", requires = "key")]
    token_file: Option<PathBuf>,
    /// What the server said in DPoP-Nonce
    // Base64url may begin with a hyphen.
    #[arg(long, value_name = "NONCE", requires = "key", allow_hyphen_values = true)]
    nonce: Option<String>,
    /// Make a new key, and write it there
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    new_key: Option<PathBuf>,
    /// Of which algorithm the new key is: ES256, PS256 or EdDSA
    #[arg(long, value_name = "ALGORITHM", default_value = "ES256", value_parser = algorithm)]
    algorithm: Algorithm,
    #[command(flatten)]
    json: Json,
}

pub(super) fn command() -> Command {
    Arguments::augment_args(Command::new("dpop"))
        .about("Make a proof of possession for a request of your own, or a key for it")
        .after_long_help(
            "Tokens of an application that is registered with dpop_bound_access_tokens are bound to a key: each \
             request for one, and each call with one, needs a proof in its DPoP header. A proof is of one method and \
             one URL, at an API also of the token, and is good once and for a minute.\n\n\
             Examples:\n  \
             procura dpop --new-key dpop.pem\n  \
             procura token CON1 --issuer https://token.example --application app_klapp \\\n    \
             --dpop-key dpop.pem --json | jq -r .access_token > token\n  \
             URL=https://bank.example/accounts?client_id=CLI100\n  \
             curl \"$URL\" -H \"Authorization: DPoP $(cat token)\" \\\n    \
             -H \"DPoP: $(procura dpop --key dpop.pem --token-file token --url \"$URL\")\"",
        )
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let arguments: Arguments = arguments(matches)?;
    match (&arguments.key, &arguments.url, &arguments.new_key) {
        (_, _, Some(file)) => make(&arguments, file),
        (Some(key), Some(url), None) => prove(&arguments, key, url),
        (_, _, None) => Err(Failure::usage("say with which key, and for which URL: --key FILE --url URL")),
    }
}

fn prove(arguments: &Arguments, key: &Path, url: &Uri) -> Outcome {
    let key = proof_key(key)?;
    let token = arguments.token_file.as_deref().map(token).transpose()?;
    let mut of = ProofOf::request(&arguments.method, url);
    if let Some(token) = &token {
        of = of.with_token(token);
    }
    if let Some(nonce) = &arguments.nonce {
        of = of.with_nonce(nonce);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| Failure::unavailable(format_args!("no runtime could be started: {error}")))?;
    let proof = runtime.block_on(key.proof(&of, SystemClock::new().now(), &SystemRandom));
    let proof = proof.map_err(Failure::usage)?;
    let proof = proof.to_str().map_err(Failure::unavailable)?;
    arguments.json.form().print(proof, &json!({ "proof": proof, "jkt": key.thumbprint().as_str() }))
}

/// Never from an argument: those are shown to every user of the host.
fn token(file: &Path) -> Result<Token, Failure> {
    let told = |what: &str| Failure::usage(format_args!("{} {what}", file.display()));
    let bytes = Zeroizing::new(if file == Path::new("-") { standard_input()? } else { read(file)? });
    let text = std::str::from_utf8(&bytes).map_err(|_| told("holds no token"))?.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(told("must hold one access token and nothing else"));
    }
    Ok(Token::from(text.to_owned()))
}

fn standard_input() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().take(LARGEST_TOKEN).read_to_end(&mut bytes);
    read.map_err(|error| Failure::usage(format_args!("standard input can't be read: {error}")))?;
    Ok(bytes)
}

fn make(arguments: &Arguments, file: &Path) -> Outcome {
    let algorithm = arguments.algorithm;
    let (key, pkcs8) = DpopKey::generate(algorithm).map_err(Failure::usage)?;
    let failed = |error| Failure::usage(format_args!("{} can't be written: {error}", file.display()));
    // Never over another: the tokens that are bound to it would be lost.
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(failed)?;
    out.write_all(pem(&pkcs8).as_bytes()).and_then(|()| out.sync_all()).map_err(failed)?;
    let (shown, jkt) = (file.display().to_string(), key.thumbprint().as_str());
    let value = json!({ "file": shown, "algorithm": algorithm.as_str(), "jkt": jkt });
    arguments
        .json
        .form()
        .print(&format!("{shown}: a new key for {algorithm}, with the thumbprint {jkt}"), &value)
}

fn pem(pkcs8: &Secret) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(pkcs8.expose()));
    let mut text = Zeroizing::new(String::with_capacity(body.len() + body.len() / PEM_LINE + 64));
    text.push_str("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(PEM_LINE));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END PRIVATE KEY-----\n");
    text
}

/// Names of methods have a case, and none that is in use has small letters.
fn method(text: &str) -> Result<Method, String> {
    text.to_ascii_uppercase()
        .parse()
        .map_err(|_| "must be the name of a method, for instance POST".to_owned())
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    let known = text.parse().ok().filter(|algorithm| *algorithm != Algorithm::Rs256);
    known.ok_or_else(|| "must be ES256, PS256 or EdDSA".to_owned())
}
