//! The demo's own small CA, and what it issues: made anew with each start, kept in the data folder.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use procura_protocol::time::UnixSeconds;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use zeroize::Zeroizing;

use crate::exit::Failure;

/// The common name of the partner's certificate from the CA.
pub(super) const PARTNER: &str = "ledgerlark-gateway";

/// From an hour ago, for clocks that are behind, to longer than anybody runs a demo.
const BEGIN_BEFORE: u64 = 3_600;
const DAYS: u64 = 90;

/// Where they are.
pub(super) struct Files(PathBuf);

impl Files {
    /// In the folder `tls` of this data folder, whether or not they are there yet.
    pub(super) fn of(data: &Path) -> Files {
        Files(data.join("tls"))
    }

    /// The CA's certificate.
    pub(super) fn ca(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    /// The server's certificate, for loopback.
    pub(super) fn server(&self) -> PathBuf {
        self.0.join("server.pem")
    }

    /// A partner's certificate from the CA.
    pub(super) fn partner(&self) -> PathBuf {
        self.0.join("partner.pem")
    }

    /// A partner's certificate that no CA issued.
    pub(super) fn self_signed(&self) -> PathBuf {
        self.0.join("partner-self-signed.pem")
    }

    /// The key that a partner signs assertions with: those that prove its programs, and those that are grants.
    pub(super) fn signing(&self) -> PathBuf {
        self.0.join("partner-signing.key")
    }

    /// Its public half.
    pub(super) fn verifying(&self) -> PathBuf {
        self.0.join("partner-signing.pem")
    }

    /// The key that a partner's tokens are bound to. Nobody registers it: a proof brings its public half.
    pub(super) fn proving(&self) -> PathBuf {
        self.0.join("partner-dpop.key")
    }

    /// The private key of a certificate.
    pub(super) fn key_of(certificate: &Path) -> PathBuf {
        certificate.with_extension("key")
    }

    /// Makes them all, over what is there. The CA's key is forgotten: nothing else is ever issued.
    pub(super) fn make(&self, now: UnixSeconds) -> Result<(), Failure> {
        let failed =
            |error| Failure::unavailable(format_args!("{} can't be written: {error}", self.0.display()));
        let made = make(now)
            .map_err(|error| Failure::unavailable(format_args!("certificates can't be made: {error}")))?;
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0).map_err(failed)?;
        put(&self.ca(), &made.ca, 0o644).map_err(failed)?;
        put(&self.verifying(), &made.verifying, 0o644).map_err(failed)?;
        put(&self.signing(), &made.signing, 0o600).map_err(failed)?;
        put(&self.proving(), &made.proving, 0o600).map_err(failed)?;
        let pairs = [
            (self.server(), made.server),
            (self.partner(), made.partner),
            (self.self_signed(), made.self_signed),
        ];
        for (path, pair) in pairs {
            put(&path, &pair.certificate, 0o644).map_err(failed)?;
            put(&Files::key_of(&path), &pair.key, 0o600).map_err(failed)?;
        }
        Ok(())
    }
}

struct Made {
    ca: String,
    server: Pair,
    partner: Pair,
    self_signed: Pair,
    /// PEM of a private key, and of its public half.
    signing: Zeroizing<String>,
    verifying: String,
    /// PEM of another private key.
    proving: Zeroizing<String>,
}

/// PEM of a certificate and its key.
struct Pair {
    certificate: String,
    key: Zeroizing<String>,
}

fn make(now: UnixSeconds) -> Result<Made, rcgen::Error> {
    let mut params = named("Procura demo CA", now);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

    let mut params = named("localhost", now);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.subject_alt_names = vec![
        SanType::DnsName("localhost".try_into()?),
        SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ];
    let key = KeyPair::generate()?;
    let server = pair(&params.signed_by(&key, &ca)?, &key);

    let key = KeyPair::generate()?;
    let partner = pair(&of_partner(now).signed_by(&key, &ca)?, &key);
    let key = KeyPair::generate()?;
    let self_signed = pair(&of_partner(now).self_signed(&key)?, &key);
    let key = KeyPair::generate()?;
    let (signing, verifying) = (Zeroizing::new(key.serialize_pem()), key.public_key_pem());
    let proving = Zeroizing::new(KeyPair::generate()?.serialize_pem());
    Ok(Made { ca: ca.pem(), server, partner, self_signed, signing, verifying, proving })
}

fn of_partner(now: UnixSeconds) -> CertificateParams {
    let mut params = named(PARTNER, now);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn named(name: &str, now: UnixSeconds) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = u64::try_from(now.0).unwrap_or(0);
    let at = |seconds| date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    params.not_before = at(now.saturating_sub(BEGIN_BEFORE));
    params.not_after = at(now.saturating_add(DAYS * 24 * 60 * 60));
    params
}

fn pair(certificate: &rcgen::Certificate, key: &KeyPair) -> Pair {
    Pair { certificate: certificate.pem(), key: Zeroizing::new(key.serialize_pem()) }
}

/// Writes a file under another name first: nobody finds half of one, nor a key with the mode of its
/// predecessor.
fn put(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    file.write_all(text.as_bytes())?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use procura_http::tls::Pair;

    use super::*;

    #[test]
    fn every_certificate_has_its_key_which_nobody_else_may_read() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::of(folder.path());
        for _ in 0..2 {
            files.make(UnixSeconds(1_900_000_000)).unwrap_or_else(|failure| panic!("{failure}"));
        }
        for certificate in [files.server(), files.partner(), files.self_signed()] {
            let key = Files::key_of(&certificate);
            assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o7777, 0o600);
            assert!(Pair::from_pem(&fs::read(&certificate).unwrap(), &fs::read(&key).unwrap()).is_ok());
        }
        assert!(fs::read_to_string(files.ca()).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
        assert_eq!(fs::read_dir(folder.path().join("tls")).unwrap().count(), 10);
    }
}
