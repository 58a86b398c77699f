//! Credentials that end.

use procura_protocol::time::UnixSeconds;

use super::Directory;
use crate::change::Entity;
use crate::credential::{CredentialKind, Expiring};
use crate::records::{Application, CredentialNo, RegisteredSecret, Resource};

impl Directory {
    /// Credentials of active applications and resources that end before that second, those that have ended
    /// included. Goes through all applications: for gauges and warnings, not for requests.
    pub fn expiring(&self, before: UnixSeconds) -> impl Iterator<Item = Expiring<'_>> {
        let applications =
            self.applications.iter().map(|application| &**application).flat_map(of_application);
        let resources = self.resources.values().map(|resource| &**resource).flat_map(of_resource);
        applications.chain(resources).filter(move |expiring| expiring.expires_at < before)
    }
}

fn of_application(application: &Application) -> impl Iterator<Item = Expiring<'_>> {
    let registration = &application.registration;
    let secrets = application.secrets.iter().map(secret);
    let certificates = registration
        .certificates
        .iter()
        .map(|certificate| (CredentialKind::Certificate, certificate.no, certificate.expires_at));
    let keys = registration.keys.iter().map(|key| (CredentialKind::Key, key.no, key.expires_at));
    let all = secrets.chain(certificates).chain(keys).filter(|_| application.active);
    all.filter_map(|credential| of(Entity::Application, application.id.as_str(), credential))
}

fn of_resource(resource: &Resource) -> impl Iterator<Item = Expiring<'_>> {
    let secrets = resource.secrets.iter().map(secret).filter(|_| resource.active);
    secrets.filter_map(|credential| of(Entity::Resource, resource.id.as_str(), credential))
}

type Credential = (CredentialKind, CredentialNo, Option<UnixSeconds>);

fn secret(secret: &RegisteredSecret) -> Credential {
    (CredentialKind::Secret, secret.no, secret.expires_at)
}

fn of(owner: Entity, id: &str, (kind, no, expires_at): Credential) -> Option<Expiring<'_>> {
    expires_at.map(|expires_at| Expiring { owner, id, kind, no, expires_at })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use procura_protocol::algorithm::Algorithm;
    use procura_protocol::ids::{ApplicationId, ResourceId};

    use super::*;
    use crate::records::{
        ApplicationNo, RegisteredCertificate, RegisteredKey, Registration, ResourceNo, SecretHash, Version,
    };

    fn ending(no: u32, at: Option<i64>) -> RegisteredSecret {
        RegisteredSecret { no: CredentialNo(no), hash: SecretHash([1; 32]), expires_at: at.map(UnixSeconds) }
    }

    fn application(no: u32, active: bool) -> Application {
        let registration = Registration {
            certificates: [RegisteredCertificate {
                no: CredentialNo(no + 2),
                thumbprint: [2; 32],
                expires_at: Some(UnixSeconds(99)),
            }]
            .into(),
            keys: [RegisteredKey {
                no: CredentialNo(no + 3),
                jwk: "{}".into(),
                expires_at: Some(UnixSeconds(101)),
            }]
            .into(),
            ..Registration::default()
        };
        Application {
            no: ApplicationNo(no),
            id: ApplicationId::parse(&format!("app_{no}")).unwrap(),
            active,
            trusted: true,
            registration: Arc::new(registration),
            secrets: vec![ending(no, None), ending(no + 1, Some(1))],
            resources: Vec::new(),
            id_token_algorithm: Algorithm::Es256,
            trusts: Arc::default(),
        }
    }

    #[test]
    fn what_ends_before_is_told_with_whose_it_is_and_what_is_switched_off_is_not() {
        let mut edit = Directory::default().edit();
        edit.set_application(ApplicationNo(10), Some(application(10, true)));
        edit.set_application(ApplicationNo(20), Some(application(20, false)));
        let resource = Resource {
            no: ResourceNo(1),
            id: ResourceId::parse("https://a.example").unwrap(),
            active: true,
            secrets: vec![ending(30, Some(99)), ending(31, Some(100))],
            access_token_algorithm: Algorithm::Es256,
        };
        edit.set_resource(ResourceNo(1), Some(resource));
        let directory = edit.finish(Version(1));
        let told = |before| -> Vec<(Entity, String, CredentialKind, u32, i64)> {
            let all = directory.expiring(UnixSeconds(before));
            all.map(|one| (one.owner, one.id.to_owned(), one.kind, one.no.0, one.expires_at.0)).collect()
        };
        let (application, resource) = ("app_10".to_owned(), "https://a.example".to_owned());
        assert_eq!(
            told(100),
            [
                (Entity::Application, application.clone(), CredentialKind::Secret, 11, 1),
                (Entity::Application, application.clone(), CredentialKind::Certificate, 12, 99),
                (Entity::Resource, resource, CredentialKind::Secret, 30, 99),
            ]
        );
        assert_eq!(told(102).len(), 5);
        assert_eq!(told(1), []);
    }
}
