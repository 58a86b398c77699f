//! Which proxies may ask.

use std::borrow::Cow;

use http::request::Parts;
use http::{HeaderName, HeaderValue};
use procura_engine::application_auth::{Evidence, Presented};
use procura_engine::{Engine, Unavailable};
use procura_protocol::application_auth::AuthMethod;
use procura_protocol::basic::{Authorization, read_authorization};
use procura_protocol::ids::ResourceId;
use procura_protocol::paths;
use procura_store::{Journal, Store};

use crate::connection::Peer;
use crate::credentials;
use crate::network::Network;

/// Where a proxy puts its own credentials: `Authorization` holds the token that it asks about.
const CREDENTIAL: HeaderName = HeaderName::from_static("procura-authorization");

/// Which proxies may ask. What is named must all be so; nobody may if nothing is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Callers {
    /// Addresses that they ask from; empty for any.
    pub from: Vec<Network>,
    /// Whether they must show the id and a secret of the policy's resource.
    pub credential: bool,
}

impl Callers {
    /// Whether anything is asked of them at all.
    pub fn is_named(&self) -> bool {
        self.credential || !self.from.is_empty()
    }

    pub(super) fn may_ask<S: Store, J: Journal>(
        &self,
        engine: &Engine<S, J>,
        audience: &ResourceId,
        head: &Parts,
    ) -> Result<bool, Unavailable> {
        let peer = head.extensions.get::<Peer>();
        let is_from_there = self.from.is_empty()
            || peer.is_some_and(|peer| self.from.iter().any(|network| network.contains(peer.0)));
        if !self.is_named() || !is_from_there {
            return Ok(false);
        }
        if !self.credential {
            return Ok(true);
        }
        let values = head.headers.get_all(CREDENTIAL).iter().map(HeaderValue::as_bytes);
        let presented = match read_authorization(values) {
            Authorization::Basic(basic) => Presented::Secret {
                id: Cow::Owned(basic.id),
                secret: basic.secret,
                method: AuthMethod::ClientSecretBasic,
            },
            Authorization::Absent | Authorization::OtherScheme | Authorization::Malformed => {
                Presented::Nothing
            }
        };
        // Without its address: whoever sends wrong secrets through the proxy must not have it refused here. A look
        // costs one hash, and secrets of 256 bits can't be guessed.
        let evidence = Evidence { from: None, ..credentials::evidence(presented, head, paths::FORWARD_AUTH) };
        let resource = engine.authenticate_resource(&evidence)?;
        Ok(resource.is_ok_and(|resource| resource.resource().id == *audience))
    }
}
