//! `procura token CONTACT`: a partner's own view, through the SDK.

pub(super) mod proof;

use clap::{ArgMatches, Args, Command, ValueEnum};
use procura_client::{
    Application, ApplicationId, Blame, ClientId, ContactId, Door, Error, Issuer, Permissions,
    PostTokenForContactResponse, Procura, ResourceId, TokenOptions, TokenType, VerifiedIdToken,
};
use serde_json::json;
use zeroize::Zeroizing;

use self::proof::Proof;
use super::{Json, arguments};
use crate::exit::{Failure, Outcome};
use crate::output::{self, Form, plain};

#[derive(Debug, Args)]
struct Arguments {
    /// The contact to act for; none with --door client-credentials
    contact: Option<ContactId>,
    /// The server's issuer, for instance https://token.example
    #[arg(long, value_name = "URL")]
    issuer: Issuer,
    /// The application that asks; its secret comes from PROCURA_SECRET or, without certificate and key, is
    /// asked for
    #[arg(long, value_name = "ID")]
    application: ApplicationId,
    /// How to ask
    #[arg(long, value_name = "DOOR", value_enum, default_value = "contact-token")]
    door: Asked,
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

/// By which request a token is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Asked {
    /// `POST /token/{contact_id}`
    ContactToken,
    /// `POST /token` by a signed assertion (RFC 7523)
    JwtBearer,
    /// `POST /token`, the same assertion exchanged for a token (RFC 8693)
    TokenExchange,
    /// `POST /token`, a token of the application itself (RFC 6749 4.4)
    ClientCredentials,
}

/// Whose token is asked for.
enum Whose {
    Contact(ContactId, TokenOptions),
    Application(Option<ResourceId>),
}

pub(super) fn command() -> Command {
    Arguments::augment_args(Command::new("token"))
        .about("Ask a running server for a contact token, as a partner's program does")
        .after_long_help(
            "Asks through the SDK, verifies the ID token with the server's published keys, and prints both \
             tokens. Whoever has the access token can act for the contact until it expires, unless it is bound to \
             a certificate or, by --dpop-key, to a key.\n\n\
             Examples:\n  \
             procura token CON1 --issuer http://127.0.0.1:8080 --application app_klapp\n  \
             PROCURA_SECRET=$(cat secret) procura token CON1 --issuer https://token.example \\\n    \
             --application app_klapp --client CLI100 --json\n  \
             procura token CON1 --issuer https://token.example --application app_klapp \\\n    \
             --certificate partner.crt --key partner.key\n  \
             procura token CON1 --issuer https://token.example --application app_klapp \\\n    \
             --door jwt-bearer --assertion-key signing.pem --dpop-key dpop.pem\n  \
             procura token --issuer https://token.example --application app_klapp --door client-credentials",
        )
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let arguments: Arguments = arguments(matches)?;
    let whose = whose(&arguments)?;
    let application = application(&arguments)?;
    let transport = arguments.proof.transport()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unavailable(format_args!("no runtime could be started: {error}")))?;
    let (response, verified) = runtime.block_on(async {
        let server = Procura::connect_by(application, transport);
        match &whose {
            Whose::Contact(contact, options) => {
                let response = server.token_for_contact_with(contact, options).await.map_err(failed)?;
                let verified = server.verify_id_token(&response, contact).await.map_err(failed)?;
                Ok::<_, Failure>((response, Some(verified)))
            }
            Whose::Application(resource) => {
                Ok((server.own_token(resource.as_ref()).await.map_err(failed)?, None))
            }
        }
    })?;
    show(&arguments, &response, verified.as_ref())
}

fn whose(arguments: &Arguments) -> Result<Whose, Failure> {
    let own = arguments.door == Asked::ClientCredentials;
    match (&arguments.contact, own) {
        (Some(contact), false) => Ok(Whose::Contact(contact.clone(), options(arguments)?)),
        (None, true) if arguments.client.is_empty() && arguments.permissions.is_none() => {
            Ok(Whose::Application(arguments.resource.clone()))
        }
        (_, true) => Err(Failure::usage(
            "with --door client-credentials the application acts for nobody: leave CONTACT, --client and \
             --permissions out",
        )),
        (None, false) => Err(Failure::usage(
            "say for which contact; for a token of the application itself, --door client-credentials",
        )),
    }
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

fn application(arguments: &Arguments) -> Result<Application, Failure> {
    let door = match arguments.door {
        Asked::ContactToken | Asked::ClientCredentials => Door::ContactToken,
        Asked::JwtBearer => Door::JwtBearer,
        Asked::TokenExchange => Door::TokenExchange,
    };
    let proof = &arguments.proof;
    if door == Door::ContactToken && proof.grant_key.is_some() {
        return Err(Failure::usage("--grant-key signs for --door jwt-bearer or --door token-exchange"));
    }
    let application = proof.application(arguments.issuer.clone(), &arguments.application)?;
    application.through(door).map_err(|_| {
        Failure::usage("this door is signed for: say with which key, by --grant-key or --assertion-key")
    })
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

fn show(
    arguments: &Arguments,
    response: &PostTokenForContactResponse,
    verified: Option<&VerifiedIdToken>,
) -> Outcome {
    let text = |token: &procura_client::Token| Zeroizing::new(token.expose().to_owned());
    let (access_token, id_token) =
        (response.access_token.as_ref().map(text), response.id_token.as_ref().map(text));
    let seconds = response.expires_in.map(|left| left.as_secs().to_string());
    let token_type = response.token_type.map(TokenType::as_str);
    match arguments.json.form() {
        Form::Json => output::json_line(&json!({
            "access_token": access_token.as_deref(),
            "expires_in": seconds,
            "id_token": id_token.as_deref(),
            "token_type": token_type,
        })),
        Form::Text => {
            let mut lines = match verified {
                Some(verified) => of_contact(verified),
                None => vec![
                    ("application", arguments.application.to_string()),
                    ("expires in", format!("{} s", seconds.as_deref().unwrap_or("?"))),
                ],
            };
            lines.push(("token type", token_type.unwrap_or_default().to_owned()));
            let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, Some(value.as_str()))).collect();
            output::line(&output::pairs(lines.into_iter()))?;
            for (name, token) in [("access_token", &access_token), ("id_token", &id_token)] {
                if let Some(token) = token {
                    output::line(&format!("\n{name}\n{}", **token))?;
                }
            }
            if let (Some(TokenType::DPoP), Some(file)) = (response.token_type, &arguments.proof.dpop_key) {
                output::note(&format!(
                    "\nEach call needs a proof in its DPoP header, and the token after `DPoP` in Authorization:\n  \
                     procura dpop --key {} --token-file FILE --method GET --url URL",
                    file.display()
                ));
            }
            Ok(())
        }
    }
}

fn of_contact(verified: &VerifiedIdToken) -> Vec<(&'static str, String)> {
    let clients: Vec<String> =
        verified.clients.iter().map(|client| format!("{}  {}", client.id, client.name)).collect();
    vec![
        ("contact", verified.contact.to_string()),
        ("expires", verified.expires_at.to_string()),
        ("clients", clients.join(", ")),
    ]
}
