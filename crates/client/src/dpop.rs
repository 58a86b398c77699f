//! Proofs of possession (RFC 9449): tokens that are worth nothing without a key, and what shows that key.

mod key;
mod nonces;

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use procura_jose::Random;
use procura_protocol::dpop::DPOP_HEADER;
use procura_protocol::time::UnixSeconds;
use serde::Deserialize;

pub use key::{DpopKey, InvalidDpopKey, ProofOf};
pub(crate) use nonces::Giver;

use crate::api::challenge;
use crate::assertion::SigningError;
use crate::error::{Error, ProtocolError};
use crate::response::{PostTokenForContactResponse, TokenType};

const DPOP: HeaderName = HeaderName::from_static(DPOP_HEADER);

/// What asks for a proof with the nonce that comes with it (RFC 9449 8 and 9).
const USE_DPOP_NONCE: &str = "use_dpop_nonce";

/// In a request that lacks its proof: of what it must be, beside the request itself.
#[derive(Debug, Clone)]
pub(crate) enum Unproved {
    /// Of the key alone: a token will be bound to it.
    TokenEndpoint,
    /// Of the key that the token in the request is bound to; this is the token's digest.
    Resource(Box<str>),
}

impl Unproved {
    /// `None` for a token that goes without proofs.
    pub(crate) fn with(response: &PostTokenForContactResponse) -> Option<Unproved> {
        match (response.token_type, &response.access_token) {
            (Some(TokenType::DPoP), Some(token)) => Some(Unproved::Resource(key::digest(token).into())),
            _ => None,
        }
    }

    fn giver(&self) -> Giver {
        match self {
            Unproved::TokenEndpoint => Giver::TokenEndpoint,
            Unproved::Resource(_) => Giver::Resource,
        }
    }
}

/// Adds the proof that a request lacks, if it lacks one.
pub(crate) async fn prove<B>(
    key: Option<&DpopKey>,
    mut request: Request<B>,
    now: UnixSeconds,
    random: &dyn Random,
) -> Result<Request<B>, SigningError> {
    let Some(unproved) = request.extensions_mut().remove::<Unproved>() else { return Ok(request) };
    let key =
        key.ok_or_else(|| SigningError::new("the token is bound to a key that this application has not"))?;
    let nonce = key.nonces().of(unproved.giver(), request.uri());
    let digest = match &unproved {
        Unproved::TokenEndpoint => None,
        Unproved::Resource(digest) => Some(&**digest),
    };
    let of = (request.method(), request.uri());
    let proof = key.sign(of, (digest, nonce.as_deref()), now, random).await?;
    request.headers_mut().insert(DPOP, proof);
    Ok(request)
}

/// Puts a token into a request of anybody's, and says that a proof must follow if it needs one.
pub(crate) fn call_with<B>(
    request: &mut Request<B>,
    token: &PostTokenForContactResponse,
) -> Result<(), ProtocolError> {
    let unusable = ProtocolError::Value { name: "access_token", why: "can't stand in a header" };
    request.headers_mut().insert(AUTHORIZATION, token.authorization().ok_or(unusable)?);
    if let Some(unproved) = Unproved::with(token) {
        request.extensions_mut().insert(unproved);
    }
    Ok(())
}

/// Keeps the nonce of an answer; whether it says that the request is to be proved again with it.
pub(crate) fn heed<B>(
    key: &DpopKey,
    giver: Giver,
    url: &Uri,
    (response, told): (&Response<B>, &[u8]),
) -> bool {
    let kept = key.nonces().keep(giver, url, response.headers());
    let wanted = match giver {
        Giver::TokenEndpoint => response.status() == StatusCode::BAD_REQUEST && says_so(told),
        Giver::Resource => response.status() == StatusCode::UNAUTHORIZED && is_asked_for(response.headers()),
    };
    kept && wanted
}

/// The same of an answer to a request that was proved by [`prove`]; `request` is what it was before.
pub(crate) fn heed_answer<B: AsRef<[u8]>, R>(
    key: Option<&DpopKey>,
    request: &Request<R>,
    response: &Response<B>,
) -> bool {
    let (Some(key), Some(unproved)) = (key, request.extensions().get::<Unproved>()) else { return false };
    heed(key, unproved.giver(), request.uri(), (response, response.body().as_ref()))
}

fn says_so(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Told<'a> {
        #[serde(borrow)]
        error: &'a str,
    }
    serde_json::from_slice::<Told<'_>>(body).is_ok_and(|told| told.error == USE_DPOP_NONCE)
}

fn is_asked_for(headers: &HeaderMap) -> bool {
    challenge::dpop(headers).and_then(|challenge| challenge.error).as_deref() == Some(USE_DPOP_NONCE)
}

/// Whether a token is of the type that was asked for: with a proof bound to its key, without one not.
pub(crate) fn check_type(key: Option<&DpopKey>, response: &PostTokenForContactResponse) -> Result<(), Error> {
    let why = match (key, response.token_type) {
        (Some(_), Some(TokenType::DPoP)) | (None, Some(TokenType::Bearer)) => return Ok(()),
        (Some(_), _) => "is not DPoP, although the key was proved: whoever finds the token could use it",
        (None, _) => "is DPoP, and no key was proved",
    };
    Err(ProtocolError::Value { name: "token_type", why }.into())
}

/// A proof is no secret for long, but it is nobody else's business either.
fn sensitive(proof: &str) -> Result<HeaderValue, SigningError> {
    let value = HeaderValue::from_str(proof);
    let mut value = value.map_err(|_| SigningError::new("the proof can't stand in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_another_type_than_was_asked_for_is_refused() {
        let (key, _) = DpopKey::generate(procura_jose::Algorithm::Es256).unwrap();
        let of = |token_type| PostTokenForContactResponse { token_type, ..Default::default() };
        for (key, kind, taken) in [
            (Some(&key), Some(TokenType::DPoP), true),
            (Some(&key), Some(TokenType::Bearer), false),
            (Some(&key), None, false),
            (None, Some(TokenType::Bearer), true),
            (None, Some(TokenType::DPoP), false),
        ] {
            assert_eq!(check_type(key, &of(kind)).is_ok(), taken, "{kind:?}");
        }
    }

    #[test]
    fn only_an_answer_that_asks_for_its_nonce_is_to_be_proved_again() {
        let (key, _) = DpopKey::generate(procura_jose::Algorithm::Es256).unwrap();
        let url = Uri::from_static("https://token.example/token");
        let answer = |status: u16, headers: &[(&str, &str)]| {
            let builder = Response::builder().status(status);
            let builder =
                headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
            builder.body(()).unwrap()
        };
        let asks = br#"{"error":"use_dpop_nonce"}"#.as_slice();
        let nonce = ("DPoP-Nonce", "n-1");
        for (response, told, again) in [
            (answer(400, &[nonce]), asks, true),
            (answer(401, &[nonce]), asks, false),
            (answer(400, &[]), asks, false),
            (answer(400, &[nonce]), br#"{"error":"invalid_dpop_proof"}"#, false),
            (answer(400, &[nonce]), b"<html>", false),
        ] {
            assert_eq!(heed(&key, Giver::TokenEndpoint, &url, (&response, told)), again, "{response:?}");
        }
        let challenge = ("WWW-Authenticate", r#"DPoP error="use_dpop_nonce", algs="ES256""#);
        let other = ("WWW-Authenticate", r#"DPoP error="invalid_token", algs="ES256""#);
        for (response, again) in [
            (answer(401, &[challenge, nonce]), true),
            (answer(400, &[challenge, nonce]), false),
            (answer(401, &[challenge]), false),
            (answer(401, &[other, nonce]), false),
        ] {
            assert_eq!(heed(&key, Giver::Resource, &url, (&response, b"")), again, "{response:?}");
        }
    }
}
