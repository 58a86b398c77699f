//! Forward auth (`docs/forward-auth.md`): a proxy asks about a request before it lets it through, and the
//! guard answers.
//!
//! A request goes through these, in this order: [`Callers`] (may this proxy ask?), `original` (what was
//! asked of it, from one source), the guard (the token), [`ClientPlace`] (which client), [`Rule`]s (what
//! for), the guard again (may it?). Whatever can be read in two ways is 403, because the upstream behind
//! the proxy reads it once more.

mod callers;
mod client_place;
mod original;
mod pattern;
mod policy;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri};
use procura_engine::Engine;
use procura_guard::{Authority, Guard, Incoming, Presence, Refusal, Unavailable};
pub use procura_guard::{BaseUrl, CertificateFormat, CertificateHeader, Need};
use procura_protocol::dpop::DPOP_NONCE_HEADER;
use procura_protocol::error::ErrorCode;
use procura_protocol::error_message::ErrorMessage;
use procura_protocol::ids::ResourceId;
use procura_protocol::paths;
use procura_store::{Journal, Store};

use crate::answer;
use crate::metrics::Place;
use crate::own_guard::guard_for;
use crate::routes::App;
pub use callers::Callers;
pub use client_place::{ClientPlace, InvalidPlace};
use original::{Original, Unclear};
pub use pattern::{InvalidPattern, Pattern};
pub use policy::{InvalidMethod, Methods, NoRule, Policy, Rule, Source};

/// Who may act, for whom and how, on an answer that lets a request through.
const CONTACT: HeaderName = HeaderName::from_static("procura-contact");
const APPLICATION: HeaderName = HeaderName::from_static("procura-application");
const CLIENT: HeaderName = HeaderName::from_static("procura-client");
const PERMISSIONS: HeaderName = HeaderName::from_static("procura-permissions");
const PRESENCE: HeaderName = HeaderName::from_static("procura-presence");
const TOKEN_EXPIRES: HeaderName = HeaderName::from_static("procura-token-expires");

/// The identity headers of an answer, for whoever must delete what callers send under these names.
pub const IDENTITY: [HeaderName; 6] = [CONTACT, APPLICATION, CLIENT, PERMISSIONS, PRESENCE, TOKEN_EXPIRES];

const NONCE: HeaderName = HeaderName::from_static(DPOP_NONCE_HEADER);

/// What stands before a policy's name.
const PREFIX: &str = paths::FORWARD_AUTH.split_at("/forward-auth/".len()).0;

/// The policies, each with the guard of its resource.
pub(crate) struct ForwardAuth(HashMap<Box<str>, Arc<Guarded>>);

/// A policy and the guard of its resource.
struct Guarded {
    policy: Policy,
    audience: ResourceId,
    guard: Guard,
    /// Whose the guard is.
    place: Place,
}

impl ForwardAuth {
    /// Compiled once, at start. Policies of one resource share its guard and what that keeps of tokens.
    pub(crate) fn new<S: Store, J: Journal>(
        engine: &Arc<Engine<S, J>>,
        policies: Vec<Policy>,
        own: &Guard,
    ) -> ForwardAuth {
        let built_in = own.settings().audience.clone();
        let mut guards = HashMap::from([(built_in.clone(), own.clone())]);
        let guarded = policies.into_iter().map(|policy| {
            let audience = policy.audience.clone().unwrap_or_else(|| built_in.clone());
            let guard = guards.entry(audience.clone());
            let guard = guard.or_insert_with(|| guard_for(engine, audience.clone()));
            let guard = guard.at(policy.reached_at.iter().cloned());
            let place = if audience == built_in { Place::Api } else { Place::ForwardAuth };
            (policy.name.clone(), Arc::new(Guarded { policy, audience, guard, place }))
        });
        ForwardAuth(guarded.collect())
    }

    /// The guards that are not the server's own, one of each resource.
    pub(crate) fn guards_of_resources(&self) -> Vec<Guard> {
        let guarded = self.0.values().filter(|guarded| guarded.place == Place::ForwardAuth);
        let of_resources: HashMap<_, _> =
            guarded.map(|guarded| (&guarded.audience, &guarded.guard)).collect();
        of_resources.into_values().cloned().collect()
    }
}

/// The handler of every path under the prefix, for every method. The body is not read.
pub(crate) async fn any<S: Store, J: Journal>(
    State(app): State<Arc<App<S, J>>>,
    request: Request<Body>,
) -> Response {
    let (head, _) = request.into_parts();
    let (name, rest) = split(head.uri.path());
    let Some(guarded) = app.forward_auth.0.get(name).map(Arc::clone) else {
        return answer::refuse_with(ErrorCode::NotFound);
    };
    match judge(&app.engine, &guarded, &head, rest).await {
        Ok(authority) => allowed(&authority, guarded.guard.next_nonce(&head.headers)),
        Err(refused) => {
            tracing::debug!(policy = name, %refused, "not let through");
            if let Refused::Guard(refusal) = &refused {
                app.proofs.refused_at(guarded.place, refusal);
            }
            refused.answer(&guarded.guard, &head.headers)
        }
    }
}

/// The policy's name, and what stands after it from its slash on.
fn split(path: &str) -> (&str, &str) {
    let after = path.strip_prefix(PREFIX).unwrap_or_default();
    after.split_at(after.find('/').unwrap_or(after.len()))
}

async fn judge<S: Store, J: Journal>(
    engine: &Engine<S, J>,
    Guarded { policy, audience, guard, .. }: &Guarded,
    head: &Parts,
    rest: &str,
) -> Result<Authority, Refused> {
    match policy.callers.may_ask(engine, audience, head) {
        Ok(true) => {}
        Ok(false) => return Err(Refused::Caller),
        Err(_) => return Err(Refused::Guard(Unavailable::Marks.into())),
    }
    let Original { method, uri } = Original::read(policy.source, head, rest)?;
    let target = Uri::try_from(uri.as_str()).map_err(|_| Unclear::Target)?;
    // Never the certificate of this connection: that would be the proxy's, and it holds no token.
    let certificate = policy.certificate.as_ref().and_then(|header| header.read(&head.headers));
    let incoming = Incoming::new(method, &target, &head.headers).with_certificate(certificate);
    let token = guard.check_token(&incoming).await?;
    let client = policy.client.find(&head.headers, &uri)?;
    let need = policy.need(method, &uri)?;
    Ok(token.acting_for(&client, need)?)
}

/// Why a request is not let through.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the caller is none that may ask")]
    Caller,
    #[error(transparent)]
    Unclear(#[from] Unclear),
    #[error(transparent)]
    NoRule(#[from] NoRule),
    #[error(transparent)]
    Guard(#[from] Refusal),
}

impl Refused {
    /// 403 where the guard alone would answer 400: a proxy passes on 401 and 403, and takes anything else
    /// for a failure of ours.
    fn answer(&self, guard: &Guard, headers: &HeaderMap) -> Response {
        match self {
            Refused::Caller => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::FORBIDDEN;
                response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
                response
            }
            Refused::Unclear(unclear) => forbidden("unclear_request", unclear.to_string()),
            Refused::NoRule(no) => forbidden("no_rule", no.to_string()),
            Refused::Guard(refusal) => {
                let mut response = guard.answer(refusal, headers).map(Body::from);
                if response.status() == StatusCode::BAD_REQUEST {
                    *response.status_mut() = StatusCode::FORBIDDEN;
                }
                response
            }
        }
    }
}

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

fn forbidden(code: &'static str, message: impl Into<Cow<'static, str>>) -> Response {
    let mut response = answer::secret_json(ErrorMessage::new(code, message).to_json());
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}

/// 200, no body, and who it is; and the nonce for the caller's next proof, which is the proxy's to pass on.
fn allowed(authority: &Authority, nonce: Option<HeaderValue>) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.reserve(2 + IDENTITY.len());
    if let Some(nonce) = nonce {
        headers.insert(NONCE, nonce);
    }
    headers.insert(CACHE_CONTROL, NO_STORE);
    set(headers, CONTACT, authority.contact().as_str());
    set(headers, APPLICATION, authority.application().as_str());
    set(headers, CLIENT, authority.client().as_str());
    let mut permissions = String::with_capacity(64);
    for permission in authority.permissions().iter() {
        let space = if permissions.is_empty() { "" } else { " " };
        let _ = write!(permissions, "{space}{}", permission.name());
    }
    set(headers, PERMISSIONS, &permissions);
    headers.insert(
        PRESENCE,
        HeaderValue::from_static(match authority.presence() {
            Presence::NoPerson => "no-person",
            Presence::Person { .. } => "person",
        }),
    );
    headers.insert(TOKEN_EXPIRES, HeaderValue::from(authority.expires_at().0));
    response
}

/// Ids and names of permissions hold nothing that a header can't.
fn set(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_policy_and_what_follows_it() {
        assert_eq!(format!("{PREFIX}{{policy}}"), paths::FORWARD_AUTH);
        assert_eq!(split("/forward-auth/quotes"), ("quotes", ""));
        assert_eq!(split("/forward-auth/quotes/"), ("quotes", "/"));
        assert_eq!(split("/forward-auth/quotes//a/b"), ("quotes", "//a/b"));
        assert_eq!(split("/forward-auth/"), ("", ""));
    }
}
