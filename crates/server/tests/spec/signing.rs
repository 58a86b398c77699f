//! What the modules on assertions share: a server whose application signs, and why it refused.

use procura_jose::Algorithm;
use procura_protocol::client_assertion::AssertionFault;
use procura_store::journal::{AssertionUsed, Record};
use procura_testkit::assertion::{AssertionKey, claims, form};
use procura_testkit::{Answer, TestApp, World};
use serde_json::Value;

use crate::support::{asking_as_nobody, assert_refused, with_form};

/// A server whose trusted application signs with one ES256 key.
pub(crate) struct Signing {
    pub(crate) key: AssertionKey,
    pub(crate) app: TestApp,
}

impl Signing {
    /// One that works.
    pub(crate) fn new() -> Signing {
        Signing::with(|world| world)
    }

    /// One in a world that was changed.
    pub(crate) fn with(change: impl FnOnce(World) -> World) -> Signing {
        let key = AssertionKey::new(Algorithm::Es256);
        let app = TestApp::new(&change(World::default().signing(&[&key])));
        Signing { key, app }
    }

    /// The answer to a request for a contact token with that assertion.
    pub(crate) async fn send(&self, assertion: &str) -> Answer {
        send(&self.app, assertion).await
    }

    /// The answer to an assertion that works but for what is changed in its header and its claims.
    pub(crate) async fn changed(&self, change: impl FnOnce(&mut Value, &mut Value)) -> Answer {
        let (mut header, mut claims) = (self.key.header(), claims("changed"));
        change(&mut header, &mut claims);
        self.send(&self.key.sign(&header, &claims)).await
    }

    /// Checks that what is changed is refused for that reason, with the one answer.
    pub(crate) async fn refuses(&self, fault: AssertionFault, change: impl FnOnce(&mut Value, &mut Value)) {
        let answer = self.changed(change).await;
        assert_refused(&answer, 401, "invalid_client");
        assert_eq!(last_faults(&self.app), [fault]);
    }
}

/// The answer to a request for a contact token with that assertion.
pub(crate) async fn send(app: &TestApp, assertion: &str) -> Answer {
    app.send(with_form(asking_as_nobody(), form(assertion))).await
}

/// Why assertions were refused so far, each reason once.
pub(crate) fn last_faults(app: &TestApp) -> Vec<AssertionFault> {
    app.engine.refused_assertions().filter(|(_, count)| *count > 0).map(|(fault, _)| fault).collect()
}

/// What is on record as used.
pub(crate) fn used(app: &TestApp) -> Vec<AssertionUsed> {
    let records = app.journal.records();
    records
        .iter()
        .filter_map(|r| if let Record::AssertionUsed(used) = r { Some(*used) } else { None })
        .collect()
}
