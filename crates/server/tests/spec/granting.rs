//! What the modules on the standard grants share: a server whose trusted application has a secret and a key, and
//! the three ways to ask.

use http::Request;
use http::header::AUTHORIZATION;
use procura_jose::Algorithm;
use procura_testkit::app::basic;
use procura_testkit::assertion::{AssertionKey, grant_claims};
use procura_testkit::world::{APPLICATION, CONTACT, SECRET};
use procura_testkit::{Answer, TestApp, World};
use serde_json::Value;

use crate::support::with_form;

pub(crate) const JWT_BEARER: &str = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
pub(crate) const EXCHANGE: &str = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token_type=urn:ietf:params:oauth:token-type:jwt";

/// A grant that takes an assertion: the form up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    JwtBearer,
    Exchange,
}

pub(crate) const DOORS: [Door; 2] = [Door::JwtBearer, Door::Exchange];

impl Door {
    /// The form with this assertion.
    pub(crate) fn form(self, assertion: &str) -> String {
        match self {
            Door::JwtBearer => format!("{JWT_BEARER}&assertion={assertion}"),
            Door::Exchange => format!("{EXCHANGE}&subject_token={assertion}"),
        }
    }
}

/// A server whose trusted application has a secret, and an ES256 key to sign grants with.
pub(crate) struct Granting {
    pub(crate) key: AssertionKey,
    pub(crate) app: TestApp,
}

impl Granting {
    pub(crate) fn new() -> Granting {
        Granting::with(|world| world)
    }

    /// One in a world that was changed.
    pub(crate) fn with(change: impl FnOnce(World) -> World) -> Granting {
        let key = AssertionKey::new(Algorithm::Es256);
        let app = TestApp::new(&change(World::default().granting(&key)));
        Granting { key, app }
    }

    /// The answer to a form of the trusted application.
    pub(crate) async fn ask(&self, form: impl Into<String>) -> Answer {
        ask(&self.app, (APPLICATION, SECRET), form).await
    }

    /// The answer to an assertion at that door.
    pub(crate) async fn send(&self, door: Door, assertion: &str) -> Answer {
        self.ask(door.form(assertion)).await
    }

    /// The answer to a grant for that contact.
    pub(crate) async fn act_for(&self, door: Door, contact: &str, id: &str) -> Answer {
        self.send(door, &self.key.grant(contact, id)).await
    }

    /// The answer to a grant that works but for what is changed in its header and its claims.
    pub(crate) async fn changed(&self, door: Door, change: impl FnOnce(&mut Value, &mut Value)) -> Answer {
        let (mut header, mut claims) = (self.key.grant_header(), grant_claims(CONTACT, "changed"));
        change(&mut header, &mut claims);
        self.send(door, &self.key.sign(&header, &claims)).await
    }
}

/// The answer to a form at `/token` by an application with its secret.
pub(crate) async fn ask(app: &TestApp, (id, secret): (&str, &str), form: impl Into<String>) -> Answer {
    let request = Request::post("/token").header(AUTHORIZATION, basic(id, secret));
    app.send(with_form(request, form.into())).await
}
