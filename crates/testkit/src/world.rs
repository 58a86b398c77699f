//! A directory in which one request works, to be changed by one thing.

use procura_jose::digest::sha256;
use procura_protocol::algorithm::Algorithm;
use procura_protocol::ids::{ApplicationId, ClientId, ContactId, ResourceId};
use procura_protocol::permission::{Ceiling, Permissions};
use procura_protocol::time::Window;
use procura_store::Directory;
use procura_store::records::{
    Application, ApplicationNo, Client, ClientNo, Contact, ContactNo, Coverage, Mandate, Resource,
    ResourceNo, SecretHash, Span, Trust, Version,
};

/// The issuer of every test.
pub const ISSUER: &str = "https://procura.example";
/// The trusted application of every world; number 1.
pub const APPLICATION: &str = "app_partner";
/// Its secret.
pub const SECRET: &str = "pcs_partner";
/// An application that is not trusted; number 2.
pub const UNTRUSTED: &str = "app_untrusted";
/// Its secret.
pub const UNTRUSTED_SECRET: &str = "pcs_untrusted";
/// The contact for whom the request works; number 1.
pub const CONTACT: &str = "con.ada";
/// A second contact, of the second client alone; number 2.
pub const COLLEAGUE: &str = "con.ben";
/// The clients, numbers 1 to 3; the contact has a mandate for each.
pub const CLIENTS: [(&str, &str); 3] = [
    ("cli.alder", "Alder & Sønner AS"),
    ("cli.birch", "Birch \"Tree\" Ltd"),
    ("cli.cedar", "Τρομπούκη Ο.Ε."),
];
/// The built-in resource; number 1, every application's default.
pub const RESOURCE: &str = "https://procura.example/api";
/// The secret of the built-in resource, and of the other one.
pub const RESOURCE_SECRET: &str = "pcs_resource";
/// A resource that the trusted application is registered for besides; number 2.
pub const OTHER_RESOURCE: &str = "https://payments.example/";
/// A resource that nobody is registered for; number 3.
pub const FOREIGN_RESOURCE: &str = "https://foreign.example/";

/// Records in plain vectors, to be changed and then published as a [`Directory`].
#[derive(Clone)]
#[expect(missing_docs, reason = "each is what it is called")]
pub struct World {
    pub version: Version,
    pub applications: Vec<Application>,
    pub clients: Vec<(ClientNo, Client)>,
    pub contacts: Vec<(ContactNo, Contact)>,
    pub trusts: Vec<(ApplicationNo, Trust)>,
    pub resources: Vec<Resource>,
}

impl Default for World {
    /// Three clients that trust one application for all their contacts, a contact with a mandate for
    /// each, and a colleague with a mandate for the second.
    fn default() -> World {
        let permissions = ["can_authorise_payments can_trade", "can_trade", ""];
        let mandates = (1..).zip(permissions).map(|(client, names)| mandate(client, names)).collect();
        let clients = (1..).zip(CLIENTS).map(|(no, (id, name))| (ClientNo(no), client(id, name))).collect();
        World {
            version: Version(7),
            applications: vec![
                application(1, APPLICATION, SECRET, true),
                application(2, UNTRUSTED, UNTRUSTED_SECRET, false),
            ],
            clients,
            contacts: vec![
                (ContactNo(1), contact(CONTACT, mandates)),
                (ContactNo(2), contact(COLLEAGUE, vec![mandate(2, "can_trade")])),
            ],
            trusts: (1..=3)
                .map(|client| (ApplicationNo(1), trust(client, "all can_authorise_payments")))
                .collect(),
            resources: vec![
                with_secret(resource(1, RESOURCE)),
                with_secret(resource(2, OTHER_RESOURCE)),
                resource(3, FOREIGN_RESOURCE),
            ],
        }
    }
}

impl World {
    /// Changes the trusted application.
    #[must_use]
    pub fn application(mut self, change: impl FnOnce(&mut Application)) -> World {
        change(&mut self.applications[0]);
        self
    }

    /// Changes the contact.
    #[must_use]
    pub fn contact(mut self, change: impl FnOnce(&mut Contact)) -> World {
        change(&mut self.contacts[0].1);
        self
    }

    /// Changes every mandate of the contact.
    #[must_use]
    pub fn mandates(mut self, change: impl Fn(&mut Mandate)) -> World {
        self.contacts[0].1.mandates.iter_mut().for_each(change);
        self
    }

    /// Changes every trust.
    #[must_use]
    pub fn trusts(mut self, change: impl Fn(&mut Trust)) -> World {
        self.trusts.iter_mut().for_each(|(_, trust)| change(trust));
        self
    }

    /// Changes every client.
    #[must_use]
    pub fn clients(mut self, change: impl Fn(&mut Client)) -> World {
        self.clients.iter_mut().for_each(|(_, client)| change(client));
        self
    }

    /// Takes all trusts away.
    #[must_use]
    pub fn without_trusts(mut self) -> World {
        self.trusts.clear();
        self
    }

    /// The world as decisions see it.
    pub fn publish(&self) -> Directory {
        let mut edit = Directory::default().edit();
        for application in &self.applications {
            edit.set_application(application.no, Some(application.clone()));
        }
        for (no, client) in &self.clients {
            edit.set_client(*no, Some(client.clone()));
        }
        for (no, contact) in &self.contacts {
            edit.set_contact(*no, Some(contact.clone()));
        }
        for (application, trust) in &self.trusts {
            edit.set_trust(*application, trust.client, Some(trust.clone()));
        }
        for resource in &self.resources {
            edit.set_resource(resource.no, Some(resource.clone()));
        }
        edit.finish(self.version)
    }
}

/// An application with one secret, for the built-in resource and one more.
#[expect(clippy::expect_used, reason = "a test names its ids")]
pub fn application(no: u32, id: &str, secret: &str, trusted: bool) -> Application {
    Application {
        no: ApplicationNo(no),
        id: ApplicationId::parse(id).expect("an application id"),
        active: true,
        trusted,
        registration: std::sync::Arc::default(),
        secrets: vec![SecretHash(sha256(secret.as_bytes())).into()],
        resources: vec![ResourceNo(1), ResourceNo(2)],
        id_token_algorithm: Algorithm::Es256,
        trusts: std::sync::Arc::default(),
    }
}

/// An active client.
#[expect(clippy::expect_used, reason = "a test names its ids")]
pub fn client(id: &str, name: &str) -> Client {
    Client { id: ClientId::parse(id).expect("a client id"), name: name.into(), active: true }
}

/// An active contact. The mandates are put in order.
#[expect(clippy::expect_used, reason = "a test names its ids")]
pub fn contact(id: &str, mut mandates: Vec<Mandate>) -> Contact {
    mandates.sort_by_key(|mandate| mandate.client);
    Contact { id: ContactId::parse(id).expect("a contact id"), active: true, mandates: mandates.into() }
}

/// A mandate that is always in force.
#[expect(clippy::expect_used, reason = "a test names its permissions")]
pub fn mandate(client: u32, permissions: &str) -> Mandate {
    let permissions = Permissions::parse(permissions).expect("permissions");
    Mandate { client: ClientNo(client), span: Span::ALWAYS, permissions, active: true }
}

/// A trust for all contacts that is always in force.
#[expect(clippy::expect_used, reason = "a test names its permissions")]
pub fn trust(client: u32, ceiling: &str) -> Trust {
    let ceiling = Ceiling::parse(ceiling).expect("a ceiling").permissions();
    Trust { client: ClientNo(client), span: Span::ALWAYS, ceiling, active: true, contacts: Coverage::All }
}

/// An active resource that takes ES256.
#[expect(clippy::expect_used, reason = "a test names its ids")]
pub fn resource(no: u32, id: &str) -> Resource {
    Resource {
        no: ResourceNo(no),
        id: ResourceId::parse(id).expect("a resource id"),
        active: true,
        secrets: Vec::new(),
        access_token_algorithm: Algorithm::Es256,
    }
}

fn with_secret(resource: Resource) -> Resource {
    Resource { secrets: vec![SecretHash(sha256(RESOURCE_SECRET.as_bytes())).into()], ..resource }
}

/// A span, for records.
pub fn span(from: Option<i64>, until: Option<i64>) -> Span {
    let at = |seconds: Option<i64>| seconds.map(procura_protocol::time::UnixSeconds);
    Window { from: at(from), until: at(until) }.into()
}
