//! Why a call is refused, who can mend it, and how it is answered (RFC 6750 3, RFC 9449 7.1).

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use procura_dpop::{DPOP_ALGORITHMS, DpopFault};
use procura_jose::{Algorithm, JwtError};
use procura_protocol::dpop::DPOP_NONCE_HEADER;
use procura_protocol::error_message::ErrorMessage;
use procura_protocol::permission::Permission;
use thiserror::Error;

use crate::authorization::Scheme;

/// The nonce for the next proof of possession.
pub(crate) const NONCE: HeaderName = HeaderName::from_static(DPOP_NONCE_HEADER);

/// Why a call is refused. Holds nothing of the request, so it may be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No `Authorization`, or one of another scheme.
    #[error("there is no token")]
    NoToken,
    /// The request can be read in more than one way, or not at all.
    #[error("the request is malformed: {0}")]
    Request(#[from] RequestFault),
    /// The token is worth nothing here.
    #[error("the token is refused: {0}")]
    Token(#[from] TokenFault),
    /// The token is bound to a key, and what came proves nothing about it (RFC 9449 4.3).
    #[error("the DPoP proof {}", .0.what_is_wrong())]
    Proof(DpopFault),
    /// The token is of an application alone: there is nobody that it acts for.
    #[error("the token acts for no contact")]
    NoContact,
    /// `X-Contact-ID` names another contact than the token.
    #[error("X-Contact-ID is not the token's contact")]
    ContactMismatch,
    /// The client id is missing, empty, malformed or not one of the token's.
    #[error("client_id is not a client of the token's")]
    ClientNotAllowed,
    /// The token does not give this permission for this client.
    #[error("the token does not give {} for this client", .0.name())]
    InsufficientPermission(Permission),
    /// A person must have signed in, and nobody was at the keyboard.
    #[error("the token was issued to nobody at the keyboard")]
    PersonRequired,
    /// It can't be told now whether the token is in force.
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
    /// An extractor stands where no layer of a guard ran before.
    #[error("this route stands behind no guard: add guard.layer() to its router")]
    NoLayer,
}

/// Why a request can't be read in exactly one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RequestFault {
    /// More than one `Authorization`.
    #[error("Send the Authorization header once.")]
    RepeatedAuthorization,
    /// A Bearer token that is empty or has characters that no token has (RFC 6750 2.1).
    #[error("Send the Authorization header as Bearer, one space and the token.")]
    MalformedBearer,
    /// The same after `DPoP` (RFC 9449 7.1).
    #[error("Send the Authorization header as DPoP, one space and the token.")]
    MalformedDpop,
    /// `access_token` in the query, where it would be logged (RFC 6750 2.3).
    #[error("Send the token in the Authorization header, never in the URI.")]
    TokenInQuery,
    /// More than one `X-Contact-ID`.
    #[error("Send X-Contact-ID once or not at all.")]
    RepeatedContact,
    /// More than one client id.
    #[error("Send client_id once.")]
    RepeatedClient,
}

/// Why a token is worth nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenFault {
    /// It can't be read, or nobody whom we trust signed it.
    #[error(transparent)]
    Jwt(#[from] JwtError),
    /// `iss` is another.
    #[error("the token is of another issuer")]
    Issuer,
    /// `aud` is another resource.
    #[error("the token is for another resource")]
    Audience,
    /// `exp` is over.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` lies ahead.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It is bound (`cnf`) to something of which no proof can be checked here.
    #[error("the token is bound to something of which no proof can be checked here")]
    Bound,
    /// It is bound to a key, and came as if it were not (RFC 9449 7.2).
    #[error("the token is bound to a key: send it as DPoP, with a proof")]
    KeyBound,
    /// It is bound to no key, and came as if it were.
    #[error("the token is bound to no key: send it as Bearer")]
    KeyUnbound,
    /// It is bound to a key, and the owner of this resource has not said where it is reached.
    #[error("the token is bound to a key, and this resource is not set up to take proofs")]
    ProofsNotTaken,
    /// It is bound to a certificate, and the request came without any (RFC 8705 3).
    #[error("the token is bound to a certificate, and none came with the request")]
    CertificateMissing,
    /// It is bound to a certificate, and the request came with another (RFC 8705 3).
    #[error("the token is bound to another certificate")]
    CertificateOther,
    /// A mark hits it.
    #[error("the token was revoked")]
    Revoked,
}

/// What is missing to judge a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unavailable {
    /// No keys were fetched, or so long ago that they may not be believed.
    #[error("the server's keys are not known")]
    Keys,
    /// Marks may have been missed.
    #[error("it is not known which tokens were revoked lately")]
    Marks,
    /// No more used proofs of possession can be remembered.
    #[error("it can't be remembered now which proofs were used")]
    Proofs,
}

/// Who can mend a [`Refusal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The caller: its request, its token or what it asks for.
    Theirs,
    /// This resource, its network, or the server: the caller may ask again.
    Ours,
    /// The program: a route is put together wrongly.
    Misuse,
}

impl Refusal {
    /// Who can mend it.
    pub fn blame(&self) -> Blame {
        match self {
            Refusal::NoToken
            | Refusal::Request(_)
            | Refusal::Token(_)
            | Refusal::Proof(_)
            | Refusal::NoContact
            | Refusal::ContactMismatch
            | Refusal::ClientNotAllowed
            | Refusal::InsufficientPermission(_)
            | Refusal::PersonRequired => Blame::Theirs,
            Refusal::Unavailable(_) => Blame::Ours,
            Refusal::NoLayer => Blame::Misuse,
        }
    }

    /// The answer.
    pub(crate) fn answer(&self, challenger: &Challenger<'_>) -> Response<Bytes> {
        let (status, message, challenge) = self.parts();
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        if let Some(challenge) = challenge {
            for value in challenger.headers(&challenge, self.may_come_otherwise()) {
                response.headers_mut().append(WWW_AUTHENTICATE, value);
            }
        }
        if let Some(nonce) = &challenger.nonce {
            response.headers_mut().insert(NONCE, nonce.clone());
        }
        // What is refused now may be allowed a moment later, and the other way round.
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(message) = message {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *response.body_mut() = message.to_json().into();
        }
        if self.blame() == Blame::Ours {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    /// Status, body and challenge: all that a refusal looks like from outside.
    fn parts(&self) -> (StatusCode, Option<ErrorMessage>, Option<Challenge>) {
        let forbidden = |code, message| (StatusCode::FORBIDDEN, Some(ErrorMessage::new(code, message)), None);
        match self {
            Refusal::NoToken => (StatusCode::UNAUTHORIZED, None, Some(Challenge::default())),
            Refusal::Token(fault) => {
                let description = Some(format!("{fault}"));
                let challenge = Challenge { error: Some("invalid_token"), description, scope: None };
                (StatusCode::UNAUTHORIZED, None, Some(challenge))
            }
            Refusal::Proof(fault) => {
                let error = match fault {
                    DpopFault::Nonce => "use_dpop_nonce",
                    // The proof itself is as it must be (RFC 9449 7.1).
                    DpopFault::OtherKey => "invalid_token",
                    _ => "invalid_dpop_proof",
                };
                let challenge =
                    Challenge { error: Some(error), description: Some(self.to_string()), scope: None };
                (StatusCode::UNAUTHORIZED, None, Some(challenge))
            }
            Refusal::Request(fault) => {
                let message = ErrorMessage::new("invalid_request", fault.to_string());
                let challenge = fault
                    .is_about_the_token()
                    .then(|| Challenge { error: Some("invalid_request"), ..Challenge::default() });
                (StatusCode::BAD_REQUEST, Some(message), challenge)
            }
            Refusal::NoContact => {
                forbidden("no_contact", "This token acts for no contact. Ask for one that does.")
            }
            Refusal::ContactMismatch => forbidden(
                "contact_mismatch",
                "X-Contact-ID is not the contact that the token acts for. Leave it out, or send that one.",
            ),
            Refusal::ClientNotAllowed => {
                let (status, message, challenge) =
                    forbidden("client_not_allowed", "Send the client_id of a client that the token lists.");
                let about = [("client_id", &["Must be one of the token's clients."][..])];
                (status, message.map(|message| message.with_details(about)), challenge)
            }
            Refusal::InsufficientPermission(permission) => {
                let message = format!("The token does not give {} for this client.", permission.name());
                let challenge = Challenge {
                    error: Some("insufficient_scope"),
                    description: None,
                    scope: Some(permission.name()),
                };
                let message = ErrorMessage::new("insufficient_permission", message);
                (StatusCode::FORBIDDEN, Some(message), Some(challenge))
            }
            Refusal::PersonRequired => forbidden(
                "person_required",
                "This needs the token of a person who signed in; nobody was there when this one was issued.",
            ),
            Refusal::Unavailable(_) => {
                let message = "It can't be told now whether the token is in force. Try again in a moment.";
                let message = ErrorMessage::new("temporarily_unavailable", message);
                (StatusCode::SERVICE_UNAVAILABLE, Some(message), None)
            }
            Refusal::NoLayer => {
                let message = "The service failed. Nothing about the request needs to change.";
                let message = ErrorMessage::new("server_error", message);
                (StatusCode::INTERNAL_SERVER_ERROR, Some(message), None)
            }
        }
    }

    /// Whether a token that came by the other scheme might be taken.
    fn may_come_otherwise(&self) -> bool {
        matches!(self, Refusal::NoToken | Refusal::Token(TokenFault::KeyBound))
    }

    /// Whether newer keys may mend it.
    pub(crate) fn is_unknown_key(&self) -> bool {
        matches!(self, Refusal::Token(TokenFault::Jwt(JwtError::KidUnknown)))
    }
}

impl RequestFault {
    fn is_about_the_token(self) -> bool {
        match self {
            RequestFault::RepeatedAuthorization
            | RequestFault::MalformedBearer
            | RequestFault::MalformedDpop
            | RequestFault::TokenInQuery => true,
            RequestFault::RepeatedContact | RequestFault::RepeatedClient => false,
        }
    }
}

impl From<JwtError> for Refusal {
    fn from(error: JwtError) -> Refusal {
        Refusal::Token(TokenFault::Jwt(error))
    }
}

/// What a caller is told about the schemes that are taken here. By default of no resource.
#[derive(Default)]
pub(crate) struct Challenger<'a> {
    /// The resource's id.
    pub(crate) realm: &'a str,
    /// How the token came, if one came.
    pub(crate) came_as: Scheme,
    /// Whether proofs of possession can be checked here.
    pub(crate) takes_proofs: bool,
    /// The nonce for the next one.
    pub(crate) nonce: Option<HeaderValue>,
}

/// What a challenge says beside its scheme and realm.
#[derive(Default)]
struct Challenge {
    error: Option<&'static str>,
    description: Option<String>,
    scope: Option<&'static str>,
}

impl Challenger<'_> {
    /// `WWW-Authenticate`, once for each scheme. The error stands with the one that the token came by.
    fn headers(&self, challenge: &Challenge, otherwise: bool) -> impl Iterator<Item = HeaderValue> {
        let other = otherwise && self.takes_proofs && self.came_as == Scheme::Bearer;
        let also = other.then(|| self.header(Scheme::Dpop, &Challenge::default()));
        [self.header(self.came_as, challenge)].into_iter().chain(also)
    }

    fn header(&self, scheme: Scheme, challenge: &Challenge) -> HeaderValue {
        let (name, algorithms) = match scheme {
            Scheme::Bearer => ("Bearer ", None),
            Scheme::Dpop => ("DPoP ", Some(DPOP_ALGORITHMS.map(Algorithm::as_str).join(" "))),
        };
        let mut text = String::from(name);
        push_quoted(&mut text, "realm", self.realm);
        let more = [
            ("error", challenge.error),
            ("error_description", challenge.description.as_deref()),
            ("scope", challenge.scope),
            ("algs", algorithms.as_deref()),
        ];
        for (name, value) in more {
            if let Some(value) = value {
                text.push_str(", ");
                push_quoted(&mut text, name, value);
            }
        }
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Bearer"))
    }
}

/// RFC 9110 5.6.4: a quoted string. What can't stand in one becomes `?`.
fn push_quoted(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str("=\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            ' '..='~' => text.push(c),
            _ => text.push('?'),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use procura_jose::{Algorithm, Part};
    use procura_protocol::error::is_description;

    use super::*;

    fn every_refusal() -> Vec<Refusal> {
        let mut all = vec![Refusal::NoToken, Refusal::NoContact, Refusal::ContactMismatch];
        all.extend([Refusal::ClientNotAllowed, Refusal::PersonRequired, Refusal::NoLayer]);
        all.extend(Permission::ALL.map(Refusal::InsufficientPermission));
        all.extend([Unavailable::Keys, Unavailable::Marks, Unavailable::Proofs].map(Refusal::Unavailable));
        all.extend(DpopFault::ALL.iter().copied().map(Refusal::Proof));
        all.extend(
            [
                RequestFault::RepeatedAuthorization,
                RequestFault::MalformedBearer,
                RequestFault::MalformedDpop,
                RequestFault::TokenInQuery,
                RequestFault::RepeatedContact,
                RequestFault::RepeatedClient,
            ]
            .map(Refusal::Request),
        );
        all.extend(
            [
                TokenFault::Issuer,
                TokenFault::Audience,
                TokenFault::Expired,
                TokenFault::NotYetValid,
                TokenFault::Bound,
                TokenFault::KeyBound,
                TokenFault::KeyUnbound,
                TokenFault::ProofsNotTaken,
                TokenFault::CertificateMissing,
                TokenFault::CertificateOther,
                TokenFault::Revoked,
                TokenFault::Jwt(JwtError::TooLong),
                TokenFault::Jwt(JwtError::NotThreeParts),
                TokenFault::Jwt(JwtError::Encoding(Part::Claims)),
                TokenFault::Jwt(JwtError::NotAnObject(Part::Header)),
                TokenFault::Jwt(JwtError::RepeatedMember(Part::Signature)),
                TokenFault::Jwt(JwtError::HeaderShape),
                TokenFault::Jwt(JwtError::Critical),
                TokenFault::Jwt(JwtError::AlgorithmUnknown),
                TokenFault::Jwt(JwtError::AlgorithmNotAllowed(Algorithm::Ps256)),
                TokenFault::Jwt(JwtError::AlgorithmNotTheKeys),
                TokenFault::Jwt(JwtError::Type),
                TokenFault::Jwt(JwtError::KidMissing),
                TokenFault::Jwt(JwtError::KidUnknown),
                TokenFault::Jwt(JwtError::Signature),
                TokenFault::Jwt(JwtError::ClaimsShape),
            ]
            .map(Refusal::Token),
        );
        all
    }

    fn bearer(realm: &str) -> Challenger<'_> {
        Challenger { realm, ..Challenger::default() }
    }

    fn challenges(refusal: Refusal, came_as: Scheme, takes_proofs: bool) -> Vec<String> {
        let challenger = Challenger { realm: "urn:api", came_as, takes_proofs, nonce: None };
        let answer = refusal.answer(&challenger);
        let all = answer.headers().get_all(WWW_AUTHENTICATE).iter();
        all.map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_answer_is_an_error_that_no_cache_keeps() {
        for refusal in every_refusal() {
            let answer = refusal.answer(&bearer("https://bank.example"));
            assert!(answer.status().is_client_error() || answer.status().is_server_error(), "{refusal}");
            assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
            let challenged = answer.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap());
            assert!(challenged.is_none_or(|text| text.starts_with(r#"Bearer realm="https://bank.example""#)));
            if answer.status() == StatusCode::UNAUTHORIZED {
                assert!(answer.body().is_empty() && challenged.is_some(), "{refusal}");
            } else {
                let body: ErrorMessage = serde_json::from_slice(answer.body()).unwrap();
                assert!(!body.message.is_empty());
            }
            assert_eq!(answer.headers().contains_key(RETRY_AFTER), refusal.blame() == Blame::Ours);
        }
    }

    #[test]
    fn descriptions_hold_what_the_rfc_allows() {
        for refusal in every_refusal() {
            let (_, _, challenge) = refusal.parts();
            let description = challenge.and_then(|challenge| challenge.description).unwrap_or_default();
            assert!(is_description(&description), "{description}");
        }
    }

    #[test]
    fn a_challenge_names_the_error_and_the_missing_permission() {
        let challenge = |refusal: Refusal| challenges(refusal, Scheme::Bearer, false).concat();
        assert_eq!(challenge(Refusal::NoToken), r#"Bearer realm="urn:api""#);
        assert_eq!(
            challenge(Refusal::InsufficientPermission(Permission::Trade)),
            r#"Bearer realm="urn:api", error="insufficient_scope", scope="can_trade""#
        );
        assert_eq!(
            challenge(Refusal::Token(TokenFault::Expired)),
            r#"Bearer realm="urn:api", error="invalid_token", error_description="the token has expired""#
        );
    }

    #[test]
    fn who_takes_proofs_says_so_beside_bearer_to_whoever_may_need_it() {
        let (plain, dpop) =
            (r#"Bearer realm="urn:api""#, r#"DPoP realm="urn:api", algs="ES256 PS256 EdDSA""#);
        assert_eq!(challenges(Refusal::NoToken, Scheme::Bearer, true), [plain, dpop]);
        let downgraded = challenges(TokenFault::KeyBound.into(), Scheme::Bearer, true);
        assert!(
            downgraded[0].starts_with(r#"Bearer realm="urn:api", error="invalid_token""#),
            "{downgraded:?}"
        );
        assert_eq!(downgraded[1..], [dpop]);
        assert_eq!(challenges(TokenFault::Expired.into(), Scheme::Bearer, true).len(), 1);
    }

    #[test]
    fn a_token_that_came_with_a_proof_is_refused_in_the_words_of_its_scheme() {
        let challenge = |refusal: Refusal| {
            let all = challenges(refusal, Scheme::Dpop, true);
            assert_eq!(all.len(), 1);
            all.concat()
        };
        for (refusal, error) in [
            (TokenFault::Expired.into(), "invalid_token"),
            (TokenFault::KeyUnbound.into(), "invalid_token"),
            (Refusal::Proof(DpopFault::OtherKey), "invalid_token"),
            (Refusal::Proof(DpopFault::Missing), "invalid_dpop_proof"),
            (Refusal::Proof(DpopFault::Replayed), "invalid_dpop_proof"),
            (Refusal::Proof(DpopFault::Nonce), "use_dpop_nonce"),
            (Refusal::InsufficientPermission(Permission::Trade), "insufficient_scope"),
            (RequestFault::MalformedDpop.into(), "invalid_request"),
        ] {
            let told = challenge(refusal);
            assert!(told.starts_with(&format!(r#"DPoP realm="urn:api", error="{error}""#)), "{told}");
            assert!(told.ends_with(r#"algs="ES256 PS256 EdDSA""#), "{told}");
        }
    }

    #[test]
    fn a_nonce_goes_with_the_answer() {
        let nonce = Some(HeaderValue::from_static("n"));
        let challenger = Challenger { came_as: Scheme::Dpop, nonce, ..Challenger::default() };
        let answer = Refusal::Proof(DpopFault::Nonce).answer(&challenger);
        assert_eq!(answer.headers()["dpop-nonce"], "n");
    }

    #[test]
    fn a_realm_can_not_break_out_of_its_quotes() {
        let answer = Refusal::NoToken.answer(&bearer("a\", error=\"b\\\r\nc\u{e9}"));
        let header = answer.headers()[WWW_AUTHENTICATE].to_str().unwrap();
        assert_eq!(header, r#"Bearer realm="a\", error=\"b\\??c?""#);
    }
}
