//! Access tokens that come back: whether this server issued them, and what marks are about.

use std::sync::Arc;

use procura_jose::marks::token_subjects;
use procura_jose::{
    Algorithm, Expect, Jwks, JwtError, MAX_TOKEN_BYTES, TokenDigest, VerifiedCache, verify_jwt,
};
use procura_protocol::access_token::AccessToken;
use procura_protocol::claims::{ACCESS_TOKEN_TYPE, ID_TOKEN_TYPE, OwnedIdTokenClaims};
use procura_protocol::mark::MarkSubject;
use procura_store::{Journal, Store};

use crate::Engine;

/// An access token that a key of this server signed, for this issuer. Whether it is in force has not
/// been asked. Only this file makes one.
#[derive(Debug)]
pub(crate) struct PresentedToken {
    /// What it says.
    pub(crate) claims: AccessToken,
    /// The keys under which its signature held.
    keys: Arc<Jwks>,
    /// What marks are about that kill it.
    pub(crate) subjects: Box<[MarkSubject]>,
    /// The answer of introspection while it is in force.
    pub(crate) introspection: Box<[u8]>,
}

/// What was verified, so that it is not verified again for every question. About 8,000 tokens of a few
/// clients each.
pub(crate) struct PresentedTokens(VerifiedCache<Arc<PresentedToken>>);

impl Default for PresentedTokens {
    fn default() -> Self {
        const BYTES: usize = 16 << 20;
        PresentedTokens(VerifiedCache::new(BYTES))
    }
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
        if text.len() > MAX_TOKEN_BYTES {
            return Err(NotAnAccessToken::NotOurs);
        }
        let keys = Arc::clone(self.keys.current().published());
        let digest = TokenDigest::of(text);
        match self.presented.0.get(&digest).filter(|found| Arc::ptr_eq(&found.keys, &keys)) {
            Some(found) => Ok(found),
            None => self.verify_presented(text, digest, keys),
        }
    }

    fn verify_presented(
        &self,
        text: &str,
        digest: TokenDigest,
        keys: Arc<Jwks>,
    ) -> Result<Arc<PresentedToken>, NotAnAccessToken> {
        let expect = Expect { typ: ACCESS_TOKEN_TYPE, algorithms: &Algorithm::ALL };
        let verified = match verify_jwt::<AccessToken>(text, &keys, &expect) {
            Ok(verified) => verified,
            Err(JwtError::Type) => return Err(self.of_another_type(text)),
            Err(_) => return Err(NotAnAccessToken::NotOurs),
        };
        let subjects = token_subjects(verified.claims(), verified.kid().as_str());
        let claims = verified.into_claims();
        if *claims.issuer != *self.settings.issuer {
            return Err(NotAnAccessToken::NotOurs);
        }
        let introspection: Box<[u8]> =
            procura_protocol::introspection::active(&claims).map_err(|_| NotAnAccessToken::NotOurs)?.into();
        // Its claims as they are kept take about as much as the text that they came in.
        let bytes = text.len() + introspection.len() + size_of_val(&*subjects);
        let token = Arc::new(PresentedToken { claims, keys, subjects, introspection });
        self.presented.0.insert(digest, Arc::clone(&token), bytes);
        Ok(token)
    }

    fn of_another_type(&self, text: &str) -> NotAnAccessToken {
        let expect = Expect { typ: ID_TOKEN_TYPE, algorithms: &Algorithm::ALL };
        match verify_jwt::<OwnedIdTokenClaims>(text, self.keys.current().published(), &expect) {
            Ok(_) => NotAnAccessToken::IdToken,
            Err(_) => NotAnAccessToken::NotOurs,
        }
    }
}
