//! The served description of the interface, held against the running server by a fuzzer that knows
//! nothing but that description.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::demo::Demo;
use crate::process::Tied;
use crate::steps::{Failure, Verdict};
use crate::tools;
use crate::wire::Caller;
use crate::workspace::Workspace;

const LIMIT: Duration = Duration::from_secs(900);

/// schemathesis against `procura demo`.
pub(crate) fn check(workspace: &Workspace) -> Verdict {
    let python = tools::python(workspace)?;
    let demo = Demo::start(workspace)?;
    let configuration = configure(workspace, &demo)?;
    let announced = demo.announced();
    let access_token = token(&demo)?;
    let mut command = Tied::command(python);
    command.args(["-m", "schemathesis.cli", "--config-file"]).arg(configuration);
    command.arg("run").arg(format!("{}/openapi.json", announced.base_url));
    // Named by the configuration, so that the secrets stay out of the argument list.
    command.env("PROCURA_APPLICATION_ID", &announced.application_id);
    command.env("PROCURA_APPLICATION_SECRET", &announced.application_secret);
    command.env("PROCURA_ACCESS_TOKEN", access_token);
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    command.current_dir(demo.folder()).stdout(Stdio::inherit()).stderr(Stdio::inherit());
    let ended = Tied::spawn("schemathesis", &mut command)?.finish(LIMIT);
    if ended.is_err() {
        println!("the server's last words:\n{}", demo.last_words());
    }
    ended?;
    demo.stop()?;
    Ok("no answer outside the description".to_owned())
}

/// Puts the configuration into the demo's folder, beside the contacts that it speaks of.
fn configure(workspace: &Workspace, demo: &Demo) -> Result<PathBuf, Failure> {
    let configuration = demo.folder().join("schemathesis.toml");
    tools::copy(&tools::foreign(workspace, "python").join("schemathesis.toml"), &configuration)?;
    let announced = demo.announced();
    let contacts = announced.contacts.iter().chain(&announced.refused_contacts);
    write_dictionary(demo.folder(), "contacts.dict", contacts.map(|contact| contact.contact_id.as_str()))?;
    Ok(configuration)
}

/// A token of the demo's first contact, with its clients in a dictionary.
fn token(demo: &Demo) -> Result<String, Failure> {
    let failed = |what: &dyn std::fmt::Display| Failure::wrong(format!("the demo gives no token: {what}"));
    let announced = demo.announced();
    let address = announced.base_url.trim_start_matches("http://").parse::<SocketAddr>();
    let address = address.map_err(|error| failed(&error))?;
    let contact = announced.contacts.first().ok_or_else(|| failed(&"it names no contact"))?;
    let caller = Caller::connect(address, &announced.application_id, &announced.application_secret);
    let answer = caller.and_then(|mut caller| caller.token(&contact.contact_id));
    let answer = answer.map_err(|error| failed(&error))?;
    let claims = answer.id_token().ok_or_else(|| failed(&answer.status))?;
    let clients = claims["clients"].as_array().into_iter().flatten();
    let clients = clients.filter_map(|client| client["client_id"].as_str());
    write_dictionary(demo.folder(), "clients.dict", clients)?;
    answer.access_token().ok_or_else(|| failed(&answer.status))
}

fn write_dictionary<'a>(
    folder: &Path,
    name: &str,
    values: impl Iterator<Item = &'a str>,
) -> Result<(), Failure> {
    let lines: String = values.map(|value| format!("\"{value}\"\n")).collect();
    fs::write(folder.join(name), lines)
        .map_err(|error| Failure::wrong(format!("{name} can't be written: {error}")))
}
