//! The keys that stand in registrations, read once for each state of a registration.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use procura_jose::Jwk;
use procura_protocol::time::UnixSeconds;
use procura_store::records::{Application, ApplicationNo, Registration};

/// Beyond so many applications all are read again.
const REMEMBERED: usize = 10_000;

/// A key and until when it proves anything.
pub(super) struct ReadKey {
    jwk: Jwk,
    expires_at: Option<UnixSeconds>,
}

/// See the module.
#[derive(Default)]
pub(crate) struct RegisteredKeys(Mutex<HashMap<ApplicationNo, Read>>);

struct Read {
    /// Of which state: held, so that nothing else can come to lie where it lies.
    registration: Arc<Registration>,
    keys: Arc<[ReadKey]>,
}

impl RegisteredKeys {
    /// The keys of the application as it is registered now.
    pub(super) fn of(&self, application: &Application) -> Arc<[ReadKey]> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let registration = &application.registration;
        if let Some(read) = all.get(&application.no).filter(|r| Arc::ptr_eq(&r.registration, registration)) {
            return Arc::clone(&read.keys);
        }
        if all.len() >= REMEMBERED {
            all.clear();
        }
        let keys: Arc<[ReadKey]> = read(application).into();
        let registration = Arc::clone(registration);
        all.insert(application.no, Read { registration, keys: Arc::clone(&keys) });
        keys
    }
}

/// Those that have not expired.
pub(super) fn live(keys: &[ReadKey], now: UnixSeconds) -> impl Iterator<Item = &Jwk> {
    keys.iter().filter(move |key| key.expires_at.is_none_or(|end| now < end)).map(|key| &key.jwk)
}

fn read(application: &Application) -> Vec<ReadKey> {
    let mut keys = Vec::new();
    for key in &application.registration.keys {
        match serde_json::from_str::<Jwk>(&key.jwk) {
            Ok(jwk) => keys.push(ReadKey { jwk, expires_at: key.expires_at }),
            Err(error) => {
                tracing::error!(application = %application.id, %error, "a registered key can't be read");
            }
        }
    }
    keys
}
