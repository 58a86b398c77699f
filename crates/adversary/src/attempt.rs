//! One try of one case: honest requests at its door, to be spoilt in one point.

mod ask;
mod call;
mod says;

use serde_json::{Value, json};

use crate::adapter::{ApplicationRole, ClaimsFrom, ContactRole, Door, Endpoints, ResourceRole, Subject};
use crate::answer::Grant;
use crate::case::Stop;
use crate::clock::now;
use crate::jwt::Jwt;
use crate::keys::unique;
use crate::world::World;

pub(crate) use ask::{Ask, basic, dpop as dpop_for, encoded};
pub(crate) use call::Call;
pub(crate) use says::Says;

/// RFC 7523 2.2.
pub(crate) const CLIENT_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// RFC 7523 2.1.
pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// RFC 8693 2.1.
pub(crate) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// What a case is given.
pub struct Attempt<'w> {
    pub(crate) world: &'w World,
    pub(crate) door: Door,
}

impl<'w> Attempt<'w> {
    /// The application that asks at this door.
    pub(crate) fn role(&self) -> ApplicationRole {
        self.world.adapter.door(self.door).map_or(ApplicationRole::Main, |settings| settings.application)
    }

    /// The honest request at this door: its application, for the contact `allowed`, or with a token of that.
    pub(crate) fn ask(&self) -> Result<Ask<'w>, Stop> {
        match self.door {
            Door::Introspection | Door::Revocation => {
                let (door, role) = self.somewhere()?;
                let grant = Attempt { door, ..*self }.ask()?.send()?.granted()?;
                Ask::about(self.world, self.door, role, &grant.access_token)
            }
            _ => self.ask_as(self.role()),
        }
    }

    /// The same by another application.
    pub(crate) fn ask_as(&self, role: ApplicationRole) -> Result<Ask<'w>, Stop> {
        let contact = if self.door == Door::ClientCredentials {
            String::new()
        } else {
            self.world.contact(ContactRole::Allowed)?.id.clone()
        };
        Ask::for_contact(self.world, self.door, role, &contact)
    }

    /// The same for another contact.
    pub(crate) fn ask_for(&self, contact: &str) -> Result<Ask<'w>, Stop> {
        Ask::for_contact(self.world, self.door, self.role(), contact)
    }

    /// What is asked about a token, here or there.
    pub(crate) fn about(&self, door: Door, role: ApplicationRole, token: &str) -> Result<Ask<'w>, Stop> {
        Ask::about(self.world, door, role, token)
    }

    /// The first door that gives tokens for contacts, and the application that asks there. Without one, tokens of an
    /// application alone do.
    pub(crate) fn somewhere(&self) -> Result<(Door, ApplicationRole), Stop> {
        let first = Door::FOR_CONTACTS
            .into_iter()
            .chain([Door::ClientCredentials])
            .find_map(|door| self.world.adapter.door(door).map(|settings| (door, settings.application)));
        first.ok_or_else(|| Stop::skip("the adapter has no door that gives tokens"))
    }

    /// The same, at its first door.
    pub(crate) fn there(&self) -> Result<Attempt<'w>, Stop> {
        Ok(Attempt { world: self.world, door: self.somewhere()?.0 })
    }

    /// A token for the contact `allowed`, from the first door there is.
    pub(crate) fn token(&self) -> Result<Grant, Stop> {
        self.there()?.ask()?.send()?.granted()
    }

    /// A request to an API with this token.
    pub(crate) fn call(&self, resource: ResourceRole, token: &str) -> Result<Call<'w>, Stop> {
        Call::new(self.world, resource, token)
    }

    /// What a token says.
    pub(crate) fn says(&self, grant: &Grant) -> Result<Says, Stop> {
        let role = self.somewhere().map_or(ApplicationRole::Main, |(_, role)| role);
        Says::of(self, &grant.access_token, role)
    }

    /// The same, this claim among it. Introspection may leave one out (RFC 7662 2.2), and then nothing is known.
    pub(crate) fn says_with(&self, grant: &Grant, claim: &str) -> Result<Says, Stop> {
        let says = self.says(grant)?;
        if says.claims[claim].is_null() && self.world.adapter.claims.from == ClaimsFrom::Introspection {
            return Err(Stop::skip(format_args!("introspection does not tell `{claim}`")));
        }
        Ok(says)
    }

    /// Claims and header of an assertion that names a contact, as the honest application writes it.
    pub(crate) fn assertion(&self, role: ApplicationRole, contact: &str) -> Result<Jwt, Stop> {
        let settings = self.world.adapter.door(self.door);
        let settings =
            settings.ok_or_else(|| Stop::skip(format_args!("there is no `doors.{}`", self.door)))?;
        if let Subject::Command(_) = settings.subject {
            return Err(Stop::skip(format_args!("subjects of `doors.{}` come from a command", self.door)));
        }
        let key = self.world.key(role)?;
        let audience = settings.assertion_audience.as_ref().unwrap_or(&self.world.adapter.issuer);
        let application = &self.world.application(role)?.id;
        let mut header = json!({"alg": key.algorithm(), "kid": key.kid()});
        if !settings.assertion_typ.is_empty() {
            header["typ"] = json!(settings.assertion_typ);
        }
        Ok(Jwt { header, claims: claims(application, contact, audience) })
    }

    /// Claims and header of a client assertion (RFC 7523 2.2), as the honest application writes it.
    pub(crate) fn client_assertion(&self, role: ApplicationRole) -> Result<Jwt, Stop> {
        client_assertion(self.world, role)
    }

    /// The endpoint that this door is at, for a contact.
    pub(crate) fn url(&self, role: ApplicationRole, contact: &str) -> Result<String, Stop> {
        endpoint(self.world, self.door, role, contact)
    }
}

fn claims(issuer: &str, subject: &str, audience: &str) -> Value {
    let now = now();
    json!({
        "iss": issuer, "sub": subject, "aud": audience, "jti": unique(), "iat": now, "exp": now + 60,
    })
}

fn client_assertion(world: &World, role: ApplicationRole) -> Result<Jwt, Stop> {
    let key = world.key(role)?;
    let id = &world.application(role)?.id;
    let header = json!({"alg": key.algorithm(), "kid": key.kid(), "typ": "client-authentication+jwt"});
    Ok(Jwt { header, claims: claims(id, id, &world.adapter.issuer) })
}

/// Where a door is, as this application reaches it.
fn endpoint(world: &World, door: Door, role: ApplicationRole, contact: &str) -> Result<String, Stop> {
    let endpoints = &world.adapter.endpoints;
    let of = |endpoints: &Endpoints| match door {
        Door::ContactToken => endpoints.contact_token.clone(),
        Door::JwtBearer | Door::TokenExchange | Door::ClientCredentials => endpoints.token.clone(),
        Door::Introspection => endpoints.introspection.clone(),
        Door::Revocation => endpoints.revocation.clone(),
        Door::Resource | Door::Documents => None,
    };
    let by_certificate = world.application(role)?.certificate_file.is_some();
    let alias = endpoints.mutual_tls.as_deref().filter(|_| by_certificate).and_then(of);
    let url = alias.or_else(|| of(endpoints));
    let url = url.ok_or_else(|| Stop::skip(format_args!("the adapter has no endpoint for `{door}`")))?;
    Ok(url.replace("{contact_id}", &encoded(contact.as_bytes())))
}
