//! The doors by which an application asks for the token of a contact (contract, chapters 1 and 5).

use std::fmt;
use std::sync::Arc;

use procura_jose::Random;
use procura_protocol::ids::{ApplicationId, ContactId};
use procura_protocol::time::UnixSeconds;
use procura_protocol::token::{GRANT_TYPE_HEADER, GrantType};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::assertion::{AssertionClaims, JwtSigner, Signer, SigningError};

/// How an application asks for the token of a contact. All doors open on the same decision and give the same tokens;
/// which one is used is a matter of what else is there to speak it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Door {
    /// `POST /token/{contact_id}`: the contact is in the path (contract, chapter 1).
    #[default]
    ContactToken,
    /// `POST /token` by the JWT bearer grant (RFC 7523 2.1): the contact is in an assertion that the application
    /// signs.
    JwtBearer,
    /// `POST /token` by token exchange (RFC 8693): the same assertion is the `subject_token`.
    TokenExchange,
}

/// A door that needs a signature, of an application that has nothing to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "the JWT bearer grant and token exchange are signed: give the application a signer, by \
     `Application::by_assertion` or `Application::signing_grants_with`"
)]
pub struct NothingToSignWith;

/// What an application asks by. A door that is signed for can't be chosen without a signer.
#[derive(Clone, Default)]
pub(crate) struct Doors {
    granting: Option<Granting>,
    by: Option<Grant>,
}

/// A grant that is an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grant {
    JwtBearer,
    TokenExchange,
}

impl Grant {
    pub(crate) fn grant_type(self) -> GrantType {
        match self {
            Grant::JwtBearer => GrantType::JwtBearer,
            Grant::TokenExchange => GrantType::TokenExchange,
        }
    }

    /// The parameter that holds the assertion.
    pub(crate) fn parameter(self) -> &'static str {
        match self {
            Grant::JwtBearer => "assertion",
            Grant::TokenExchange => "subject_token",
        }
    }
}

impl Doors {
    pub(crate) fn signed_by(self, signer: Arc<dyn Signer>) -> Doors {
        Doors { granting: Some(Granting(JwtSigner::new(signer, GRANT_TYPE_HEADER))), ..self }
    }

    pub(crate) fn can_sign(&self) -> bool {
        self.granting.is_some()
    }

    pub(crate) fn through(self, door: Door) -> Result<Doors, NothingToSignWith> {
        let by = match door {
            Door::ContactToken => None,
            Door::JwtBearer => Some(Grant::JwtBearer),
            Door::TokenExchange => Some(Grant::TokenExchange),
        };
        if by.is_some() && self.granting.is_none() {
            Err(NothingToSignWith)
        } else {
            Ok(Doors { by, ..self })
        }
    }

    pub(crate) fn door(&self) -> Door {
        match self.by {
            None => Door::ContactToken,
            Some(Grant::JwtBearer) => Door::JwtBearer,
            Some(Grant::TokenExchange) => Door::TokenExchange,
        }
    }

    /// The grant to ask by; `None` at the door that has none.
    pub(crate) fn grant(&self) -> Option<Grant> {
        self.by
    }

    pub(crate) fn granting(&self) -> Option<&Granting> {
        self.granting.as_ref()
    }
}

impl fmt::Debug for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.granting {
            Some(Granting(key)) => write!(f, "{:?} ({key:?})", self.door()),
            None => write!(f, "{:?}", self.door()),
        }
    }
}

/// Who signs grants.
#[derive(Clone)]
pub(crate) struct Granting(JwtSigner);

impl Granting {
    /// A grant for this contact at this server, never sent before.
    pub(crate) async fn sign(
        &self,
        (application, issuer): (&ApplicationId, &str),
        contact: &ContactId,
        now: UnixSeconds,
        random: &dyn Random,
    ) -> Result<Zeroizing<String>, SigningError> {
        self.0.sign(&AssertionClaims::new(application, contact.as_str(), issuer, now, random)).await
    }
}
