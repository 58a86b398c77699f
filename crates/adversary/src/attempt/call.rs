//! A request to an API, with a token.

use std::sync::Arc;

use super::ask::{dpop, encoded};
use crate::adapter::{ClientRole, Door, ResourceRole};
use crate::answer::Answer;
use crate::case::Stop;
use crate::jwt::Jwt;
use crate::keys::Key;
use crate::wire::{self, Identity, Request, Url, WireError};
use crate::world::World;

/// `GET` of the URL that the adapter names, with the token in `Authorization`.
#[derive(Clone)]
pub(crate) struct Call<'w> {
    world: &'w World,
    url: Url,
    by_certificate: Option<Url>,
    token: String,
    scheme: String,
    headers: Vec<(String, Vec<u8>)>,
    identity: Option<Arc<Identity>>,
    words: Vec<String>,
}

impl<'w> Call<'w> {
    pub(super) fn new(world: &'w World, role: ResourceRole, token: &str) -> Result<Call<'w>, Stop> {
        let resource = world.resource(role)?;
        let missing = || Stop::skip(format_args!("`resources.{role}` has no `url`"));
        let query = match &resource.client_parameter {
            Some(name) => format!("?{name}={}", encoded(world.client(ClientRole::Listed)?.as_bytes())),
            None => String::new(),
        };
        let read = |url: &String| Url::parse(&format!("{url}{query}")).map_err(Stop::Skip);
        Ok(Call {
            world,
            url: read(resource.url.as_ref().ok_or_else(missing)?)?,
            by_certificate: resource.mutual_tls_url.as_ref().map(read).transpose()?,
            token: token.to_owned(),
            scheme: "Bearer".to_owned(),
            headers: Vec::new(),
            identity: None,
            words: Vec::new(),
        })
    }

    /// Under another scheme.
    #[must_use]
    pub(crate) fn scheme(mut self, scheme: &str) -> Self {
        self.words.push(format!("under {scheme}"));
        scheme.clone_into(&mut self.scheme);
        self
    }

    /// With a header more.
    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.words.push(format!("with a header {name}"));
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Without the token.
    #[must_use]
    pub(crate) fn without_token(mut self) -> Self {
        self.words.push("without Authorization".to_owned());
        self.token.clear();
        self
    }

    /// With this query.
    #[must_use]
    pub(crate) fn query(mut self, query: &str) -> Self {
        self.words.push("with another query".to_owned());
        let end = self.url.target.iter().position(|byte| *byte == b'?').unwrap_or(self.url.target.len());
        self.url.target.truncate(end);
        if !query.is_empty() {
            self.url.target.extend_from_slice(format!("?{query}").as_bytes());
        }
        self
    }

    /// Where certificates are asked for, with this one if any.
    pub(crate) fn by_certificate(mut self, identity: Option<Arc<Identity>>) -> Result<Self, Stop> {
        let missing = || Stop::skip("`resources.default` has no `mutual_tls_url`");
        self.url = self.by_certificate.clone().ok_or_else(missing)?;
        self.words.push(if identity.is_some() { "with a certificate" } else { "without one" }.to_owned());
        self.identity = identity;
        Ok(self)
    }

    /// A proof of possession for this very request and this token.
    pub(crate) fn dpop(&self, key: &Key) -> Jwt {
        use procura_jose::{base64url, digest};
        let mut proof = dpop(key, "GET", &self.url.text());
        proof.claims["ath"] = base64url::encode(&digest::sha256(self.token.as_bytes())).into();
        if let Some(nonce) = &*self.world.nonce.borrow() {
            proof.claims["nonce"] = nonce.as_str().into();
        }
        proof
    }

    /// The URL that is asked.
    pub(crate) fn url(&self) -> String {
        self.url.text()
    }

    /// Sends it.
    pub(crate) fn send(&self) -> Result<Answer<'w>, Stop> {
        let mut headers = self.headers.clone();
        if !self.token.is_empty() {
            let value = format!("{} {}", self.scheme, self.token);
            headers.push(("Authorization".to_owned(), value.into_bytes()));
        }
        let request = Request {
            method: "GET".to_owned(),
            url: self.url.clone(),
            headers,
            body: None,
            identity: self.identity.clone(),
        };
        let words = if self.words.is_empty() { String::new() } else { format!(" {}", self.words.join(", ")) };
        let path = String::from_utf8_lossy(&self.url.target).chars().take(60).collect::<String>();
        let sent = format!("GET {} with a token{words}", path.escape_debug());
        let came = match wire::send(&self.world.roots, &request) {
            Ok(response) => Ok(response),
            Err(WireError::Cut(why)) => Err(format!("the connection ended without an answer: {why}")),
            Err(error @ WireError::Unreachable { .. }) => return Err(Stop::fail(sent, error)),
        };
        Ok(Answer { sent, door: Door::Resource, departures: &self.world.adapter.departures, came })
    }
}
