//! Tokens that are bound to a certificate, behind nginx with TLS (RFC 8705 3).
//!
//! A partner with a certificate of its own gets such a token over mutual TLS, and shows it to nginx with that
//! certificate, with another, with none, and with one in a header alone.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use serde_json::Value;

use super::cases::CONTACT;
use super::proxy::free_address;
use super::{Run, right};
use crate::process;
use crate::procura::Procura;
use crate::steps::Failure;

/// The partner's program whose tokens are bound.
const BOUND: &str = "app_bound";

const ROWS: [(&str, &str); 2] = [
    (
        "application",
        "application_id,name,trusted,auth_methods\napp_bound,Bound,true,self_signed_tls_client_auth\n",
    ),
    ("trust", "client_id,application_id,contacts,ceiling,reason\ncli.alder,app_bound,*,all,test\n"),
];

/// The files of certificates and keys, and where the server asks for certificates.
pub(super) struct Bound {
    folder: PathBuf,
    listen: SocketAddr,
}

impl Bound {
    /// Makes them, and tells the configuration of a listener that asks.
    pub(super) fn prepare(folder: &Path) -> Result<(Bound, String), Failure> {
        process::ask(Command::new("curl").arg("--version"))
            .ok_or_else(|| Failure::missing("no curl", "sudo apt-get install --yes curl"))?;
        let failed = |why: &dyn std::fmt::Display| Failure::wrong(format!("no certificates: {why}"));
        let bound = Bound { folder: folder.join("tls"), listen: free_address().map_err(|why| failed(&why))? };
        fs::create_dir(&bound.folder).map_err(|why| failed(&why))?;
        for name in ["server", "partner", "other"] {
            let (certificate, key) = make(name).map_err(|why| failed(&why))?;
            fs::write(bound.certificate(name), certificate).map_err(|why| failed(&why))?;
            write_secret(&bound.key(name), &key).map_err(|why| failed(&why))?;
        }
        let listener = format!(
            "\n[mutual_tls]\nlisten = \"{0}\"\nbase_url = \"https://{0}\"\ncertificate_file = \"{1}\"\nkey_file = \"{2}\"\n",
            bound.listen,
            bound.certificate("server").display(),
            bound.key("server").display(),
        );
        Ok((bound, listener))
    }

    /// What a site of nginx needs to ask callers for certificates, beside what is documented.
    pub(super) fn site(&self, address: SocketAddr) -> String {
        format!(
            "listen {address} ssl;\n    ssl_certificate {};\n    ssl_certificate_key {};\n    \
             ssl_verify_client optional_no_ca;\n",
            self.certificate("server").display(),
            self.key("server").display(),
        )
    }

    /// The partner and its trust; its certificate stands in its registration.
    pub(super) fn fill(&self, procura: &Procura) -> Result<(), Failure> {
        for (noun, rows) in ROWS {
            let file = self.folder.join(format!("{noun}.csv"));
            fs::write(&file, rows).map_err(|why| Failure::wrong(format!("no rows: {why}")))?;
            procura.import(noun, &file)?;
        }
        let certificate = self.certificate("partner");
        let add = ["application", "certificate", "add", BOUND, &certificate.to_string_lossy()];
        procura.call(&add).map(drop)
    }

    /// All cases, at nginx's listener with TLS; `run` has the plain one.
    pub(super) fn check(&self, run: &mut Run, nginx: SocketAddr) -> Result<(), Failure> {
        let token = self.token()?;
        let header = self.header()?;
        let own = ("cli.alder", token.as_str());
        for (name, shown, forged, expected) in [
            ("a bound token with its certificate", Some("partner"), None, "200"),
            ("a bound token with another certificate", Some("other"), None, "401"),
            ("a bound token without a certificate", None, None, "401"),
            ("a bound token with its certificate in a header alone", None, Some(&header), "401"),
            ("a bound token with another, and its own in a header", Some("other"), Some(&header), "401"),
            ("a bound token with its certificate, also in a header", Some("partner"), Some(&header), "200"),
        ] {
            let answered = self.ask(nginx, shown, forged, own)?;
            let reached = run.upstream.take();
            let leaked = reached.iter().any(|head| head.to_lowercase().contains("x-ssl-client-cert"));
            let fits = answered == expected && reached.len() == usize::from(expected == "200") && !leaked;
            let why = || {
                format!("{answered}, and {} requests reached the upstream, leaked: {leaked}", reached.len())
            };
            run.tell(name, right(fits, why));
        }
        let answered = self.plainly(run.proxy, &header, own)?;
        let reached = run.upstream.take().len();
        let why = || format!("{answered}, and {reached} requests reached the upstream");
        let name = "a bound token without TLS, with its certificate in a header";
        run.tell(name, right(answered == "401" && reached == 0, why));
        Ok(())
    }

    fn token(&self) -> Result<String, Failure> {
        let mut curl = self.curl(Some("partner"));
        curl.args(["--data", &format!("client_id={BOUND}")]);
        let said = answer(curl.arg(format!("https://{}/token/{CONTACT}", self.listen)))?;
        let token: Value = serde_json::from_str(&said).unwrap_or_default();
        let token = token["access_token"].as_str().map(str::to_owned);
        token.ok_or_else(|| Failure::wrong(format!("no token by certificate: {said}")))
    }

    /// The partner's certificate as nginx would pass it on.
    fn header(&self) -> Result<String, Failure> {
        let pem = fs::read_to_string(self.certificate("partner"));
        let pem = pem.map_err(|why| Failure::wrong(format!("no certificate: {why}")))?;
        Ok(format!("X-SSL-Client-Cert: {}", utf8_percent_encode(&pem, NON_ALPHANUMERIC)))
    }

    fn ask(
        &self,
        nginx: SocketAddr,
        shown: Option<&str>,
        forged: Option<&String>,
        (client, token): (&str, &str),
    ) -> Result<String, Failure> {
        let mut curl = self.curl(shown);
        status_alone(&mut curl, token);
        if let Some(header) = forged {
            curl.args(["--header", header]);
        }
        answer(curl.arg(format!("https://{nginx}/v1/quotes/EUR?client_id={client}")))
    }

    fn plainly(
        &self,
        nginx: SocketAddr,
        header: &str,
        (client, token): (&str, &str),
    ) -> Result<String, Failure> {
        let mut curl = self.curl(None);
        status_alone(&mut curl, token);
        curl.args(["--header", header]);
        answer(curl.arg(format!("http://{nginx}/v1/quotes/EUR?client_id={client}")))
    }

    fn curl(&self, shown: Option<&str>) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "20", "--cacert"]);
        curl.arg(self.certificate("server"));
        if let Some(name) = shown {
            curl.arg("--cert").arg(self.certificate(name)).arg("--key").arg(self.key(name));
        }
        curl
    }

    fn certificate(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
    }

    fn key(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.key"))
    }
}

fn status_alone(curl: &mut Command, token: &str) {
    curl.args(["--output", "/dev/null", "--write-out", "%{http_code}", "--header"]);
    curl.arg(format!("Authorization: Bearer {token}"));
}

fn answer(curl: &mut Command) -> Result<String, Failure> {
    let output = curl.output().map_err(|why| Failure::wrong(format!("curl does not start: {why}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Failure::wrong(format!("curl: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

/// Self-signed, PEM.
fn make(name: &str) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = vec![SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into())];
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
