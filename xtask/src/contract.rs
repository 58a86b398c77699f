//! The served description of the interface, held against the running server by a fuzzer that knows
//! nothing but that description.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use crate::demo::Demo;
use crate::process::Tied;
use crate::steps::{Failure, Verdict};
use crate::tools;
use crate::workspace::Workspace;

const LIMIT: Duration = Duration::from_secs(900);

/// schemathesis against `procura demo`.
pub(crate) fn check(workspace: &Workspace) -> Verdict {
    let python = tools::python(workspace)?;
    let demo = Demo::start(workspace)?;
    let configuration = configure(workspace, &demo)?;
    let announced = demo.announced();
    let mut command = Tied::command(python);
    command.args(["-m", "schemathesis.cli", "--config-file"]).arg(configuration);
    command.arg("run").arg(format!("{}/openapi.json", announced.base_url));
    // Named by the configuration, so that the secret stays out of the argument list.
    command.env("PROCURA_APPLICATION_ID", &announced.application_id);
    command.env("PROCURA_APPLICATION_SECRET", &announced.application_secret);
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
    let lines: String = contacts.map(|contact| format!("\"{}\"\n", contact.contact_id)).collect();
    fs::write(demo.folder().join("contacts.dict"), lines)
        .map_err(|error| Failure::wrong(format!("contacts.dict can't be written: {error}")))?;
    Ok(configuration)
}
