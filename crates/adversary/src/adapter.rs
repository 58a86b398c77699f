//! The adapter file: what the suite must know of a server to attack it.
//!
//! Everything but the name and the issuer may be absent. A case that needs what is absent is skipped, and
//! says what it would have needed. Reference: `docs/adversary.md`.

mod check;
mod placeholders;
mod roles;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

pub use placeholders::Values;
pub use roles::{
    ApplicationRole, CertificateRole, ChangeName, ClientRole, ContactRole, Door, Method, ResourceRole,
};

/// An adapter that can't be used; the text says what to change, and never repeats a secret.
#[derive(Debug, Error)]
pub enum AdapterError {
    /// The file can't be read.
    #[error("{file} can't be read: {why}")]
    Unreadable {
        /// The file.
        file: String,
        /// The system's reason.
        why: String,
    },
    /// It is no TOML, has a member that nobody knows, or lacks one.
    #[error("{file}: {why}")]
    Malformed {
        /// The file.
        file: String,
        /// What to change.
        why: String,
    },
}

/// An adapter file before its placeholders have values.
#[derive(Debug)]
pub struct Draft {
    file: String,
    folder: PathBuf,
    table: toml::Table,
    setup: Option<Command>,
}

/// What the suite knows of a server.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    /// What people call the server.
    pub name: String,
    /// The server's issuer: `iss` of its tokens, `aud` of assertions.
    pub issuer: String,
    /// PEM of the authorities that its certificate may come from; needed for `https`.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Where things are asked for.
    #[serde(default)]
    pub endpoints: Endpoints,
    /// How a token that acts for a contact is asked for.
    #[serde(default)]
    pub doors: Doors,
    /// Applications (OAuth's clients) by the part that they play.
    #[serde(default)]
    pub applications: BTreeMap<ApplicationRole, Application>,
    /// Contacts (subjects) by the part that they play.
    #[serde(default)]
    pub contacts: BTreeMap<ContactRole, Contact>,
    /// Client companies by the part that they play.
    #[serde(default)]
    pub clients: BTreeMap<ClientRole, String>,
    /// Resources (APIs that take tokens) by the part that they play.
    #[serde(default)]
    pub resources: BTreeMap<ResourceRole, Resource>,
    /// Certificates that the authority of `applications.certificate` issued and that prove nothing.
    #[serde(default)]
    pub certificates: BTreeMap<CertificateRole, Certificate>,
    /// Where a token's claims have what the suite looks for.
    #[serde(default)]
    pub claims: Claims,
    /// Commands that change the world while the server runs.
    #[serde(default)]
    pub changes: BTreeMap<ChangeName, Change>,
    /// A command that is run first, and whose output fills the placeholders.
    #[serde(default)]
    pub setup: Option<Command>,
    /// What the server does otherwise by its own declared choice.
    #[serde(default)]
    pub departures: Departures,
    /// The folder of the file: relative paths and commands begin there.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// URLs. What is absent is not attacked.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoints {
    /// A template with `{contact_id}`: `POST` there gives a contact token.
    #[serde(default)]
    pub contact_token: Option<String>,
    /// RFC 6749's token endpoint.
    #[serde(default)]
    pub token: Option<String>,
    /// RFC 7662.
    #[serde(default)]
    pub introspection: Option<String>,
    /// RFC 7009.
    #[serde(default)]
    pub revocation: Option<String>,
    /// The JWK set of the keys that sign tokens.
    #[serde(default)]
    pub jwks: Option<String>,
    /// RFC 8414 metadata.
    #[serde(default)]
    pub metadata: Option<String>,
    /// The same where certificates are asked for (RFC 8705 5); absent members are asked at the URLs above.
    #[serde(default)]
    pub mutual_tls: Option<Box<Endpoints>>,
}

/// The ways to a token that acts for a contact, and the one to an application's own.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Doors {
    /// `POST` to `endpoints.contact_token`.
    #[serde(default)]
    pub contact_token: Option<DoorSettings>,
    /// RFC 7523 2.1 at `endpoints.token`.
    #[serde(default)]
    pub jwt_bearer: Option<DoorSettings>,
    /// RFC 8693 at `endpoints.token`.
    #[serde(default)]
    pub token_exchange: Option<DoorSettings>,
    /// RFC 6749 4.4 at `endpoints.token`: no contact.
    #[serde(default)]
    pub client_credentials: Option<DoorSettings>,
}

/// How a door is used.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorSettings {
    /// The application that asks, unless a case needs another.
    #[serde(default = "DoorSettings::main")]
    pub application: ApplicationRole,
    /// Where the assertion (JWT bearer) or the subject token (token exchange) comes from.
    #[serde(default)]
    pub subject: Subject,
    /// `typ` in the header of assertions that the suite signs; `""` leaves it out.
    #[serde(default = "DoorSettings::typ")]
    pub assertion_typ: String,
    /// `aud` of assertions that the suite signs; the issuer without it.
    #[serde(default)]
    pub assertion_audience: Option<String>,
    /// `subject_token_type`.
    #[serde(default = "DoorSettings::jwt")]
    pub subject_token_type: String,
    /// Parameters of every request, beside those of the door itself.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// The parameter that narrows to client companies, if there is one.
    #[serde(default)]
    pub clients_parameter: Option<String>,
    /// The parameter that names a resource.
    #[serde(default = "DoorSettings::resource")]
    pub resource_parameter: String,
    /// Whether an assertion or a subject token is good once only.
    #[serde(default = "DoorSettings::yes")]
    pub once: bool,
}

/// Where assertions and subject tokens come from.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Subject {
    /// The suite signs one with the application's key: `iss` the application, `sub` the contact.
    #[default]
    Assertion,
    /// A command prints one. `{contact_id}` and `{application_id}` in its arguments are filled in.
    Command(Vec<String>),
}

/// An application and what it proves itself by.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// `client_id`.
    pub id: String,
    /// How it proves itself.
    #[serde(default)]
    pub method: Method,
    /// Its secret.
    #[serde(default)]
    pub secret: Option<String>,
    /// PEM of the private key that it signs assertions with.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// `kid` of that key; without it, its RFC 7638 thumbprint.
    #[serde(default)]
    pub key_id: Option<String>,
    /// The algorithm of that key; without it, ES256, EdDSA or, of RSA, PS256.
    #[serde(default)]
    pub algorithm: Option<String>,
    /// PEM of its certificate and of those that issued it.
    #[serde(default)]
    pub certificate_file: Option<PathBuf>,
    /// PEM of the private key of its certificate.
    #[serde(default)]
    pub certificate_key_file: Option<PathBuf>,
    /// Whether its tokens are bound by DPoP: each request of it needs a proof.
    #[serde(default)]
    pub dpop: bool,
    /// Whether its tokens are bound to its certificate.
    #[serde(default)]
    pub certificate_bound: bool,
}

/// A subject that somebody may, or may not, act for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// `sub`.
    pub id: String,
    /// The client companies that a token of `main` for this contact lists, all of them.
    #[serde(default)]
    pub clients: Vec<String>,
    /// Names in `scope` that this contact holds.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// An API that takes tokens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// `aud` of its tokens, and the value of the parameter that names it.
    pub id: String,
    /// A URL that answers 200 to `GET` with a token for the contact `allowed`.
    #[serde(default)]
    pub url: Option<String>,
    /// The same where certificates are asked for.
    #[serde(default)]
    pub mutual_tls_url: Option<String>,
    /// The query parameter of `url` that names the client company, if it needs one.
    #[serde(default)]
    pub client_parameter: Option<String>,
    /// The secret by which the resource introspects, with its id.
    #[serde(default)]
    pub secret: Option<String>,
}

/// A certificate with its private key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// PEM of the certificate and of those that issued it.
    pub certificate_file: PathBuf,
    /// PEM of its private key.
    pub certificate_key_file: PathBuf,
}

/// Where claims are: members separated by `.`, `*` for every element of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Claims {
    /// Whether claims are read from the token itself, or asked for by introspection.
    pub from: ClaimsFrom,
    /// The contact.
    pub contact: String,
    /// The application that acts. `""` when tokens have none.
    pub actor: String,
    /// The application that the token was issued to.
    pub application: String,
    /// The client companies. `""` when tokens have none.
    pub clients: String,
    /// Everything that the holder may do, beside `scope`. `""` when `scope` is all.
    pub permissions: String,
}

/// See [`Claims::from`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimsFrom {
    /// Access tokens are JWTs.
    Token,
    /// They are opaque.
    Introspection,
}

/// A change of the world, and the way back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Makes the change.
    #[serde(rename = "do")]
    pub make: Vec<String>,
    /// Takes it back.
    pub undo: Vec<String>,
    /// Milliseconds until the server acts on it, at the latest.
    #[serde(default = "Change::usual")]
    pub within_ms: u64,
}

/// A program with its arguments.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// Program and arguments.
    pub command: Vec<String>,
}

/// What the server does otherwise by its own declared choice. Every entry shows in the report.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Departures {
    /// Doors at which `expires_in` is a JSON string.
    pub expires_in_is_text: Vec<Door>,
    /// Statuses of refusals beside 400, 401, 403, 404, 405, 413, 414, 415, 421, 429 and 431.
    pub statuses: Vec<u16>,
    /// Error codes beside those of the standards, by what was wrong.
    pub errors: Errors,
    /// Cases whose failing is declared: the id, or its beginning followed by `*`, and the reason.
    pub cases: BTreeMap<String, String>,
}

/// Further codes in `error`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Errors {
    /// For a malformed request, beside `invalid_request`.
    pub request: Vec<String>,
    /// For an application that is not proved, beside `invalid_client`.
    pub client: Vec<String>,
    /// For an assertion, a subject or a contact that is not taken, beside `invalid_grant`.
    pub grant: Vec<String>,
    /// For a scope, beside `invalid_scope`.
    pub scope: Vec<String>,
    /// For a resource, beside `invalid_target`.
    pub target: Vec<String>,
    /// For a proof of possession, beside `invalid_dpop_proof`.
    pub proof: Vec<String>,
}

impl Draft {
    /// Reads a file. Placeholders stay as they are.
    ///
    /// # Errors
    ///
    /// [`AdapterError`] when it can't be read or is no TOML.
    pub fn read(file: &Path) -> Result<Draft, AdapterError> {
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(file)
            .map_err(|error| AdapterError::Unreadable { file: shown.clone(), why: error.to_string() })?;
        let folder = file.parent().map(Path::to_owned).unwrap_or_default();
        Draft::parse(&shown, &folder, &text)
    }

    /// Reads a text; `file` names it in errors, `folder` is where relative paths begin.
    ///
    /// # Errors
    ///
    /// [`AdapterError::Malformed`].
    pub fn parse(file: &str, folder: &Path, text: &str) -> Result<Draft, AdapterError> {
        let malformed =
            |why: &dyn fmt::Display| AdapterError::Malformed { file: file.to_owned(), why: why.to_string() };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let folder = std::path::absolute(folder).map_err(|error| malformed(&error))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| malformed(&error))?;
        let setup = table.get("setup").map(|setup| setup.clone().try_into::<Command>()).transpose();
        let setup = setup.map_err(|error| malformed(&format_args!("in `setup`: {}", error.message())))?;
        Ok(Draft { file: file.to_owned(), folder, table, setup })
    }

    /// The command to run before [`Draft::fill`], and the folder to run it in.
    pub fn setup(&self) -> Option<&Command> {
        self.setup.as_ref()
    }

    /// Where relative paths begin.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts the values into the placeholders and checks everything.
    ///
    /// # Errors
    ///
    /// [`AdapterError::Malformed`].
    pub fn fill(self, values: &Values) -> Result<Adapter, AdapterError> {
        let malformed = |why: String| AdapterError::Malformed { file: self.file.clone(), why };
        let table = values.fill(toml::Value::Table(self.table)).map_err(malformed)?;
        let mut adapter: Adapter = table.try_into().map_err(|error: toml::de::Error| {
            let whole = error.to_string();
            malformed(whole.trim().replace('\n', " "))
        })?;
        adapter.folder = self.folder;
        check::check(&adapter).map_err(malformed)?;
        Ok(adapter)
    }
}

impl Command {
    /// The same with its placeholders filled.
    pub(crate) fn filled(&self, values: &Values) -> Result<Command, String> {
        let filled: Result<_, _> = self.command.iter().map(|part| values.text(part)).collect();
        Ok(Command { command: filled? })
    }
}

impl Adapter {
    /// How a door is used, if the server has it.
    pub fn door(&self, door: Door) -> Option<&DoorSettings> {
        match door {
            Door::ContactToken => self.doors.contact_token.as_ref(),
            Door::JwtBearer => self.doors.jwt_bearer.as_ref(),
            Door::TokenExchange => self.doors.token_exchange.as_ref(),
            Door::ClientCredentials => self.doors.client_credentials.as_ref(),
            _ => None,
        }
    }

    /// A path of the adapter as it can be opened.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// Why this case may fail, if that is declared.
    pub fn departure(&self, id: &str) -> Option<&str> {
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(beginning) => id.starts_with(beginning),
            None => pattern == id,
        };
        self.departures.cases.iter().find(|(pattern, _)| fits(pattern)).map(|(_, reason)| reason.as_str())
    }
}

impl DoorSettings {
    fn main() -> ApplicationRole {
        ApplicationRole::Main
    }

    fn typ() -> String {
        "authorization-grant+jwt".to_owned()
    }

    fn jwt() -> String {
        "urn:ietf:params:oauth:token-type:jwt".to_owned()
    }

    fn resource() -> String {
        "resource".to_owned()
    }

    fn yes() -> bool {
        true
    }
}

impl Change {
    fn usual() -> u64 {
        5_000
    }
}

impl Default for Claims {
    fn default() -> Claims {
        Claims {
            from: ClaimsFrom::Token,
            contact: "sub".to_owned(),
            actor: "act.sub".to_owned(),
            application: "client_id".to_owned(),
            clients: String::new(),
            permissions: String::new(),
        }
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application")
            .field("id", &self.id)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource").field("id", &self.id).field("url", &self.url).finish_non_exhaustive()
    }
}
