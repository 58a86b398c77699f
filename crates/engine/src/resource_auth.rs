//! Which resource asks, and whoever may ask about tokens.

use std::sync::Arc;

use procura_protocol::ids::APPLICATION_PREFIX;
use procura_store::records::{RegisteredSecret, Resource, ResourceNo, SecretHash};
use procura_store::{Directory, Journal, Store};

use crate::application_auth::secret::fitting;
use crate::application_auth::{AuthenticatedApplication, Evidence, NotAuthenticated, Presented};
use crate::{Engine, Unavailable};

/// A resource whose secret was right at the version of the directory that it holds.
///
/// Only this file can make one.
///
/// ```compile_fail
/// use procura_engine::resource_auth::AuthenticatedResource;
/// let forged = AuthenticatedResource { resource: todo!(), secret: todo!(), directory: todo!() };
/// ```
#[derive(Clone)]
pub struct AuthenticatedResource {
    resource: Arc<Resource>,
    secret: SecretHash,
    directory: Arc<Directory>,
}

impl AuthenticatedResource {
    /// The resource.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The directory on which it was found.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// What is needed to ask later whether it may go on.
    pub fn listening(&self) -> ListeningResource {
        ListeningResource { no: self.resource.no, secret: self.secret }
    }
}

/// A resource that was authenticated a while ago, without the directory of then: what goes on for long must
/// not keep that in memory.
#[derive(Clone, Copy)]
pub struct ListeningResource {
    no: ResourceNo,
    secret: SecretHash,
}

/// Who may ask about tokens: of their own.
pub enum Caller {
    /// A resource, about tokens that are for it.
    Resource(AuthenticatedResource),
    /// An application, about tokens that were issued to it.
    Application(AuthenticatedApplication),
}

impl Caller {
    /// The directory on which they were found, and on which everything about this request is decided.
    pub fn directory(&self) -> &Directory {
        match self {
            Caller::Resource(resource) => resource.directory(),
            Caller::Application(application) => application.directory(),
        }
    }
}

impl<S: Store, J: Journal> Engine<S, J> {
    /// Finds out which resource asks, with the same work whether the id exists or not.
    pub fn authenticate_resource(
        &self,
        evidence: &Evidence<'_>,
    ) -> Result<Result<AuthenticatedResource, NotAuthenticated>, Unavailable> {
        if let Err(reached) = self.may_be_looked_at(evidence) {
            return Ok(Err(reached));
        }
        let directory = self.store.directory()?;
        let now = self.now()?;
        let (resource, fits) = match &evidence.presented {
            Presented::Secret { id, secret, .. } => {
                let resource = directory.resource(id);
                let fits = fitting(resource.map_or(&[][..], |found| &found.secrets), secret, now.seconds());
                (resource.cloned(), fits)
            }
            Presented::Assertion { .. } | Presented::IdAlone { .. } | Presented::Nothing => (None, None),
        };
        match (resource, fits) {
            (Some(resource), Some(secret)) if resource.active => {
                Ok(Ok(AuthenticatedResource { resource, secret, directory }))
            }
            (resource, _) => {
                let failed = (resource.is_some(), NotAuthenticated::Credentials);
                Ok(Err(self.proof_failed(evidence, now, failed)))
            }
        }
    }

    /// Finds out who asks about a token. An id that begins as those of applications do can be no other's.
    pub async fn authenticate_caller(
        &self,
        evidence: &Evidence<'_>,
    ) -> Result<Result<Caller, NotAuthenticated>, Unavailable> {
        // Resources have secrets and nothing else.
        let is_resource = match &evidence.presented {
            Presented::Secret { id, .. } => !id.starts_with(APPLICATION_PREFIX),
            Presented::Assertion { .. } | Presented::IdAlone { .. } => false,
            Presented::Nothing => true,
        };
        if is_resource {
            Ok(self.authenticate_resource(evidence)?.map(Caller::Resource))
        } else {
            Ok(self.authenticate_application(evidence).await?.map(Caller::Application))
        }
    }

    /// Whether a resource that was authenticated a while ago may still listen: it is active, and the
    /// secret that it showed is still one of its own.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when the directory can't be confirmed.
    pub fn may_still_listen(&self, resource: &ListeningResource) -> Result<bool, Unavailable> {
        let directory = self.store.directory()?;
        let now = self.now()?.seconds();
        let is_live = |secret: &RegisteredSecret| {
            secret.hash == resource.secret && secret.expires_at.is_none_or(|end| now < end)
        };
        let found = directory.resource_by_number(resource.no);
        Ok(found.is_some_and(|found| found.active && found.secrets.iter().any(is_live)))
    }
}
