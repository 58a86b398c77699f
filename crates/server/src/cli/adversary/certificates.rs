//! Certificates and keys of the world under attack: made anew with each start.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    date_time_ymd,
};

use crate::exit::Failure;

/// Partners' certificates: the file's name, and whether the CA issues it.
pub(super) const PARTNERS: [(&str, bool); 3] = [("gateway", true), ("second", true), ("own", false)];

/// Of the one that was revoked.
const SERIAL: u64 = 0x2a;

/// The one that is on the CA's list.
const REVOKED: &str = "revoked";

/// Certificates of the CA that prove nothing: the file's name, whose subject, in force from and to, and for what.
const SPOILT: [(&str, &str, (i32, i32), ExtendedKeyUsagePurpose); 5] = [
    ("expired", "gateway", (2001, 2002), ExtendedKeyUsagePurpose::ClientAuth),
    ("not_yet", "gateway", (2098, 2099), ExtendedKeyUsagePurpose::ClientAuth),
    ("for_servers", "gateway", (2020, 2099), ExtendedKeyUsagePurpose::ServerAuth),
    ("other_subject", "stranger", (2020, 2099), ExtendedKeyUsagePurpose::ClientAuth),
    (REVOKED, "gateway", (2020, 2099), ExtendedKeyUsagePurpose::ClientAuth),
];

/// The folder that they are in.
pub(super) struct Files(PathBuf);

impl Files {
    /// Makes the CA, the server's certificate, those of [`PARTNERS`] and a key for each of `signing`.
    pub(super) fn make(folder: &Path, signing: &[&str]) -> Result<Files, Failure> {
        let files = Files(folder.join("tls"));
        let failed =
            |error: io::Error| Failure::unavailable(format_args!("certificates can't be written: {error}"));
        DirBuilder::new().mode(0o700).create(&files.0).map_err(failed)?;
        for (name, text) in made(signing)
            .map_err(|error| Failure::unavailable(format_args!("certificates can't be made: {error}")))?
        {
            let mut options = OpenOptions::new();
            let file = options.write(true).create_new(true).mode(0o600).open(files.0.join(name));
            file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
        }
        Ok(files)
    }

    /// A file by its name.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

fn made(signing: &[&str]) -> Result<Vec<(String, String)>, rcgen::Error> {
    let mut params = named("Adversary CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let mut files = vec![("ca.pem".to_owned(), ca.pem())];
    let mut add = |name: &str, certificate: &rcgen::Certificate, key: &KeyPair| {
        files.push((format!("{name}.pem"), certificate.pem()));
        files.push((format!("{name}.key"), key.serialize_pem()));
    };

    let mut params = named("localhost");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.subject_alt_names =
        vec![SanType::DnsName("localhost".try_into()?), SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
    let key = KeyPair::generate()?;
    add("server", &params.signed_by(&key, &ca)?, &key);

    for (name, by_ca) in PARTNERS {
        let mut params = named(&subject(name));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let made = if by_ca { params.signed_by(&key, &ca)? } else { params.self_signed(&key)? };
        add(name, &made, &key);
    }
    for (name, whose, (from, to), usage) in SPOILT {
        let mut params = named(&subject(whose));
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.serial_number = (name == REVOKED).then(|| SERIAL.into());
        let key = KeyPair::generate()?;
        add(name, &params.signed_by(&key, &ca)?, &key);
    }
    files.push(("revoked.crl".to_owned(), revoked().signed_by(&ca)?.pem()?));
    for name in signing {
        let key = KeyPair::generate()?;
        files.push((format!("{name}.signing.key"), key.serialize_pem()));
        files.push((format!("{name}.signing.pem"), key.public_key_pem()));
    }
    Ok(files)
}

/// The CA's list, which is never stale.
fn revoked() -> CertificateRevocationListParams {
    CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(2099, 1, 1),
        crl_number: 1.into(),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: SERIAL.into(),
            revocation_time: date_time_ymd(2020, 1, 2),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    }
}

/// The common name in a partner's certificate.
pub(super) fn subject(name: &str) -> String {
    format!("adversary-{name}")
}

/// In force whenever anybody runs this: what is attacked is not whether the suite's own certificates expire.
fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 1, 1);
    params
}
