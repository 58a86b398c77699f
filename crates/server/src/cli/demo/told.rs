//! What the demo says once it is ready.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::certificates::Files;
use super::commands::{Shell, word};
use super::{Secrets, proofs, sample};

/// What there is to say.
pub(super) struct Told {
    pub(super) base_url: String,
    pub(super) issuer: String,
    pub(super) resource_id: String,
    pub(super) secrets: Secrets,
    pub(super) data: PathBuf,
    pub(super) tls: bool,
    pub(super) thrown_away: bool,
}

impl Told {
    /// The files of the certificates, as absolute paths.
    pub(super) fn files(&self) -> Option<Files> {
        self.tls.then(|| Files::of(&self.data))
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let contacts: Vec<Value> = sample::ALLOWED
            .iter()
            .map(|allowed| json!({ "contact_id": allowed.contact, "clients": allowed.clients }))
            .collect();
        let refused: Vec<Value> = sample::REFUSED
            .iter()
            .map(|refused| json!({ "contact_id": refused.contact, "why": refused.why }))
            .collect();
        let mut told = json!({
            "base_url": self.base_url,
            "issuer": self.issuer,
            "application_id": sample::APPLICATION,
            "application_secret": *self.secrets.application,
            "resource_id": self.resource_id,
            "resource_secret": *self.secrets.resource,
            "payments_resource_id": sample::PAYMENTS,
            "payments_resource_secret": *self.secrets.payments,
            "contacts": contacts,
            "refused_contacts": refused,
            "data_dir": self.data,
        });
        if let Some(files) = self.files() {
            let by_certificate = |application: &str, certificate: PathBuf, contact: &str| {
                json!({
                    "application_id": application,
                    "key_file": Files::key_of(&certificate),
                    "certificate_file": certificate,
                    "contact_id": contact,
                })
            };
            told["ca_file"] = json!(files.ca());
            told["grant_key_file"] = json!(files.signing());
            told["dpop_key_file"] = json!(files.proving());
            told["mtls"] = by_certificate(sample::BY_CERTIFICATE, files.partner(), sample::OF_BY_CERTIFICATE);
            told["self_signed"] = by_certificate(proofs::SELF_SIGNED, files.self_signed(), proofs::CONTACT);
            told["private_key_jwt"] = json!({
                "application_id": proofs::SIGNING,
                "key_file": files.signing(),
                "contact_id": proofs::CONTACT,
            });
            told["dpop"] = json!({
                "application_id": proofs::WITH_PROOFS,
                "application_secret": self.secrets.beside.as_ref().map(|beside| beside.proof.as_str()),
                "contact_id": proofs::CONTACT,
            });
            told["dpop_mtls"] = by_certificate(proofs::BOUND_TWICE, files.partner(), proofs::CONTACT);
            told["fapi2"] = json!({
                "application_id": proofs::FAPI_SIGNING,
                "key_file": files.signing(),
                "contact_id": proofs::CONTACT,
            });
            told["fapi2_mtls"] = by_certificate(proofs::FAPI_CERTIFICATE, files.partner(), proofs::CONTACT);
        }
        told
    }

    /// For people: commands to paste, a group for each door.
    pub(super) fn text(&self) -> String {
        let shell = Shell::of(self);
        let mut text = format!("Procura demo at {}\n", self.base_url);
        for group in shell.groups() {
            text.push_str(&format!("\n# {}\n", group.title));
            for (what, command) in &group.commands {
                text.push_str(&format!("{what}:\n  {command}\n"));
            }
        }
        text.push_str("\n# Contacts that get a token\n");
        for allowed in sample::ALLOWED {
            text.push_str(&format!("  {}  {}\n", allowed.contact, allowed.clients.join(" ")));
        }
        text.push_str("\n# Contacts that do not, all with the same answer\n");
        for refused in sample::REFUSED {
            text.push_str(&format!("  {}  {}\n", refused.contact, refused.why));
        }
        text.push_str(&format!(
            "Why one was refused; write the Procura-Reference of the answer in the place of REFERENCE:\n  \
             {procura} audit explain REFERENCE --data {data}\n\n\
             # A company takes its trust back, and every token that lists it dies\n  \
             {procura} trust disable {client} {application} --reason 'contract ended' --data {data}\n\n\
             {kept}. Ctrl-C ends it.",
            procura = shell.procura,
            application = sample::APPLICATION,
            client = sample::ALLOWED.first().and_then(|allowed| allowed.clients.first()).unwrap_or(&""),
            data = word(&self.data),
            kept =
                if self.thrown_away { "All of it is thrown away at the end" } else { "The folder is kept" },
        ));
        text
    }
}
