//! A small CA, a server's certificate and a partner's.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

use crate::Failure;

/// What a partner's certificate says in its subjectAltName.
const PARTNER: &str = "partner.bench.example";

/// Writes `ca.pem`, `server.pem`, `server.key`, `client.pem` and `client.key`. They are valid for longer
/// than anybody measures.
pub(crate) fn write(folder: &Path) -> Result<(), Failure> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "Procura bench CA");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    private(&folder.join("ca.pem"), &authority.pem())?;
    let of_server = ["localhost", "127.0.0.1"].map(str::to_owned).to_vec();
    let parties = [
        ("server", of_server, ExtendedKeyUsagePurpose::ServerAuth),
        ("client", vec![PARTNER.to_owned()], ExtendedKeyUsagePurpose::ClientAuth),
    ];
    for (name, names, usage) in parties {
        let mut params = CertificateParams::new(names)?;
        params.extended_key_usages = vec![usage];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &authority)?;
        private(&folder.join(format!("{name}.pem")), &certificate.pem())?;
        private(&folder.join(format!("{name}.key")), &key.serialize_pem())?;
    }
    Ok(())
}

fn private(path: &Path, text: &str) -> Result<(), Failure> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}
