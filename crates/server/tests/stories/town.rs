//! A data folder in which one request works.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::{Folder, Server, procura};

/// One client, one contact, one application that is trusted.
pub(crate) struct Town {
    pub(crate) folder: Folder,
}

impl Town {
    pub(crate) fn new() -> Town {
        let folder = Folder::new();
        folder.done("client|add|CLI1|--client-name|Wells-Byrne Ltd");
        folder.done("contact add CON1");
        folder.done("mandate add CON1 CLI1 --permissions can_trade");
        folder.done("application add app_one --trusted");
        folder.done("trust add CLI1 app_one --contacts * --ceiling all --reason agreed");
        Town { folder }
    }

    /// A new secret: its id, and the headers of a request that shows it.
    pub(crate) fn secret(&self) -> (String, String) {
        let made = self.folder.done("application secret add app_one --json").json();
        let pair = STANDARD.encode(format!("app_one:{}", made["secret"].as_str().unwrap()));
        let headers = format!("authorization: Basic {pair}\r\ncontent-length: 0\r\n");
        (made["secret_id"].to_string().trim_matches('"').to_owned(), headers)
    }

    /// The command that serves it. Whoever asks until a change is in force is refused more often than a stranger
    /// may be.
    pub(crate) fn serve(&self) -> Command {
        let mut command = procura();
        command.args(["serve", "--data"]).arg(self.folder.path());
        command.env("PROCURA_LIMITS__FAILED_PROOFS_PER_ADDRESS_PER_MINUTE", "0");
        command
    }
}

/// The status of an answer.
pub(crate) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// Asks until the answer has that status. Bounded by tries, not by time: each waits for an answer.
pub(crate) fn ask_until(server: &Server, headers: &str, wanted: u16) -> String {
    let mut answers = (0..1_000_000).map(|_| server.ask("POST /token/CON1", headers));
    answers.find(|answer| status(answer) == wanted).unwrap()
}
