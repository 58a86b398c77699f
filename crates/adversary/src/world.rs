//! The server under attack, with the keys and certificates of those who may use it, and of strangers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::Arc;

use procura_jose::Algorithm;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use rustls_pki_types::PrivateKeyDer;
use serde_json::Value;

use crate::adapter::{
    Adapter, Application, ApplicationRole, CertificateRole, ChangeName, ClientRole, Contact, ContactRole,
    Resource, ResourceRole,
};
use crate::case::Stop;
use crate::keys::Key;
use crate::wire::{self, Identity, Request, Roots, Url};

/// Everything that cases may use.
pub struct World {
    pub(crate) adapter: Adapter,
    pub(crate) roots: Roots,
    keys: BTreeMap<ApplicationRole, Key>,
    proofs: BTreeMap<ApplicationRole, Key>,
    identities: BTreeMap<ApplicationRole, Arc<Identity>>,
    pub(crate) strangers: Strangers,
    /// The last nonce for DPoP proofs that the server gave.
    pub(crate) nonce: RefCell<Option<String>>,
}

/// Keys and certificates that no server knows.
pub(crate) struct Strangers {
    pub(crate) ec: Key,
    pub(crate) rsa: Key,
    pub(crate) ed: Key,
    /// In force, self-signed, with a subject of its own.
    pub(crate) identity: Arc<Identity>,
}

impl World {
    /// Reads what the adapter names.
    ///
    /// # Errors
    ///
    /// A sentence that names the file and what is wrong with it.
    pub fn new(adapter: Adapter) -> Result<World, String> {
        let roots = match &adapter.ca_file {
            Some(file) => Roots::read(&adapter.path(file))?,
            None => Roots::none(),
        };
        let (mut keys, mut proofs, mut identities) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (role, application) in &adapter.applications {
            if let Some(file) = &application.key_file {
                let (algorithm, kid) = (application.algorithm.as_deref(), application.key_id.as_deref());
                keys.insert(*role, Key::read(&adapter.path(file), algorithm, kid)?);
            }
            if application.dpop {
                proofs.insert(*role, Key::generate(Algorithm::Es256)?);
            }
            if let (Some(certificate), Some(key)) =
                (&application.certificate_file, &application.certificate_key_file)
            {
                let identity = Identity::read(&adapter.path(certificate), &adapter.path(key))?;
                identities.insert(*role, Arc::new(identity));
            }
        }
        let strangers = Strangers {
            ec: Key::generate(Algorithm::Es256)?,
            rsa: Key::generate(Algorithm::Ps256)?,
            ed: Key::generate(Algorithm::EdDsa)?,
            identity: Arc::new(certificate("stranger", (2020, 2090)).map_err(|error| error.to_string())?),
        };
        Ok(World { adapter, roots, keys, proofs, identities, strangers, nonce: RefCell::new(None) })
    }

    /// Whether the server answers at all.
    ///
    /// # Errors
    ///
    /// A sentence, when it can't be reached.
    pub fn reachable(&self) -> Result<(), String> {
        let endpoints = &self.adapter.endpoints;
        let known = [&endpoints.metadata, &endpoints.jwks, &endpoints.token, &endpoints.contact_token];
        let Some(url) = known.into_iter().flatten().next() else { return Ok(()) };
        let request = Request {
            method: "GET".to_owned(),
            url: Url::parse(url)?,
            headers: Vec::new(),
            body: None,
            identity: None,
        };
        wire::send(&self.roots, &request).map(|_| ()).map_err(|error| error.to_string())
    }

    pub(crate) fn application(&self, role: ApplicationRole) -> Result<&Application, Stop> {
        let missing = || Stop::skip(format_args!("the adapter has no `applications.{role}`"));
        self.adapter.applications.get(&role).ok_or_else(missing)
    }

    pub(crate) fn contact(&self, role: ContactRole) -> Result<&Contact, Stop> {
        let missing = || Stop::skip(format_args!("the adapter has no `contacts.{role}`"));
        self.adapter.contacts.get(&role).ok_or_else(missing)
    }

    pub(crate) fn client(&self, role: ClientRole) -> Result<&str, Stop> {
        let missing = || Stop::skip(format_args!("the adapter has no `clients.{role}`"));
        self.adapter.clients.get(&role).map(String::as_str).ok_or_else(missing)
    }

    pub(crate) fn resource(&self, role: ResourceRole) -> Result<&Resource, Stop> {
        let missing = || Stop::skip(format_args!("the adapter has no `resources.{role}`"));
        self.adapter.resources.get(&role).ok_or_else(missing)
    }

    /// The key that this application signs assertions with.
    pub(crate) fn key(&self, role: ApplicationRole) -> Result<&Key, Stop> {
        let missing = || Stop::skip(format_args!("`applications.{role}` has no `key_file`"));
        self.application(role).and_then(|_| self.keys.get(&role).ok_or_else(missing))
    }

    /// The key that this application's tokens are bound to.
    pub(crate) fn proof_key(&self, role: ApplicationRole) -> Result<&Key, Stop> {
        let missing = || Stop::skip(format_args!("`applications.{role}` has no `dpop = true`"));
        self.application(role).and_then(|_| self.proofs.get(&role).ok_or_else(missing))
    }

    /// The certificate of this application.
    pub(crate) fn identity(&self, role: ApplicationRole) -> Result<Arc<Identity>, Stop> {
        let missing = || Stop::skip(format_args!("`applications.{role}` has no `certificate_file`"));
        self.application(role).and_then(|_| self.identities.get(&role).cloned().ok_or_else(missing))
    }

    /// A certificate that proves nothing.
    pub(crate) fn spoilt(&self, role: CertificateRole) -> Result<Arc<Identity>, Stop> {
        let missing = || Stop::skip(format_args!("the adapter has no `certificates.{role}`"));
        let named = self.adapter.certificates.get(&role).ok_or_else(missing)?;
        let (certificate, key) = (&named.certificate_file, &named.certificate_key_file);
        let read = Identity::read(&self.adapter.path(certificate), &self.adapter.path(key));
        read.map(Arc::new).map_err(|why| Stop::fail(format_args!("`certificates.{role}`"), why))
    }

    /// Makes a change of the world.
    pub(crate) fn change(&self, name: ChangeName, back: bool) -> Result<(), Stop> {
        let missing = || Stop::skip(format_args!("the adapter has no `changes.{name}`"));
        let change = self.adapter.changes.get(&name).ok_or_else(missing)?;
        let command = if back { &change.undo } else { &change.make };
        let member = if back { "undo" } else { "do" };
        self.run(command)
            .map(|_| ())
            .map_err(|why| Stop::fail(format_args!("`changes.{name}.{member}`"), why))
    }

    /// Runs a program of the adapter to its end; its standard output.
    pub(crate) fn run(&self, command: &[String]) -> Result<String, String> {
        let (program, arguments) = command.split_first().ok_or("no program is named")?;
        let output = Command::new(crate::setup::program(&self.adapter.folder, program))
            .args(arguments)
            .current_dir(&self.adapter.folder)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{program} does not start: {error}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.trim().lines().last().unwrap_or_default().to_owned();
            return Err(format!("{program} ended with {}: {last}", output.status));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A claim by the way that the adapter describes: every value that is found there.
    pub(crate) fn found<'v>(claims: &'v Value, way: &str) -> Vec<&'v Value> {
        if way.is_empty() {
            return Vec::new();
        }
        let mut found = vec![claims];
        for step in way.split('.') {
            found = found
                .into_iter()
                .flat_map(|value| match (step, value) {
                    ("*", Value::Array(values)) => values.iter().collect(),
                    (step, Value::Object(members)) => members.get(step).into_iter().collect(),
                    _ => Vec::new(),
                })
                .collect();
        }
        found
    }
}

/// A self-signed certificate with this common name, in force from and to the first days of these years.
pub(crate) fn certificate(name: &str, (from, to): (i32, i32)) -> Result<Identity, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let made = params.self_signed(&key)?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    Ok(Identity::made(made.der().clone(), key))
}
