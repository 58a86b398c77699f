//! A request at a door, built whole so that any part can be spoilt.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use serde_json::json;

use super::{Attempt, CLIENT_ASSERTION_TYPE, JWT_BEARER, TOKEN_EXCHANGE, client_assertion, endpoint};
use crate::adapter::{ApplicationRole, Door, Method, Subject};
use crate::answer::Answer;
use crate::case::Stop;
use crate::clock::now;
use crate::jwt::Jwt;
use crate::keys::{Key, unique};
use crate::wire::{self, Identity, Request, Url, WireError};
use crate::world::World;

/// What stays as it is in a form and in a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request that is honest until a case changes it.
#[derive(Clone)]
pub(crate) struct Ask<'w> {
    world: &'w World,
    door: Door,
    role: ApplicationRole,
    url: Url,
    pub(crate) form: Vec<(String, Vec<u8>)>,
    proved: bool,
    bound: bool,
    method: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<(Option<String>, Vec<u8>)>,
    identity: Option<Arc<Identity>>,
    words: Vec<String>,
}

impl<'w> Ask<'w> {
    /// For a token that acts for this contact; without one at `client_credentials`.
    pub(super) fn for_contact(
        world: &'w World,
        door: Door,
        role: ApplicationRole,
        contact: &str,
    ) -> Result<Ask<'w>, Stop> {
        let settings = world.adapter.door(door);
        let settings = settings.ok_or_else(|| Stop::skip(format_args!("there is no `doors.{door}`")))?;
        let mut ask = Ask::begin(world, door, role, contact)?;
        let mut form = match door {
            Door::JwtBearer => vec![("grant_type", JWT_BEARER.to_owned())],
            Door::TokenExchange => vec![
                ("grant_type", TOKEN_EXCHANGE.to_owned()),
                ("subject_token_type", settings.subject_token_type.clone()),
            ],
            Door::ClientCredentials => vec![("grant_type", "client_credentials".to_owned())],
            _ => Vec::new(),
        };
        if let Some(name) = ask.subject_parameter() {
            let token = match &settings.subject {
                Subject::Assertion => {
                    Attempt { world, door }.assertion(role, contact)?.signed(world.key(role)?)
                }
                Subject::Command(command) => printed(world, command, role, contact)?,
            };
            form.push((name, token));
        }
        let more = settings.parameters.iter().map(|(name, value)| (name.as_str(), value.clone()));
        ask.form =
            form.into_iter().chain(more).map(|(name, value)| (name.to_owned(), value.into())).collect();
        Ok(ask)
    }

    /// About a token, at introspection or revocation.
    pub(super) fn about(
        world: &'w World,
        door: Door,
        role: ApplicationRole,
        token: &str,
    ) -> Result<Ask<'w>, Stop> {
        let mut ask = Ask::begin(world, door, role, "")?;
        ask.form.push(("token".to_owned(), token.as_bytes().to_vec()));
        Ok(ask)
    }

    fn begin(world: &'w World, door: Door, role: ApplicationRole, contact: &str) -> Result<Ask<'w>, Stop> {
        let application = world.application(role)?;
        let text = endpoint(world, door, role, contact)?;
        let at_token = !matches!(door, Door::Introspection | Door::Revocation);
        Ok(Ask {
            world,
            door,
            role,
            url: Url::parse(&text).map_err(Stop::Skip)?,
            form: Vec::new(),
            proved: true,
            bound: application.dpop && at_token,
            method: "POST".to_owned(),
            headers: Vec::new(),
            body: None,
            identity: world.identity(role).ok(),
            words: Vec::new(),
        })
    }

    /// The parameter that names the contact, where it is a token.
    pub(crate) fn subject_parameter(&self) -> Option<&'static str> {
        match self.door {
            Door::JwtBearer => Some("assertion"),
            Door::TokenExchange => Some("subject_token"),
            _ => None,
        }
    }

    /// What stands in a parameter.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let found = self.form.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// With one parameter more, at the end.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.words.push(format!("with {}", short(name)));
        self.form.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// With another value of a parameter.
    #[must_use]
    pub(crate) fn instead(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.words.push(format!("with another {}", short(name)));
        self.form.retain(|(known, _)| known != name);
        self.form.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Without a parameter.
    #[must_use]
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.words.push(format!("without {name}"));
        self.form.retain(|(known, _)| known != name);
        self
    }

    /// With this token in the place of the one that names the contact.
    #[must_use]
    pub(crate) fn subject(self, token: impl AsRef<[u8]>) -> Self {
        match self.subject_parameter() {
            Some(name) => self.instead(name, token),
            None => self,
        }
    }

    /// Without the application's own proof.
    #[must_use]
    pub(crate) fn unproved(mut self) -> Self {
        self.words.push("without the application's proof".to_owned());
        self.proved = false;
        self
    }

    /// Without the DPoP proof that is due.
    #[must_use]
    pub(crate) fn unbound(mut self) -> Self {
        self.bound = false;
        self
    }

    /// With a header more.
    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.words.push(format!("with a header {}", short(name)));
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// By another method.
    #[must_use]
    pub(crate) fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// With this body in the place of the form.
    #[must_use]
    pub(crate) fn body(mut self, content_type: Option<&str>, body: impl AsRef<[u8]>) -> Self {
        self.words.push(format!("with a body of type {}", content_type.unwrap_or("none")));
        self.body = Some((content_type.map(str::to_owned), body.as_ref().to_vec()));
        self
    }

    /// With this in the query.
    #[must_use]
    pub(crate) fn query(mut self, query: &str) -> Self {
        self.words.push("with a query".to_owned());
        self.url.target.extend_from_slice(b"?");
        self.url.target.extend_from_slice(query.as_bytes());
        self
    }

    /// With this path and query, as they are.
    #[must_use]
    pub(crate) fn target(mut self, target: &[u8]) -> Self {
        self.words.push("with another path".to_owned());
        self.url.target = target.to_vec();
        self
    }

    /// The path and query that would be sent.
    pub(crate) fn path(&self) -> String {
        String::from_utf8_lossy(&self.url.target).into_owned()
    }

    /// The URL that would be asked.
    pub(crate) fn url(&self) -> String {
        self.url.text()
    }

    /// Where certificates are asked for, and none is shown.
    #[must_use]
    pub(crate) fn without_certificate(mut self) -> Self {
        self.words.push("without a certificate".to_owned());
        self.identity = None;
        self
    }

    /// With another certificate.
    #[must_use]
    pub(crate) fn certificate(mut self, identity: Arc<Identity>) -> Self {
        self.words.push("with another certificate".to_owned());
        self.identity = Some(identity);
        self
    }

    /// A word more about what is wrong with it.
    #[must_use]
    pub(crate) fn that(mut self, words: &str) -> Self {
        self.words.push(words.to_owned());
        self
    }

    /// The form as it would be sent, the application's own proof included.
    pub(crate) fn whole_form(&self) -> Result<Vec<(String, Vec<u8>)>, Stop> {
        let mut form = self.form.clone();
        let application = self.world.application(self.role)?;
        if !self.proved {
            return Ok(form);
        }
        let mut add = |name: &str, value: &str| form.push((name.to_owned(), value.as_bytes().to_vec()));
        match application.method {
            Method::ClientSecretBasic => {}
            Method::ClientSecretPost => {
                add("client_id", &application.id);
                add("client_secret", application.secret.as_deref().unwrap_or_default());
            }
            Method::PrivateKeyJwt => {
                let signed = client_assertion(self.world, self.role)?.signed(self.world.key(self.role)?);
                add("client_assertion_type", CLIENT_ASSERTION_TYPE);
                add("client_assertion", &signed);
            }
            Method::TlsClientAuth | Method::SelfSignedTlsClientAuth | Method::None => {
                add("client_id", &application.id);
            }
        }
        Ok(form)
    }

    /// A proof of possession for this very request.
    pub(crate) fn dpop(&self) -> Result<Jwt, Stop> {
        let key = self.world.proof_key(self.role)?;
        let mut proof = dpop(key, &self.method, &self.url.text());
        if let Some(nonce) = &*self.world.nonce.borrow() {
            proof.claims["nonce"] = json!(nonce);
        }
        Ok(proof)
    }

    /// Sends it. A nonce that the server demands for a proof is used at once.
    pub(crate) fn send(&self) -> Result<Answer<'w>, Stop> {
        let answer = self.send_once()?;
        let demanded = answer.json()["error"] == "use_dpop_nonce";
        match answer.header("dpop-nonce") {
            Some(nonce) if demanded && self.bound => {
                *self.world.nonce.borrow_mut() = Some(nonce.to_owned());
                self.send_once()
            }
            _ => Ok(answer),
        }
    }

    fn send_once(&self) -> Result<Answer<'w>, Stop> {
        let request = self.request()?;
        self.answered(wire::send(&self.world.roots, &request))
    }

    /// Sends these bytes where the request would go.
    pub(crate) fn send_bytes(&self, bytes: &[u8]) -> Result<Answer<'w>, Stop> {
        let request = self.request()?;
        self.answered(wire::send_bytes(&self.world.roots, &request, bytes))
    }

    fn answered(&self, came: Result<wire::Response, WireError>) -> Result<Answer<'w>, Stop> {
        let came = match came {
            Ok(response) => Ok(response),
            Err(WireError::Cut(why)) => Err(format!("the connection ended without an answer: {why}")),
            Err(error @ WireError::Unreachable { .. }) => return Err(Stop::fail(self.told(), error)),
        };
        let departures = &self.world.adapter.departures;
        Ok(Answer { sent: self.told(), door: self.door, departures, came })
    }

    fn told(&self) -> String {
        let path: String = self.path().chars().take(60).collect();
        let words = if self.words.is_empty() { String::new() } else { format!(" {}", self.words.join(", ")) };
        format!("{} {} as `{}`{words}", self.method, path.escape_debug(), self.role)
    }

    /// The request as it is sent.
    pub(crate) fn request(&self) -> Result<Request, Stop> {
        let application = self.world.application(self.role)?;
        let mut headers = self.headers.clone();
        if self.proved && application.method == Method::ClientSecretBasic {
            let secret = application.secret.as_deref().unwrap_or_default();
            headers.push(("Authorization".to_owned(), basic(&application.id, secret).into_bytes()));
        }
        if self.bound {
            let proof = self.dpop()?.signed(self.world.proof_key(self.role)?);
            headers.push(("DPoP".to_owned(), proof.into_bytes()));
        }
        let (content_type, body) = match &self.body {
            Some((content_type, body)) => (content_type.clone(), body.clone()),
            None => {
                let form = self.whole_form()?;
                let pairs: Vec<String> = form
                    .iter()
                    .map(|(name, value)| format!("{}={}", encoded(name.as_bytes()), encoded(value)))
                    .collect();
                (Some("application/x-www-form-urlencoded".to_owned()), pairs.join("&").into_bytes())
            }
        };
        let typed = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if let Some(content_type) = content_type.filter(|_| !typed && !body.is_empty()) {
            headers.push(("Content-Type".to_owned(), content_type.into_bytes()));
        }
        let bodiless = ["GET", "HEAD"].contains(&self.method.as_str()) && self.body.is_none();
        Ok(Request {
            method: self.method.clone(),
            url: self.url.clone(),
            headers,
            body: (!bodiless).then_some(body),
            identity: self.identity.clone(),
        })
    }
}

/// A proof of possession (RFC 9449 4.2).
pub(crate) fn dpop(key: &Key, method: &str, url: &str) -> Jwt {
    let url = url.split_once('?').map_or(url, |(url, _)| url);
    Jwt {
        header: json!({"typ": "dpop+jwt", "alg": key.algorithm(), "jwk": key.bare_jwk()}),
        claims: json!({"jti": unique(), "htm": method, "htu": url, "iat": now()}),
    }
}

/// The value of `Authorization` by Basic, both halves form-encoded first (RFC 6749 2.3.1).
pub(crate) fn basic(id: &str, secret: &str) -> String {
    let both = format!("{}:{}", encoded(id.as_bytes()), encoded(secret.as_bytes()));
    format!("Basic {}", STANDARD.encode(both))
}

/// As it stands in a form and in a path.
pub(crate) fn encoded(bytes: &[u8]) -> String {
    percent_encode(bytes, PLAIN).to_string()
}

fn printed(world: &World, command: &[String], role: ApplicationRole, contact: &str) -> Result<String, Stop> {
    let id = &world.application(role)?.id;
    let filled: Vec<String> = command
        .iter()
        .map(|argument| argument.replace("{contact_id}", contact).replace("{application_id}", id))
        .collect();
    if filled.iter().any(|argument| argument.contains('\0')) {
        return Err(Stop::skip("the command of the door's `subject` can't be given a NUL"));
    }
    let none =
        |why: String| Stop::skip(format_args!("the command of the door's `subject` gives none: {why}"));
    match world.run(&filled).map_err(none)?.trim() {
        "" => Err(none("it printed nothing".to_owned())),
        printed => Ok(printed.to_owned()),
    }
}

fn short(name: &str) -> String {
    name.chars().take(40).collect::<String>().escape_debug().to_string()
}
