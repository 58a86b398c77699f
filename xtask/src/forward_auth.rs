//! Forward auth behind real proxies: the configurations of `docs/forward-auth/` with other ports, a server
//! with the policies that stand beside them, and a caller who forges whatever it can.
//!
//! * [`proxy`]: nginx and Caddy, started and stopped.
//! * [`upstream`]: the resource behind the proxy, which writes down what reaches it.
//! * [`cases`]: what is asked, and what must come of it.
//! * [`bound`]: the same for tokens that are bound to a certificate, behind nginx with TLS.
//! * [`dpop`]: and for those that are bound to a key.

mod bound;
mod cases;
mod dpop;
mod proxy;
mod upstream;

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::process;
use crate::procura::{ISSUER, Procura, Server};
use crate::steps::{Failure, Verdict, now};
use crate::wire::{Caller, basic};
use crate::workspace::{Profile, Workspace};
use bound::Bound;
use cases::{APPLICATION, CONTACT, Case, Expect, Tokens};
use dpop::Keyed;
use proxy::{Kind, Proxy};
use upstream::Upstream;

/// Longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// From a revocation to the refusal.
const REVOKED_WITHIN: Duration = Duration::from_secs(5);
/// What a proxy says when it can't ask.
const CUT_OFF: &[u16] = &[500, 502, 503, 504];

/// Behind nginx.
pub(crate) fn nginx(workspace: &Workspace) -> Verdict {
    behind(workspace, Kind::Nginx)
}

/// Behind Caddy.
pub(crate) fn caddy(workspace: &Workspace) -> Verdict {
    behind(workspace, Kind::Caddy)
}

fn behind(workspace: &Workspace, kind: Kind) -> Verdict {
    let program = kind.program(workspace)?;
    let folder = tempfile::Builder::new().prefix("procura-forward-auth-").tempdir();
    let folder = folder.map_err(|error| Failure::wrong(format!("no throw-away folder: {error}")))?;
    let (bound, listener) = match kind {
        Kind::Nginx => Bound::prepare(folder.path()).map(|(bound, listener)| (Some(bound), listener))?,
        Kind::Caddy => (None, String::new()),
    };
    let procura = Procura::init_with(&workspace.server(Profile::Dev)?, folder.path(), &listener)?;
    let secrets = fill(workspace, &procura, folder.path())?;
    bound.as_ref().map_or(Ok(()), |bound| bound.fill(&procura))?;
    let keyed = Keyed::fill(&procura, folder.path())?;
    let (server, upstream) = (procura.serve(None)?, Upstream::start()?);
    let between = (server.address(), upstream.address());
    let proxy = Proxy::start(workspace, (kind, &program), (folder.path(), bound.as_ref()), between)?;
    let mut run =
        Run { proxy: proxy.address(), server: server.address(), upstream, secrets, passed: 0, wrong: 0 };
    let checked = run.all(server, &keyed, bound.as_ref().zip(proxy.with_tls()));
    if checked.is_err() || run.wrong > 0 {
        println!("the proxy's last words:\n{}", process::tail(&proxy.log(), 20));
        println!("the server's last words:\n{}", process::tail(&procura.log(), 20));
    }
    checked?;
    match run.wrong {
        0 => Ok(format!("{} cases", run.passed)),
        wrong => Err(Failure::wrong(format!("{wrong} of {} cases", wrong + run.passed))),
    }
}

struct Secrets {
    application: String,
    resource: String,
}

/// The policies of the documentation and one that nobody here may ask; three clients, of which the contact
/// may trade for the first, read for the second and do nothing for the third.
fn fill(workspace: &Workspace, procura: &Procura, folder: &Path) -> Result<Secrets, Failure> {
    let config = folder.join("procura.toml");
    let failed = |error: io::Error| Failure::wrong(format!("the policies can't be written: {error}"));
    let own = fs::read_to_string(&config).map_err(failed)?;
    let policies = fs::read_to_string(documented(workspace, "procura.toml")).map_err(failed)?;
    fs::write(&config, format!("{own}\n{policies}\n{}\n{}", cases::ELSEWHERE, dpop::SETTINGS))
        .map_err(failed)?;
    for (noun, rows) in cases::WORLD {
        let file = folder.join(format!("{noun}.csv"));
        fs::write(&file, rows).map_err(failed)?;
        procura.import(noun, &file)?;
    }
    let said = procura.call(&["resource", "secret", "add", &resource(), "--json"])?;
    let said: Value = serde_json::from_str(&said).unwrap_or_default();
    let resource = said["secret"].as_str().ok_or_else(|| Failure::wrong("secret add printed no secret"))?;
    Ok(Secrets { application: procura.secret(APPLICATION)?, resource: resource.to_owned() })
}

fn resource() -> String {
    format!("{ISSUER}/api")
}

/// A file that readers copy.
fn documented(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.root().join("docs/forward-auth").join(name)
}

/// One run of all cases.
struct Run {
    proxy: SocketAddr,
    server: SocketAddr,
    upstream: Upstream,
    secrets: Secrets,
    passed: u32,
    wrong: u32,
}

impl Run {
    fn all(
        &mut self,
        server: Server,
        keyed: &Keyed,
        bound: Option<(&Bound, SocketAddr)>,
    ) -> Result<(), Failure> {
        let tokens = self.tokens()?;
        for case in cases::through_the_proxy(&tokens) {
            self.check(&case)?;
        }
        let id = resource().replace(':', "%3A");
        let credentials = (basic(&id, &self.secrets.resource), basic(APPLICATION, &self.secrets.application));
        for (name, request, status) in cases::asked_directly(&tokens, (&credentials.0, &credentials.1)) {
            let (answered, _) = exchange(self.server, &request)?;
            self.tell(&name, right(answered == status, || format!("{answered} instead of {status}")));
        }
        if let Some((bound, nginx)) = bound {
            bound.check(self, nginx)?;
        }
        keyed.check(self)?;
        self.revoke(&tokens)?;
        server.stop()?;
        let fresh = Case::new("the server is away", cases::good(&tokens.other), Expect::Stopped(CUT_OFF));
        self.check(&fresh)
    }

    fn tokens(&self) -> Result<Tokens, Failure> {
        let failed = |error| Failure::wrong(format!("no token: {error}"));
        let mut caller =
            Caller::connect(self.server, APPLICATION, &self.secrets.application).map_err(failed)?;
        let mut token = || -> Result<Value, Failure> {
            let answer = caller.token(CONTACT).map_err(failed)?;
            Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
        };
        let (first, second) = (token()?, token()?);
        let text = |answer: &Value, member: &str| answer[member].as_str().map(str::to_owned);
        match (text(&first, "access_token"), text(&first, "id_token"), text(&second, "access_token")) {
            (Some(access), Some(id), Some(other)) => Ok(Tokens { access, id, other }),
            _ => Err(Failure::wrong(format!("no tokens: {first}"))),
        }
    }

    /// Sends it, and holds what came back and what reached the upstream against what must have.
    fn check(&mut self, case: &Case) -> Result<(), Failure> {
        let (status, _) = exchange(self.proxy, &case.request)?;
        let reached = self.upstream.take();
        let judged = case.judge(status, &reached);
        self.tell(&case.name, judged);
        Ok(())
    }

    fn tell(&mut self, name: &str, judged: Result<(), String>) {
        match judged {
            Ok(()) => self.passed += 1,
            Err(why) => {
                self.wrong += 1;
                println!("{name}: {why}");
            }
        }
    }

    /// A token that worked a moment ago is refused soon after its application has ended it.
    fn revoke(&mut self, tokens: &Tokens) -> Result<(), Failure> {
        let form = format!("token={}", tokens.access);
        let request = format!(
            "POST /revoke HTTP/1.1\r\nHost: procura\r\nConnection: close\r\nAuthorization: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            basic(APPLICATION, &self.secrets.application),
            form.len(),
        );
        let (status, said) = exchange(self.server, &request)?;
        self.tell("a token is revoked", right(status == 200, || format!("{status}: {said}")));
        let begin = now();
        let refused = loop {
            let (status, _) = exchange(self.proxy, &cases::good(&tokens.access))?;
            let took = now().duration_since(begin);
            if status == 401 || took > REVOKED_WITHIN {
                break (status, took);
            }
            thread::sleep(Duration::from_millis(20));
        };
        self.upstream.take();
        self.tell("a revoked token is refused within 5 s", right(refused.0 == 401, || refused.0.to_string()));
        println!("refused {} ms after its revocation", refused.1.as_millis());
        let other =
            Case::new("the other token works on", cases::good(&tokens.other), Expect::Through("cli.alder"));
        self.check(&other)
    }
}

/// Sends bytes as they are on a connection of their own; status and all that came.
fn exchange(address: SocketAddr, request: &str) -> Result<(u16, String), Failure> {
    let ask = || -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        // Who refuses a request may close before it was read whole.
        match stream.read_to_end(&mut answer) {
            Err(error) if answer.is_empty() => Err(error),
            _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
        }
    };
    let line = request.lines().next().unwrap_or_default();
    let answer = ask().map_err(|error| Failure::wrong(format!("{line}: no answer: {error}")))?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| Failure::wrong(format!("{line}: no answer in HTTP")))?;
    Ok((status, answer))
}

fn right(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_the_very_files_that_are_run() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let page = fs::read_to_string(root.join("forward-auth.md")).unwrap();
        for name in ["procura.toml", "nginx.conf", "Caddyfile", "traefik.yaml", "envoy.yaml"] {
            let file = fs::read_to_string(root.join("forward-auth").join(name)).unwrap();
            let language = name.rsplit('.').next().unwrap();
            let language = if language == "conf" { "nginx" } else { language }.to_lowercase();
            let shown = format!("\n```{language}\n{file}```\n");
            assert!(page.contains(&shown), "docs/forward-auth.md does not show {name} as it is");
        }
    }
}
