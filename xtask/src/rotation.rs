//! `docs/operations/rotation.md`, followed: every block of shell is run against a server of its own, in order,
//! in one shell, and every status that it promises is compared with what comes.
//!
//! A mark stands before each block. `<!-- follow -->`: it is run. `<!-- follow: REASON -->`: it is not, and the
//! verdict counts how many were left out for which reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::demo::Demo;
use crate::process::Tied;
use crate::steps::{Failure, Verdict};
use crate::story::Script;
use crate::tools;
use crate::workspace::{Profile, Workspace};

const PAGE: &str = "docs/operations/rotation.md";
/// Why the block is not run in which the reader sets what the check sets itself.
const OWN: &str = "not run, because the check has its own";

/// Starts a demo, which has everything that the page speaks of, and follows the page.
pub(crate) fn check(workspace: &Workspace) -> Verdict {
    ["bash", "curl", "openssl"].into_iter().try_for_each(tools::shell_program)?;
    let followed = followed(&page(workspace.root())?)?;
    let server = workspace.server(Profile::Dev)?;
    let demo = Demo::start_with_tls(workspace)?;
    let script = Script::of(&format!("{}{}", own(&demo, &server), followed.shell))?;
    let said = script.run(demo.folder(), Tied::command("bash"));
    if said.is_err() {
        println!("the demo's last words:\n{}", demo.last_words());
    }
    let checked = said?;
    demo.stop()?;
    let left: Vec<String> = followed.left.iter().map(|(why, count)| format!("{count} {why}")).collect();
    Ok(format!("{} blocks, {checked} statuses as it says; left out: {}", followed.blocks, left.join(", ")))
}

fn page(root: &Path) -> Result<String, Failure> {
    fs::read_to_string(root.join(PAGE)).map_err(|error| Failure::wrong(format!("{PAGE}: {error}")))
}

/// What the page's reader sets, for this demo, and the program that was built.
fn own(demo: &Demo, server: &Path) -> String {
    let announced = demo.announced();
    let (application, api) = (&announced.application_id, &announced.payments_resource_id);
    let contact = announced.contacts.first().map_or("", |contact| &contact.contact_id);
    let ca = announced.ca_file.clone().unwrap_or_default();
    [
        format!("export CURL_CA_BUNDLE='{}'", ca.display()),
        "CA=$CURL_CA_BUNDLE".to_owned(),
        format!("MTLS_BASE='{}'", announced.base_url),
        format!("procura() {{ '{}' \"$@\"; }}", server.display()),
        format!("DATA='{}'", announced.data_dir.display()),
        format!("BASE='{}'", announced.base_url),
        format!("APP='{application}' CONTACT='{contact}' API='{api}'"),
        format!("API_ENCODED='{}'", api.replace(':', "%3A").replace('/', "%2F")),
        format!("OLD_SECRET='{}'", announced.application_secret),
        // The demo's application signs grants; the page's has no key yet.
        "KEYS=$(procura application key list \"$APP\" --json --data \"$DATA\" | grep -o '\"key_id\":\"[0-9]*')"
            .to_owned(),
        "for key in $KEYS; do procura application key retire \"$APP\" \"${key##*:?}\" --data \"$DATA\"; done"
            .to_owned(),
        format!("OLD_API_SECRET='{}'\n", announced.payments_resource_secret),
    ]
    .join("\n")
}

/// The shell of a page.
#[derive(Debug, Default)]
struct Followed {
    shell: String,
    blocks: usize,
    /// How many blocks are not run, by reason.
    left: BTreeMap<String, usize>,
}

fn followed(page: &str) -> Result<Followed, Failure> {
    let mut followed = Followed::default();
    let (mut lines, mut mark) = (page.lines(), None);
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            match (line, mark.take()) {
                ("```sh", Some("")) => {
                    followed.blocks += 1;
                    followed.shell.push_str(&joined(&block));
                }
                ("```sh", Some(reason)) if reason != OWN => {
                    *followed.left.entry(reason.to_owned()).or_default() += 1;
                }
                ("```sh", Some(_)) => {}
                ("```sh", None) => {
                    let begin = block.first().unwrap_or(&"");
                    return Err(Failure::wrong(format!("{PAGE}: nothing says whether this is run: {begin}")));
                }
                _ => {}
            }
        } else if let Some(rest) = line.strip_prefix("<!-- follow").and_then(|rest| rest.strip_suffix(" -->"))
        {
            mark = Some(rest.strip_prefix(": ").unwrap_or(rest));
        } else {
            mark = None;
        }
    }
    Ok(followed)
}

/// One command a line: what a backslash carries on is one line for who looks for promises.
fn joined(block: &[&str]) -> String {
    let mut shell = String::new();
    for line in block {
        match line.strip_suffix('\\') {
            Some(begun) => shell.push_str(begun),
            None => {
                shell.push_str(line);
                shell.push('\n');
            }
        }
    }
    shell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_of_the_page_is_run_or_says_why_not() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let followed = followed(&page(&root).unwrap()).unwrap();
        Script::of(&followed.shell).unwrap();
        assert!(followed.blocks >= 15, "{}", followed.blocks);
        let reasons: Vec<&str> = followed.left.keys().map(String::as_str).collect();
        assert_eq!(reasons, ["with files of the server"]);
        for command in
            ["secret retire", "certificate retire", "key retire", "key revoke", "key rewrap", "--jwks-uri"]
        {
            assert!(followed.shell.contains(command), "{command} is not followed");
        }
    }

    #[test]
    fn a_block_without_a_mark_is_an_error_and_another_language_is_none_of_ours() {
        assert!(followed("text\n```sh\na\n```\n").is_err());
        assert!(followed("<!-- follow -->\ntext\n```sh\na\n```\n").is_err());
        assert_eq!(followed("```toml\na\n```\n").unwrap().blocks, 0);
    }

    #[test]
    fn what_is_run_stands_in_order_and_one_command_a_line() {
        let page = "<!-- follow -->\n```sh\na \\\n    b # 200\n```\n\
                    <!-- follow: with TLS -->\n```sh\nc\n```\n<!-- follow -->\n```sh\nd\n```\n";
        let followed = followed(page).unwrap();
        assert_eq!(followed.shell, "a     b # 200\nd\n");
        assert_eq!((followed.blocks, followed.left["with TLS"]), (2, 1));
    }
}
