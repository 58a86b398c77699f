//! `procura token CONTACT`: a partner's own view, through the SDK.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{ArgMatches, Args, Command};
use procura_client::{
    Application, ApplicationId, AssertionKey, Blame, ClientId, ClientIdentity, ContactId, Error, Issuer,
    Permissions, PostTokenForContactResponse, Procura, ReqwestTransport, ResourceId, Secret, TokenOptions,
    VerifiedIdToken,
};
use serde_json::json;
use zeroize::Zeroizing;

use super::{Json, arguments};
use crate::config::environment::SECRET;
use crate::exit::{Failure, Outcome};
use crate::output::{self, Form, plain};

#[derive(Debug, Args)]
struct Arguments {
    /// The contact to act for
    contact: ContactId,
    /// The server's issuer, for instance https://token.example
    #[arg(long, value_name = "URL")]
    issuer: Issuer,
    /// The application that asks; its secret comes from PROCURA_SECRET or, without certificate and key, is
    /// asked for
    #[arg(long, value_name = "ID")]
    application: ApplicationId,
    /// Only this client; may be repeated
    #[arg(long, value_name = "ID")]
    client: Vec<ClientId>,
    /// Only these permissions, names separated by spaces
    #[arg(long, value_name = "NAMES", value_parser = permissions)]
    permissions: Option<Permissions>,
    /// The API that the access token is for; without it the application's default
    #[arg(long, value_name = "URI")]
    resource: Option<ResourceId>,
    #[command(flatten)]
    proof: Proof,
    #[command(flatten)]
    json: Json,
}

/// What proves the application beside its secret, or instead of it.
#[derive(Debug, Args)]
struct Proof {
    /// The application's certificate, PEM, to be shown to the server
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// The private key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// A private key, PEM, to sign an assertion with (private_key_jwt)
    #[arg(long, value_name = "FILE")]
    assertion_key: Option<PathBuf>,
    /// Where the server asks for certificates, if neither its issuer nor its metadata say so
    #[arg(long, value_name = "URL", requires = "certificate")]
    mutual_tls_at: Option<Issuer>,
    /// Certificates of authorities, PEM, that may vouch for the server beside the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

pub(super) fn command() -> Command {
    Arguments::augment_args(Command::new("token"))
        .about("Ask a running server for a contact token, as a partner's program does")
        .after_long_help(
            "Asks through the SDK, verifies the ID token with the server's published keys, and prints both \
             tokens. Whoever has the access token can act for the contact until it expires.\n\n\
             Examples:\n  \
             procura token CON1 --issuer http://127.0.0.1:8080 --application app_klapp\n  \
             PROCURA_SECRET=$(cat secret) procura token CON1 --issuer https://token.example \\\n    \
             --application app_klapp --client CLI100 --json\n  \
             procura token CON1 --issuer https://token.example --application app_klapp \\\n    \
             --certificate partner.crt --key partner.key",
        )
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let arguments: Arguments = arguments(matches)?;
    let options = options(&arguments)?;
    let application = application(&arguments)?;
    let transport = transport(&arguments.proof)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unavailable(format_args!("no runtime could be started: {error}")))?;
    let (response, verified) = runtime.block_on(async {
        let server = Procura::connect_by(application, transport);
        let response = server.token_for_contact_with(&arguments.contact, &options).await.map_err(failed)?;
        let verified = server.verify_id_token(&response, &arguments.contact).await.map_err(failed)?;
        Ok::<_, Failure>((response, verified))
    })?;
    show(arguments.json.form(), &response, &verified)
}

fn options(arguments: &Arguments) -> Result<TokenOptions, Failure> {
    let mut options = TokenOptions::default();
    if let Some(permissions) = arguments.permissions {
        options = options.only_permissions(permissions).map_err(Failure::usage)?;
    }
    if !arguments.client.is_empty() {
        options = options.only_clients(arguments.client.iter().cloned()).map_err(Failure::usage)?;
    }
    Ok(match &arguments.resource {
        Some(resource) => options.for_resource(resource.clone()),
        None => options,
    })
}

fn permissions(text: &str) -> Result<Permissions, String> {
    Permissions::parse(text).map_err(|error| error.to_string())
}

/// With an assertion key by that; with a certificate alone by that, unless there is a secret in the
/// environment, beside which it is a second factor; else by the secret.
fn application(arguments: &Arguments) -> Result<Application, Failure> {
    let (issuer, id, proof) = (arguments.issuer.clone(), &arguments.application, &arguments.proof);
    let application = match &proof.assertion_key {
        Some(file) => {
            let key = AssertionKey::from_pem(&Secret::from(read(file)?));
            let key = key.map_err(|why| Failure::usage(format_args!("{} {why}", file.display())))?;
            Application::by_assertion(issuer, id, Arc::new(key))
        }
        None if proof.certificate.is_some() && std::env::var_os(SECRET).is_none() => {
            Application::by_certificate(issuer, id)
        }
        None => Application::new(issuer, id, &secret()?),
    };
    let application = if proof.certificate.is_some() { application.with_certificate() } else { application };
    Ok(match &proof.mutual_tls_at {
        Some(base) => application.mutual_tls_at(base.clone()),
        None => application,
    })
}

fn transport(proof: &Proof) -> Result<ReqwestTransport, Failure> {
    let mut builder = ReqwestTransport::builder();
    if let Some(file) = &proof.ca {
        let told = |why| Failure::usage(format_args!("{} {why}", file.display()));
        builder = builder.extra_roots(&read(file)?).map_err(told)?;
    }
    if let (Some(certificate), Some(key)) = (&proof.certificate, &proof.key) {
        let identity = ClientIdentity::from_pem(&read(certificate)?, &Secret::from(read(key)?));
        let told =
            |why| Failure::usage(format_args!("{} and {}: {why}", certificate.display(), key.display()));
        builder = builder.identity(identity.map_err(told)?);
    }
    Ok(builder.build())
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file)
        .map_err(|error| Failure::usage(format_args!("{} can't be read: {error}", file.display())))
}

/// Never from an argument: those are shown to every user of the host.
fn secret() -> Result<Secret, Failure> {
    if let Some(secret) = std::env::var_os(SECRET) {
        let secret = secret.into_string();
        return secret.map(Secret::from).map_err(|_| Failure::usage(format_args!("{SECRET} is not UTF-8")));
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format_args!(
            "there is no terminal to ask for the application's secret: put it into {SECRET}"
        )));
    }
    let secret = rpassword::prompt_password("Secret of the application: ")
        .map_err(|error| Failure::usage(format_args!("the secret can't be read: {error}")))?;
    Ok(Secret::from(secret))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: Error) -> Failure {
    let told = plain(&error.to_string());
    match (&error, error.blame()) {
        (_, Blame::Caller) => Failure::refused(told),
        (Error::IdToken(_), _) => Failure::integrity(told),
        _ => Failure::unavailable(told),
    }
}

fn show(form: Form, response: &PostTokenForContactResponse, verified: &VerifiedIdToken) -> Outcome {
    let text = |token: &Option<procura_client::Token>| {
        Zeroizing::new(token.as_ref().map(|token| token.expose().to_owned()).unwrap_or_default())
    };
    let (access_token, id_token) = (text(&response.access_token), text(&response.id_token));
    let seconds = response.expires_in.map(|left| left.as_secs().to_string());
    let token_type = response.token_type.map(procura_client::TokenType::as_str);
    match form {
        Form::Json => output::json_line(&json!({
            "access_token": *access_token,
            "expires_in": seconds,
            "id_token": *id_token,
            "token_type": token_type,
        })),
        Form::Text => {
            let clients: Vec<String> =
                verified.clients.iter().map(|client| format!("{}  {}", client.id, client.name)).collect();
            let lines = [
                ("contact", verified.contact.to_string()),
                ("expires", verified.expires_at.to_string()),
                ("clients", clients.join(", ")),
            ];
            let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, Some(value.as_str()))).collect();
            output::line(&output::pairs(lines.into_iter()))?;
            output::line(&format!("\naccess_token\n{}", *access_token))?;
            output::line(&format!("\nid_token\n{}", *id_token))
        }
    }
}
