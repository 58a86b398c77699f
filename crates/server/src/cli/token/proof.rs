//! What proves an application, from files and from the environment.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use procura_client::{
    Application, ApplicationId, AssertionKey, ClientIdentity, DpopKey, Issuer, ReqwestTransport, Secret,
};

use crate::config::environment::SECRET;
use crate::exit::Failure;

/// What proves the application beside its secret, or instead of it, and what its tokens are bound to.
#[derive(Debug, Args)]
pub(super) struct Proof {
    /// The application's certificate, PEM, to be shown to the server
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// The private key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// A private key, PEM, to sign an assertion with (private_key_jwt)
    #[arg(long, value_name = "FILE")]
    assertion_key: Option<PathBuf>,
    /// A private key, PEM, to sign the grant of --door jwt-bearer or token-exchange with; without it the assertion key
    #[arg(long, value_name = "FILE")]
    pub(super) grant_key: Option<PathBuf>,
    /// A private key, PEM, that the token is to be bound to; `procura dpop --new-key` makes one
    #[arg(long, value_name = "FILE")]
    pub(super) dpop_key: Option<PathBuf>,
    /// Where the server asks for certificates, if neither its issuer nor its metadata say so
    #[arg(long, value_name = "URL", requires = "certificate")]
    mutual_tls_at: Option<Issuer>,
    /// Certificates of authorities, PEM, that may vouch for the server beside the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl Proof {
    /// With an assertion key by that; with a certificate alone by that, unless there is a secret in the environment,
    /// beside which it is a second factor; else by the secret.
    pub(super) fn application(&self, issuer: Issuer, id: &ApplicationId) -> Result<Application, Failure> {
        let mut application = match &self.assertion_key {
            Some(file) => Application::by_assertion(issuer, id, signing(file)?),
            None if self.certificate.is_some() && std::env::var_os(SECRET).is_none() => {
                Application::by_certificate(issuer, id)
            }
            None => Application::new(issuer, id, &secret()?),
        };
        if self.certificate.is_some() {
            application = application.with_certificate();
        }
        if let Some(base) = &self.mutual_tls_at {
            application = application.mutual_tls_at(base.clone());
        }
        if let Some(file) = &self.grant_key {
            application = application.signing_grants_with(signing(file)?);
        }
        Ok(match &self.dpop_key {
            Some(file) => application.with_proof_key(proof_key(file)?),
            None => application,
        })
    }

    pub(super) fn transport(&self) -> Result<ReqwestTransport, Failure> {
        let mut builder = ReqwestTransport::builder();
        if let Some(file) = &self.ca {
            let told = |why| Failure::usage(format_args!("{} {why}", file.display()));
            builder = builder.extra_roots(&read(file)?).map_err(told)?;
        }
        if let (Some(certificate), Some(key)) = (&self.certificate, &self.key) {
            let identity = ClientIdentity::from_pem(&read(certificate)?, &Secret::from(read(key)?));
            let told =
                |why| Failure::usage(format_args!("{} and {}: {why}", certificate.display(), key.display()));
            builder = builder.identity(identity.map_err(told)?);
        }
        Ok(builder.build())
    }
}

fn signing(file: &Path) -> Result<Arc<AssertionKey>, Failure> {
    let key = AssertionKey::from_pem(&Secret::from(read(file)?));
    key.map(Arc::new).map_err(|why| Failure::usage(format_args!("{} {why}", file.display())))
}

/// The key of a file that tokens are bound to.
pub(in crate::cli) fn proof_key(file: &Path) -> Result<DpopKey, Failure> {
    let key = DpopKey::from_pem(&Secret::from(read(file)?));
    key.map_err(|why| Failure::usage(format_args!("{}: {why}", file.display())))
}

pub(in crate::cli) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file)
        .map_err(|error| Failure::usage(format_args!("{} can't be read: {error}", file.display())))
}

/// Never from an argument: those are shown to every user of the host.
fn secret() -> Result<Secret, Failure> {
    if let Some(secret) = std::env::var_os(SECRET) {
        let secret = secret.into_string();
        return secret.map(Secret::from).map_err(|_| Failure::usage(format_args!("{SECRET} is not UTF-8")));
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format_args!(
            "there is no terminal to ask for the application's secret: put it into {SECRET}"
        )));
    }
    let secret = rpassword::prompt_password("Secret of the application: ")
        .map_err(|error| Failure::usage(format_args!("the secret can't be read: {error}")))?;
    Ok(Secret::from(secret))
}
