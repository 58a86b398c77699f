//! Access tokens that come back: whether this server issued them, and what marks are about.

use std::sync::Arc;

use procura_jose::digest::sha256;
use procura_jose::{Algorithm, Expect, JwtError, verify_jwt};
use procura_protocol::access_token::{AccessToken, Holder};
use procura_protocol::claims::{ACCESS_TOKEN_TYPE, ID_TOKEN_TYPE, OwnedIdTokenClaims};
use procura_protocol::mark::{MarkKind, MarkSubject, subject_text};
use procura_store::{Journal, Store};

use crate::Engine;

/// An access token that a key of this server signed, for this issuer. Whether it is in force has not
/// been asked. Only this file makes one.
#[derive(Debug)]
pub(crate) struct PresentedToken {
    /// What it says.
    pub(crate) claims: AccessToken,
    /// What marks are about that kill it.
    pub(crate) subjects: Box<[MarkSubject]>,
    /// The answer of introspection while it is in force.
    pub(crate) introspection: Box<[u8]>,
}

/// Why a text is no access token of this server. Blame: theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAnAccessToken {
    /// It is one of its ID tokens.
    IdToken,
    /// It is nothing that it signed.
    NotOurs,
}

impl<S: Store, J: Journal> Engine<S, J> {
    /// Reads a token that somebody presents. A key that was taken out since then verifies nothing.
    pub(crate) fn presented_token(&self, text: &str) -> Result<Arc<PresentedToken>, NotAnAccessToken> {
        let ring = self.keys.current();
        let expect = Expect { typ: ACCESS_TOKEN_TYPE, algorithms: &Algorithm::ALL };
        let verified = match verify_jwt::<AccessToken>(text, ring.published(), &expect) {
            Ok(verified) => verified,
            Err(JwtError::Type) => return Err(self.of_another_type(text)),
            Err(_) => return Err(NotAnAccessToken::NotOurs),
        };
        let subjects = subjects(verified.claims(), verified.kid().as_str());
        let claims = verified.into_claims();
        if *claims.issuer != *self.settings.issuer {
            return Err(NotAnAccessToken::NotOurs);
        }
        let introspection =
            procura_protocol::introspection::active(&claims).map_err(|_| NotAnAccessToken::NotOurs)?.into();
        Ok(Arc::new(PresentedToken { claims, subjects, introspection }))
    }

    fn of_another_type(&self, text: &str) -> NotAnAccessToken {
        let expect = Expect { typ: ID_TOKEN_TYPE, algorithms: &Algorithm::ALL };
        match verify_jwt::<OwnedIdTokenClaims>(text, self.keys.current().published(), &expect) {
            Ok(_) => NotAnAccessToken::IdToken,
            Err(_) => NotAnAccessToken::NotOurs,
        }
    }
}

/// What marks are about that kill a token (contract, chapter 8).
fn subjects(token: &AccessToken, kid: &str) -> Box<[MarkSubject]> {
    let application = token.application.as_str();
    let mut subjects = vec![
        subject(MarkKind::Token, &token.id, None),
        subject(MarkKind::Application, application, None),
        subject(MarkKind::Key, kid, None),
        subject(MarkKind::All, "", None),
    ];
    if let Holder::Contact { contact, mandates, .. } = &token.holder {
        subjects.push(subject(MarkKind::Contact, contact.as_str(), None));
        for mandate in mandates {
            let client = mandate.client.as_str();
            subjects.push(subject(MarkKind::Client, client, None));
            subjects.push(subject(MarkKind::Trust, application, Some(client)));
            subjects.push(subject(MarkKind::Mandate, contact.as_str(), Some(client)));
        }
    }
    subjects.into()
}

/// A mark's subject.
fn subject(kind: MarkKind, id: &str, second: Option<&str>) -> MarkSubject {
    MarkSubject(sha256(subject_text(kind, id, second).as_bytes()))
}
