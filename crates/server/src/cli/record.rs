//! `application`, `client`, `contact`, `mandate`, `trust` and `resource`: one implementation for all.
//!
//! Which flags `add` and `update` take, what `list` may be narrowed by and what `show` prints comes from
//! `procura_store::fields`. A noun differs from the others by its [`Noun`] and by nothing else.

pub(super) mod flags;
pub(super) mod registration;
pub(super) mod verbs;

use clap::{ArgMatches, Command};
use procura_store::change::Entity;
use procura_store::credential::CredentialKind;

use crate::exit::Outcome;

/// What makes one noun different from the next.
#[derive(Debug)]
pub(super) struct Noun {
    /// Which records.
    pub(super) entity: Entity,
    /// What the help says of it.
    about: &'static str,
    /// Columns of the table that `list` prints.
    columns: &'static [&'static str],
    /// Examples for the long help.
    examples: &'static str,
    /// Whether `add` makes an id when none is given.
    makes_ids: bool,
    /// What its records prove themselves with.
    credentials: &'static [CredentialKind],
}

const APPLICATION: Noun = Noun {
    entity: Entity::Application,
    about: "Partners' programs, and what they prove themselves with",
    columns: &["application_id", "name", "trusted", "status"],
    examples: "  procura application add --data DIR --name 'Klapp ERP' --trusted\n  \
               procura application secret add app_klapp --data DIR\n  \
               procura application update app_klapp --data DIR --auth-methods tls_client_auth \\\n    \
               --certificate-san-dns erp.klapp.example\n  \
               procura application disable app_klapp --data DIR --reason 'contract ended'",
    makes_ids: true,
    credentials: CredentialKind::ALL,
};

const CLIENT: Noun = Noun {
    entity: Entity::Client,
    about: "Customer companies",
    columns: &["client_id", "client_name", "status", "brand_name"],
    examples: "  procura client add CLI100 --data DIR --client-name 'Wells-Byrne Ltd'\n  \
               procura client update CLI100 --data DIR --status Blocked\n  \
               procura client import clients.csv --data DIR --dry-run",
    makes_ids: false,
    credentials: &[],
};

const CONTACT: Noun = Noun {
    entity: Entity::Contact,
    about: "People who may act for clients",
    columns: &["contact_id", "name", "email_address", "status"],
    examples: "  procura contact add CON1 --data DIR --name 'Ana Ruiz' --email-address ana@ruiz.example\n  \
               procura contact list --data DIR --status disabled --json\n  \
               procura contact erase CON1 --data DIR --yes",
    makes_ids: false,
    credentials: &[],
};

const MANDATE: Noun = Noun {
    entity: Entity::Mandate,
    about: "Contacts' authority over clients: what they may do, and when",
    columns: &["contact_id", "client_id", "permissions", "from", "until", "status"],
    examples: "  procura mandate add CON1 CLI100 --data DIR --permissions 'can_trade can_manage_payments'\n  \
               procura mandate update CON1 CLI100 --data DIR --until 2031-05-01T00:00:00Z\n  \
               procura mandate list --data DIR --contact-id CON1",
    makes_ids: false,
    credentials: &[],
};

const TRUST: Noun = Noun {
    entity: Entity::Trust,
    about: "Clients' leave for an application to act for their contacts",
    columns: &["client_id", "application_id", "contacts", "ceiling", "from", "until", "status"],
    examples: "  procura trust add CLI100 app_klapp --data DIR --contacts '*' --ceiling all \\\n    \
               --reason 'signed agreement 4402'\n  \
               procura trust update CLI100 app_klapp --data DIR --contacts 'CON1 CON2'\n  \
               procura trust disable CLI100 app_klapp --data DIR --reason 'withdrawn by letter'",
    makes_ids: false,
    credentials: &[],
};

const RESOURCE: Noun = Noun {
    entity: Entity::Resource,
    about: "APIs that take tokens, and their secrets",
    columns: &["resource_id", "name", "status", "access_token_alg"],
    examples: "  procura resource add https://payments.example/v1 --data DIR --name Payments\n  \
               procura resource secret add https://payments.example/v1 --data DIR\n  \
               procura application update app_klapp --data DIR --resource https://payments.example/v1",
    makes_ids: false,
    credentials: &[CredentialKind::Secret],
};

macro_rules! nouns {
    ($($noun:ident, $command:ident, $run:ident;)*) => {$(
        pub(super) fn $command() -> Command {
            command(&$noun)
        }

        pub(super) fn $run(matches: &ArgMatches) -> Outcome {
            verbs::run(&$noun, matches)
        }
    )*};
}

nouns! {
    APPLICATION, application, run_application;
    CLIENT, client, run_client;
    CONTACT, contact, run_contact;
    MANDATE, mandate, run_mandate;
    TRUST, trust, run_trust;
    RESOURCE, resource, run_resource;
}

fn command(noun: &Noun) -> Command {
    let name = noun.entity.name();
    let mut command = Command::new(name)
        .about(noun.about)
        .after_long_help(format!("Examples:\n{}", noun.examples))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            flags::add(noun),
            flags::list(noun),
            flags::show(noun),
            flags::update(noun),
            flags::disable(noun),
            flags::remove(noun),
            super::import::command(name),
        ]);
    if noun.entity == Entity::Contact {
        command = command.subcommand(flags::erase(noun));
    }
    command.subcommands(noun.credentials.iter().map(|kind| super::credential::command(noun, *kind)))
}
