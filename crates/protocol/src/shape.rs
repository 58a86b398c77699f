//! The shape of a form endpoint's request: parameters in the body, each once, nothing in the query.

use std::borrow::Cow;

use thiserror::Error;

use crate::contact_token::MAX_CLIENTS;
use crate::error::{AuthErrorMessage, ErrorCode};
use crate::form::{Form, FormError};
use crate::ids::InvalidId;
use crate::parameters::{Taken, classify};
use crate::scope::InvalidScope;

/// Reads the form in the body, showing `take` every parameter that is taken, and checks that the query
/// asks for nothing. Both may be empty.
///
/// A parameter that is repeated (known or not), that is registered and not taken here, that is known and
/// empty, or that is known or registered and stands in the query, is refused; other names are ignored
/// (RFC 6749 3.2).
pub(crate) fn read_form<'a>(
    body: &'a [u8],
    query: &[u8],
    taken: &[&'static str],
    take: impl FnMut(&'static str, Cow<'a, str>) -> Result<(), ShapeError>,
) -> Result<(), ShapeError> {
    if !query.is_empty() {
        check_query(query, taken)?;
    }
    take_all(Form::parse(body).map_err(ShapeError::Body)?, taken, take)
}

/// The same of a form whose body was read.
pub(crate) fn take_form<'a>(
    form: Form<'a>,
    query: &[u8],
    taken: &[&'static str],
    take: impl FnMut(&'static str, Cow<'a, str>) -> Result<(), ShapeError>,
) -> Result<(), ShapeError> {
    if !query.is_empty() {
        check_query(query, taken)?;
    }
    take_all(form, taken, take)
}

fn take_all<'a>(
    form: Form<'a>,
    taken: &[&'static str],
    mut take: impl FnMut(&'static str, Cow<'a, str>) -> Result<(), ShapeError>,
) -> Result<(), ShapeError> {
    for (name, value) in form {
        match classify(&name, taken) {
            Taken::Taken(name) if value.is_empty() => return Err(ShapeError::Empty(name)),
            Taken::Taken(name) => take(name, value)?,
            Taken::RegisteredNotTaken(name) => return Err(ShapeError::NotTaken(name)),
            Taken::Unknown => {}
        }
    }
    Ok(())
}

fn check_query(query: &[u8], taken: &[&'static str]) -> Result<(), ShapeError> {
    let form = Form::parse(query).map_err(ShapeError::Query)?;
    for (name, _) in form.iter() {
        match classify(name, taken) {
            Taken::Taken(name) => return Err(ShapeError::TakenInQuery(name)),
            Taken::RegisteredNotTaken(name) => return Err(ShapeError::NotTaken(name)),
            Taken::Unknown => {}
        }
    }
    Ok(())
}

/// Why a request can't be read. Each says what to change; none shows a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ShapeError {
    /// The body is not a form.
    #[error("The form in the body can't be read: {0}.")]
    Body(FormError),
    /// The query can't be read.
    #[error("The query can't be read: {0}.")]
    Query(FormError),
    /// A parameter that has a meaning, but not here: at this endpoint, or with this `grant_type`.
    #[error("This request does not take the parameter '{0}'. Leave it out.")]
    NotTaken(&'static str),
    /// A parameter of the form, in the query.
    #[error("The parameter '{0}' belongs in the form in the body, not in the query.")]
    TakenInQuery(&'static str),
    /// A parameter that this endpoint can't do without.
    #[error("The parameter '{0}' is missing.")]
    Missing(&'static str),
    /// A parameter without a value.
    #[error("The parameter '{0}' is empty. Give it a value or leave it out.")]
    Empty(&'static str),
    /// `scope` is not a list of known names.
    #[error("The parameter 'scope' {0}.")]
    Scope(#[from] InvalidScope),
    /// `clients` has spaces at an end or two in a row.
    #[error("The parameter 'clients' must be client ids separated by single spaces.")]
    ClientsSpaces,
    /// `clients` has something that is not a client id.
    #[error("An id in the parameter 'clients' {0}.")]
    Clients(InvalidId),
    /// `clients` names more than [`MAX_CLIENTS`].
    #[error("The parameter 'clients' names {0} clients. Name at most {MAX_CLIENTS}.")]
    TooManyClients(usize),
    /// `resource` is not an absolute URI. A malformed parameter like any other, judged before anybody is
    /// authenticated; `invalid_target` says only that an application is not registered for a resource.
    #[error("The parameter 'resource' {0}.")]
    Resource(InvalidId),
    /// `grant_type` names none of those that this server has.
    #[error(
        "This grant_type is not supported. Use client_credentials, \
         urn:ietf:params:oauth:grant-type:jwt-bearer or urn:ietf:params:oauth:grant-type:token-exchange."
    )]
    GrantType,
    /// A scope for an application's own token.
    #[error(
        "An application alone holds no scope. Leave 'scope' out, or ask for a token for a contact by another grant."
    )]
    ScopeOfApplication,
    /// `subject_token_type` is not a JWT's.
    #[error(
        "Only an assertion that the application signed can be exchanged. Send subject_token_type \
         urn:ietf:params:oauth:token-type:jwt."
    )]
    SubjectTokenType,
    /// `requested_token_type` is not an access token's.
    #[error(
        "Only access tokens are given. Leave requested_token_type out, or send \
         urn:ietf:params:oauth:token-type:access_token."
    )]
    RequestedTokenType,
}

impl ShapeError {
    /// `invalid_request`, `invalid_scope` or `unsupported_grant_type`.
    pub const fn code(self) -> ErrorCode {
        match self {
            ShapeError::Scope(_) | ShapeError::ScopeOfApplication => ErrorCode::InvalidScope,
            ShapeError::GrantType => ErrorCode::UnsupportedGrantType,
            ShapeError::Body(_)
            | ShapeError::Query(_)
            | ShapeError::NotTaken(_)
            | ShapeError::TakenInQuery(_)
            | ShapeError::Missing(_)
            | ShapeError::Empty(_)
            | ShapeError::ClientsSpaces
            | ShapeError::Clients(_)
            | ShapeError::TooManyClients(_)
            | ShapeError::Resource(_)
            | ShapeError::SubjectTokenType
            | ShapeError::RequestedTokenType => ErrorCode::InvalidRequest,
        }
    }
}

impl From<ShapeError> for AuthErrorMessage {
    fn from(error: ShapeError) -> AuthErrorMessage {
        AuthErrorMessage::new(error.code(), error.to_string())
    }
}
