//! The proxies, in a folder of their own.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::bound::Bound;
use super::documented;
use crate::process::{self, Tied};
use crate::steps::{Failure, now};
use crate::tools;
use crate::workspace::Workspace;

const READY: Duration = Duration::from_secs(30);

/// Which proxy.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Nginx,
    Caddy,
}

impl Kind {
    pub(super) fn program(self, workspace: &Workspace) -> Result<PathBuf, Failure> {
        tools::proxy(workspace, self.name())
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Nginx => "nginx",
            Kind::Caddy => "caddy",
        }
    }

    /// The documented file, and the port that it listens on.
    fn documented(self) -> (&'static str, &'static str) {
        match self {
            Kind::Nginx => ("nginx.conf", "8081"),
            Kind::Caddy => ("Caddyfile", "8082"),
        }
    }
}

/// A running proxy; it goes when this is dropped.
pub(super) struct Proxy {
    address: SocketAddr,
    /// Where it ends TLS and asks callers for certificates, if it does.
    with_tls: Option<SocketAddr>,
    log: PathBuf,
    #[expect(dead_code, reason = "runs for as long as it is here")]
    process: Tied,
}

impl Proxy {
    /// Starts it with the documented configuration, between these two.
    pub(super) fn start(
        workspace: &Workspace,
        (kind, program): (Kind, &Path),
        (folder, bound): (&Path, Option<&Bound>),
        (server, upstream): (SocketAddr, SocketAddr),
    ) -> Result<Self, Failure> {
        let failed =
            |error: std::io::Error| Failure::wrong(format!("{} can't be set up: {error}", kind.name()));
        let address = free_address().map_err(failed)?;
        let (name, listens) = kind.documented();
        let mut site = fs::read_to_string(documented(workspace, name)).map_err(failed)?;
        let here = [
            (listens, address.port().to_string()),
            ("127.0.0.1:8080", server.to_string()),
            ("127.0.0.1:9000", upstream.to_string()),
        ];
        for (documented, here) in here {
            if !site.contains(documented) {
                return Err(Failure::wrong(format!("{name} does not name {documented}")));
            }
            site = site.replace(documented, &here);
        }
        let with_tls = bound.map(|bound| free_address().map(|free| (bound.site(free), free)));
        let with_tls = with_tls.transpose().map_err(failed)?.map(|(asks, free)| {
            let plain = format!("listen {address};\n");
            site = site.replace(&plain, &format!("{plain}    {asks}"));
            free
        });
        let folder = folder.join(kind.name());
        fs::create_dir(&folder).map_err(failed)?;
        let (log, config) = (folder.join("proxy.log"), folder.join("proxy.conf"));
        let mut command = Tied::command(program);
        match kind {
            Kind::Nginx => {
                fs::write(&config, around_nginx(&site)).map_err(failed)?;
                command.arg("-p").arg(&folder).arg("-e").arg(&log).arg("-c").arg(&config);
            }
            Kind::Caddy => {
                let global = "{\n\tadmin off\n\tauto_https off\n}\n\n";
                fs::write(&config, format!("{global}{site}")).map_err(failed)?;
                command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&config);
                command.env("HOME", &folder).env("XDG_DATA_HOME", &folder).env("XDG_CONFIG_HOME", &folder);
            }
        }
        let output = File::options().create(true).append(true).open(&log).map_err(failed)?;
        command.stdout(output.try_clone().map_err(failed)?).stderr(output).current_dir(&folder);
        let process = Tied::spawn(kind.name(), &mut command)?;
        let begin = now();
        while TcpStream::connect(address).is_err() {
            if now().duration_since(begin) > READY {
                let said = process::tail(&log, 20);
                return Err(Failure::wrong(format!("{} does not listen; it said:\n{said}", kind.name())));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { address, with_tls, log, process })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn with_tls(&self) -> Option<SocketAddr> {
        self.with_tls
    }

    pub(super) fn log(&self) -> PathBuf {
        self.log.clone()
    }
}

/// What stands around a site: one process in its folder, nothing of the system's configuration.
fn around_nginx(site: &str) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {kind};\n"))
        .collect();
    format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{site}}}\n"
    )
}

/// An address that nobody has at the moment.
pub(super) fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}
