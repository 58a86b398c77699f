//! Callers and changes while a server lives.

use std::net::SocketAddr;
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::procura::Procura;
use crate::wire::Caller;

/// The one application.
pub(super) const APPLICATION: &str = "app_crash";
/// Contacts `con.0` and so on, each with three clients.
pub(super) const CONTACTS: u32 = 40;
/// Clients `cli.0` and so on.
pub(super) const CLIENTS: u32 = 30;

const CALLERS: u32 = 4;
/// Commands run one after another in each of so many threads.
const CHANGERS: u32 = 2;

/// A change that a command was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Change {
    /// A contact that nobody else adds.
    Contact(String),
    /// A mandate of that contact for that client.
    Mandate(String, String),
    /// The ceiling of that client's trust; there are many of these.
    Trust(String),
}

/// What the outside world was told in one run.
#[derive(Default)]
pub(super) struct Told {
    /// `jti` of every ID token received.
    pub(super) tokens: Vec<String>,
    /// Answers that were no tokens.
    pub(super) others: Vec<u16>,
    /// Changes acknowledged.
    pub(super) acknowledged: Vec<Change>,
    /// Changes of which nothing is known: the command was killed, or failed.
    pub(super) unknown: Vec<Change>,
}

/// A running load.
pub(super) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    told: Mutex<Told>,
    tokens: AtomicUsize,
    over: AtomicBool,
}

impl Load {
    /// Begins. The run's number makes its changes its own; with `careless` its last command is killed.
    pub(super) fn begin(
        procura: &Procura,
        address: SocketAddr,
        secret: &str,
        (run, careless): (u32, bool),
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let callers = (0..CALLERS).map(|number| {
            let (shared, secret) = (Arc::clone(&shared), secret.to_owned());
            thread::spawn(move || call(&shared, address, &secret, number * CONTACTS / CALLERS))
        });
        let changers = (0..CHANGERS).map(|changer| {
            let commands = Commands { procura: procura.share(), run, changer, careless };
            let shared = Arc::clone(&shared);
            thread::spawn(move || commands.run_all(&shared))
        });
        let threads = callers.chain(changers).collect();
        Self { shared, threads }
    }

    /// Tokens received so far.
    pub(super) fn tokens(&self) -> usize {
        self.shared.tokens.load(Ordering::Acquire)
    }

    /// Waits until everybody has noticed that the server is gone; what they were told.
    pub(super) fn end(self) -> Told {
        self.shared.over.store(true, Ordering::Release);
        for thread in self.threads {
            // A thread that panicked has told what it told until then.
            let _ = thread.join();
        }
        std::mem::take(&mut *self.shared.told.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Fetches tokens until the connection breaks.
fn call(shared: &Shared, address: SocketAddr, secret: &str, first: u32) {
    let Ok(mut caller) = Caller::connect(address, APPLICATION, secret) else { return };
    for number in first.. {
        let Ok(answer) = caller.token(&format!("con.{}", number % CONTACTS)) else { return };
        let claims = if answer.status == 200 { answer.id_token() } else { None };
        let jti = claims.and_then(|claims| claims["jti"].as_str().map(str::to_owned));
        let mut told = shared.told.lock().unwrap_or_else(PoisonError::into_inner);
        match jti {
            Some(jti) => {
                told.tokens.push(jti);
                shared.tokens.fetch_add(1, Ordering::Release);
            }
            None => told.others.push(answer.status),
        }
    }
}

/// Commands that change the directory, one after another.
struct Commands {
    procura: Procura,
    run: u32,
    changer: u32,
    careless: bool,
}

impl Commands {
    /// Goes on until the run is over.
    fn run_all(&self, shared: &Shared) {
        for number in 0.. {
            let over = || shared.over.load(Ordering::Acquire);
            let (change, arguments) = self.change(number);
            let mut command = self.procura.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
            let Ok(child) = command.spawn() else { return };
            let acknowledged = if self.careless { until(child, over) } else { until(child, || false) };
            let mut told = shared.told.lock().unwrap_or_else(PoisonError::into_inner);
            if acknowledged {
                told.acknowledged.push(change);
            } else {
                told.unknown.push(change);
            }
            drop(told);
            if over() {
                return;
            }
        }
    }

    fn change(&self, number: u32) -> (Change, Vec<String>) {
        let contact = format!("new.{}.{}.{}", self.run, self.changer, number / 3);
        // Each has clients of its own, so that what one sets no other sets too.
        let client = format!("cli.{}", (self.run + number) % (CLIENTS / CHANGERS) * CHANGERS + self.changer);
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        match number % 3 {
            0 => (Change::Contact(contact.clone()), words(&format!("contact add {contact}"))),
            1 => {
                let arguments = words(&format!("mandate add {contact} {client} --permissions can_trade"));
                (Change::Mandate(contact, client), arguments)
            }
            _ => {
                // Not what the client's trust had before, so that each is a change.
                let until = 2_100 + (self.run * 1_009 + number) % 7_000;
                let arguments =
                    words(&format!("trust update {client} {APPLICATION} --until {until}-01-01T00:00:00Z"));
                (Change::Trust(client), arguments)
            }
        }
    }
}

/// Waits for a command; whether it ended well. Kills it when it is `over`.
fn until(mut child: Child, over: impl Fn() -> bool) -> bool {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if over() => {
                // It may have ended just now: only its status counts.
                let _ = child.kill();
                return child.wait().is_ok_and(|status| status.success());
            }
            Ok(None) => thread::sleep(Duration::from_millis(1)),
            Err(_) => return false,
        }
    }
}
