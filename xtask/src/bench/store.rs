//! The installation that is measured, imported by the program itself.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::Bench;
use crate::procura::Procura;
use crate::steps::Failure;

/// The application that asks.
pub(super) const APPLICATION: &str = "app_k7mq2vd4";
/// Contact ids begin here, so that all have the same length.
pub(super) const FIRST_CONTACT: u32 = 1_000_000;
const FIRST_CLIENT: u32 = 100_000;

/// Companies' names are as long as those of the demo.
const NAMES: [&str; 5] = [
    "Nordwall Werkzeugbau GmbH",
    "Panadería Sol de Levante S.L.",
    "Fjällbäcks Åkeri AB",
    "Waterland Bloembollen B.V.",
    "Brasserie des Trois Écluses SARL",
];
const PAYER: &str = "can_manage_payments can_make_same_currency_payments can_trade";
const CLERK: &str = "can_manage_beneficiaries can_manage_payments";

/// How much of everything.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) applications: u32,
    pub(super) clients: u32,
    pub(super) contacts: u32,
    /// Trusts of each application but the one that asks, which every client of its contacts trusts.
    pub(super) trusts: u32,
}

impl Size {
    /// What capacity is measured on.
    pub(super) const USUAL: Size = Size { applications: 1, clients: 3_000, contacts: 10_000, trusts: 0 };
    /// What large directories are compared with.
    pub(super) const SMALL: Size = Size { applications: 1, clients: 100, contacts: 100, trusts: 0 };
    /// The largest that is promised.
    pub(super) const LARGE: Size =
        Size { applications: 10_000, clients: 100_000, contacts: 1_000_000, trusts: 100 };

    /// Contacts whose clients trust the application that asks; a large directory has it ask for a part.
    pub(super) fn asked_for(self) -> u32 {
        self.contacts.min(10_000)
    }

    /// Every how manieth contact is asked for.
    fn stride(self) -> u32 {
        self.contacts / self.asked_for()
    }
}

/// An installation with an application that may ask.
pub(super) struct Store {
    pub(super) procura: Procura,
    pub(super) secret: String,
    pub(super) size: Size,
}

impl Store {
    /// Makes one in a folder of its own.
    pub(super) fn make(bench: &Bench, name: &str, size: Size) -> Result<Self, Failure> {
        Self::make_with(bench, name, size, "")
    }

    /// The same, with these lines at the end of its configuration.
    pub(super) fn make_with(bench: &Bench, name: &str, size: Size, more: &str) -> Result<Self, Failure> {
        let folder = bench.folder.path().join(name);
        std::fs::create_dir_all(&folder).map_err(|error| unwritten(&folder, &error))?;
        let procura = Procura::init_with(&bench.server, &folder, more)?;
        eprintln!("making a directory of {} contacts", size.contacts);
        for (noun, file) in write(&folder, size)? {
            procura.import(noun, &file)?;
            std::fs::remove_file(&file).map_err(|error| unwritten(&file, &error))?;
        }
        let secret = procura.secret(APPLICATION)?;
        Ok(Self { procura, secret, size })
    }

    /// The contacts to ask for, spread over the whole directory.
    pub(super) fn asked(&self) -> impl Iterator<Item = String> + use<> {
        let size = self.size;
        (0..size.asked_for()).map(move |number| contact(number * size.stride()))
    }
}

pub(super) fn contact(number: u32) -> String {
    format!("CON{}", FIRST_CONTACT + number)
}

pub(super) fn client(number: u32) -> String {
    format!("CLI{}", FIRST_CLIENT + number)
}

/// The three clients of a contact: spread over all, but those that are asked for share the first ones.
fn clients_of(size: Size, number: u32) -> [u32; 3] {
    let (number, among) = match number % size.stride() {
        0 => (number / size.stride(), asked_clients(size)),
        _ => (number, size.clients),
    };
    [0, 1, 2].map(|at| (number * 3 + at) % among)
}

fn asked_clients(size: Size) -> u32 {
    size.clients.min(3_000)
}

/// Every contact with each of its clients.
pub(super) fn mandates(size: Size) -> impl Iterator<Item = (u32, u32)> {
    (0..size.contacts).flat_map(move |number| clients_of(size, number).map(|client| (number, client)))
}

/// Files in the order of their import.
fn write(folder: &Path, size: Size) -> Result<Vec<(&'static str, PathBuf)>, Failure> {
    let clients = (0..size.clients)
        .map(|number| format!("{},{} {number}\n", client(number), NAMES[number as usize % NAMES.len()]));
    let contacts = (0..size.contacts).map(|number| format!("{},Lucía Ferrándiz {number}\n", contact(number)));
    let permissions = [PAYER, PAYER, CLERK].into_iter().cycle();
    let mandates = mandates(size)
        .zip(permissions)
        .map(|((number, of), permissions)| format!("{},{},{permissions}\n", contact(number), client(of)));
    let applications = (1..size.applications)
        .map(|number| format!("app_made{number:05},Made-up program {number},true\n"))
        .chain([format!("{APPLICATION},The bench,true\n")]);
    let others = (1..size.applications).flat_map(|application| {
        (0..size.trusts).map(move |at| {
            let of = (application * size.trusts + at * 7) % size.clients;
            format!("{},app_made{application:05},*,all,agreement\n", client(of))
        })
    });
    let own = (0..asked_clients(size)).map(|of| format!("{},{APPLICATION},*,all,agreement\n", client(of)));
    let path = |noun: &str| folder.join(format!("{noun}.csv"));
    csv(&path("client"), "client_id,client_name", clients)?;
    csv(&path("contact"), "contact_id,name", contacts)?;
    csv(&path("mandate"), "contact_id,client_id,permissions", mandates)?;
    csv(&path("application"), "application_id,name,trusted", applications)?;
    csv(&path("trust"), "client_id,application_id,contacts,ceiling,reason", own.chain(others))?;
    let order = ["client", "contact", "mandate", "application", "trust"];
    Ok(order.into_iter().map(|noun| (noun, path(noun))).collect())
}

/// Writes a head and rows, which end in newlines.
pub(super) fn csv(path: &Path, head: &str, rows: impl Iterator<Item = String>) -> Result<(), Failure> {
    let failed = |error| unwritten(path, &error);
    let mut out = BufWriter::new(File::create(path).map_err(failed)?);
    writeln!(out, "{head}").map_err(failed)?;
    let mut portion = String::new();
    for row in rows {
        let _ = portion.write_str(&row);
        if portion.len() > 1 << 20 {
            out.write_all(portion.as_bytes()).map_err(failed)?;
            portion.clear();
        }
    }
    out.write_all(portion.as_bytes()).and_then(|()| out.flush()).map_err(failed)
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::wrong(format!("{}: {error}", path.display()))
}
