//! `cargo xtask crash`: servers killed under load, and no token missing from the journal.
//!
//! One installation lives through all of it. In every run a server starts on what the last one left,
//! several callers fetch tokens and remember every one they received, commands change the directory
//! meanwhile, and at a random moment the server is killed. Now and then a command is killed too. After
//! the next start, with nothing repaired by hand: the chain must verify, every token received must be in
//! the journal, and every change that a command acknowledged must be in it once.
//!
//! * [`load`]: callers and changes while a server lives.
//! * [`ledger`]: what they were told, held against what the journal says.

mod ledger;
mod load;

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::process;
use crate::procura::{Procura, Server};
use crate::steps::{Failure, Verdict, now};
use crate::workspace::{Profile, Workspace};
use ledger::Ledger;
use load::{APPLICATION, CLIENTS, CONTACTS, Load};

/// From the first token of a run to the kill: at least, and up to so much more.
const LIVES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(230));
/// A server must give a first token within this.
const FIRST_TOKEN: Duration = Duration::from_secs(20);
/// The outbox is drained by a running server at once; a busy machine may take its time.
const RECORDED: Duration = Duration::from_secs(20);
/// Nobody waits longer for one run.
const RUN: Duration = Duration::from_secs(10);
const AT_LEAST: Duration = Duration::from_secs(120);

/// Kills so many servers.
pub(crate) fn run(workspace: &Workspace, runs: u32) -> Verdict {
    let program = workspace.server(Profile::Dev)?;
    let folder = tempfile::Builder::new().prefix("procura-crash-").tempdir();
    let folder = folder.map_err(|error| Failure::wrong(format!("no throw-away folder: {error}")))?;
    let procura = Procura::init(&program, folder.path())?;
    let secret = fill(&procura, folder.path())?;
    match kill_all(&procura, &secret, runs) {
        Ok(said) => Ok(said),
        Err(failure) => {
            let kept = folder.keep();
            let log = process::tail(&procura.log(), 20);
            println!("the last server's last words:\n{log}\nthe installation is kept in {}", kept.display());
            Err(failure)
        }
    }
}

fn kill_all(procura: &Procura, secret: &str, runs: u32) -> Verdict {
    let mut dice = Dice::new();
    println!("killing {runs} servers (seed {})", dice.0);
    let (begin, limit) = (now(), AT_LEAST.max(RUN * runs));
    let mut ledger = Ledger::new(procura)?;
    let mut server = procura.serve(None)?;
    for run in 1..=runs {
        if now().duration_since(begin) > limit {
            return Err(Failure::wrong(format!("{} of {runs} runs in {} s", run - 1, limit.as_secs())));
        }
        let load = Load::begin(procura, server.address(), secret, (run, dice.below(4) == 0));
        let alive = wait_for_a_token(&load);
        thread::sleep(LIVES.0 + Duration::from_micros(dice.below(LIVES.1.as_micros() as u64)));
        server.kill();
        let told = load.end();
        alive.map_err(|failure| Failure::wrong(format!("run {run}: {failure}")))?;
        ledger.remember(told);
        server = procura.serve(None)?;
        check(&mut ledger, procura, &server)
            .map_err(|failure| Failure::wrong(format!("run {run}: {failure}")))?;
        if run % 10 == 0 {
            println!("{run:>6} killed; {}", ledger.summary());
        }
    }
    server.stop()?;
    procura.call(&["audit", "verify"])?;
    Ok(format!("{runs} servers killed under load; {}", ledger.summary()))
}

/// What must hold after every start.
fn check(ledger: &mut Ledger, procura: &Procura, _running: &Server) -> Result<(), Failure> {
    procura.call(&["audit", "verify"])?;
    let begin = now();
    loop {
        ledger.read(procura)?;
        match ledger.wrong() {
            None => return Ok(()),
            // Tokens were durable before they left; changes are brought over within a moment.
            Some(wrong) if wrong.is_final() || now().duration_since(begin) > RECORDED => {
                return Err(Failure::wrong(wrong.to_string()));
            }
            Some(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn wait_for_a_token(load: &Load) -> Result<(), Failure> {
    let begin = now();
    while load.tokens() == 0 {
        if now().duration_since(begin) > FIRST_TOKEN {
            return Err(Failure::wrong(format!("no token in {} s", FIRST_TOKEN.as_secs())));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Clients, contacts with three mandates each, one application that all clients trust; its secret.
fn fill(procura: &Procura, folder: &Path) -> Result<String, Failure> {
    let clients = (0..CLIENTS).map(|client| format!("cli.{client},Made-up {client} Ltd\n"));
    let contacts = (0..CONTACTS).map(|contact| format!("con.{contact}\n"));
    let mandates = (0..CONTACTS).flat_map(|contact| {
        (0..3).map(move |at| format!("con.{contact},cli.{},can_trade\n", (contact * 3 + at) % CLIENTS))
    });
    let trusts = (0..CLIENTS).map(|client| format!("cli.{client},{APPLICATION},*,all,made up\n"));
    let files = [
        ("client", "client_id,client_name\n", clients.collect::<String>()),
        ("contact", "contact_id\n", contacts.collect()),
        ("mandate", "contact_id,client_id,permissions\n", mandates.collect()),
        ("application", "application_id,name,trusted\n", format!("{APPLICATION},Made up,true\n")),
        ("trust", "client_id,application_id,contacts,ceiling,reason\n", trusts.collect()),
    ];
    for (noun, head, rows) in files {
        let file = folder.join(format!("{noun}.csv"));
        fs::write(&file, format!("{head}{rows}")).map_err(|error| Failure::wrong(error.to_string()))?;
        procura.import(noun, &file)?;
    }
    procura.secret(APPLICATION)
}

/// Moments nobody has chosen; the seed is told, though a run is never the same twice.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}
