//! Authorities and certificates made for one test.
//!
//! Every certificate begins as one that works, and a test changes one thing of it:
//!
//! ```
//! use procura_testkit::pki::{self, Authority};
//! let authority = Authority::new("Test Root");
//! let good = authority.issue(|_| {});
//! let expired = authority.issue(|params| pki::set_window(params, pki::BEGINS, 1_700_000_000));
//! assert_ne!(good.der, expired.der);
//! ```

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256,
    PublicKeyData, RevokedCertParams, SanType, SerialNumber,
};

pub use rcgen;

/// The subject of a partner's certificate, as RFC 4514 writes it.
pub const PARTNER_DN: &str = "CN=partner.example,O=Partner Ltd,C=GB";
/// Its host name.
pub const PARTNER_HOST: &str = "partner.example";

/// When certificates begin where nothing else is said, in Unix time: 2020-01-01T00:00:00Z.
pub const BEGINS: u64 = 1_577_836_800;
/// When they end: 2079-12-31T23:59:59Z.
pub const ENDS: u64 = 3_471_292_799;

/// A certificate and its key.
#[derive(Clone)]
pub struct Issued {
    /// The certificate in DER.
    pub der: Box<[u8]>,
    /// The certificate in PEM.
    pub pem: String,
    /// Its private key as PKCS#8 in PEM; empty where nobody has it.
    pub key_pem: String,
    serial: SerialNumber,
}

/// Who issues certificates: a root, or an authority below another.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub own: Issued,
}

/// Changes when a certificate is valid: the first second and the last.
pub fn set_window(params: &mut CertificateParams, first: u64, last: u64) {
    let beginning = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = beginning + Duration::from_secs(first);
    params.not_after = beginning + Duration::from_secs(last);
}

/// A certificate that a partner signed itself, for TLS clients, with one thing changed.
///
/// # Panics
///
/// When it can't be made.
#[expect(clippy::expect_used, reason = "a test without a certificate can only stop")]
pub fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> Issued {
    let (key, params) = (new_key(), partner(change));
    let made = params.self_signed(&key).expect("a certificate");
    issued(&made, params, key.serialize_pem())
}

impl Authority {
    /// A root.
    pub fn new(name: &str) -> Authority {
        Authority::with(name, |_| {})
    }

    /// A root, with one thing changed.
    pub fn with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Authority {
        Authority::root(new_key(), authority(name, change))
    }

    /// A root whose key is RSA. It takes a while to find.
    ///
    /// # Panics
    ///
    /// When it can't be made.
    #[expect(clippy::expect_used, reason = "a test without a key can only stop")]
    pub fn with_rsa(name: &str) -> Authority {
        Authority::root(KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key"), authority(name, |_| {}))
    }

    #[expect(clippy::expect_used, reason = "a test without a certificate can only stop")]
    fn root(key: KeyPair, params: CertificateParams) -> Authority {
        let made = params.self_signed(&key).expect("a certificate");
        let own = issued(&made, params.clone(), key.serialize_pem());
        Authority { issuer: Issuer::new(params, key), own }
    }

    /// An authority below this one, with one thing changed.
    ///
    /// # Panics
    ///
    /// When it can't be made.
    #[expect(clippy::expect_used, reason = "a test without a certificate can only stop")]
    pub fn below(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Authority {
        let (key, params) = (new_key(), authority(name, change));
        let made = params.signed_by(&key, &self.issuer).expect("a certificate");
        let own = issued(&made, params.clone(), key.serialize_pem());
        Authority { issuer: Issuer::new(params, key), own }
    }

    /// A partner's certificate for TLS clients, with one thing changed.
    pub fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let key = new_key();
        let pem = key.serialize_pem();
        Issued { key_pem: pem, ..self.issue_for(&key, change) }
    }

    /// The same, for a key of which only the public half is known here.
    ///
    /// # Panics
    ///
    /// When it can't be made.
    #[expect(clippy::expect_used, reason = "a test without a certificate can only stop")]
    pub fn issue_for(&self, key: &impl PublicKeyData, change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let params = partner(change);
        let made = params.signed_by(key, &self.issuer).expect("a certificate");
        issued(&made, params, String::new())
    }

    /// A certificate for a server of that name (and address, if it is one), and its key.
    ///
    /// # Panics
    ///
    /// When the names can't stand in a certificate.
    #[expect(clippy::expect_used, reason = "a test without a certificate can only stop")]
    pub fn issue_for_server(&self, names: &[&str]) -> Issued {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let names = CertificateParams::new(names).expect("names").subject_alt_names;
        self.issue(|params| {
            params.distinguished_name = common_name("Test Server");
            params.subject_alt_names = names;
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        })
    }

    /// A revocation list in PEM that is stale from `next_update` on, in Unix time.
    pub fn crl(&self, revoked: &[&Issued], next_update: u64) -> String {
        self.crl_of(revoked, BEGINS, next_update)
    }

    /// The same, made at `this_update`.
    ///
    /// # Panics
    ///
    /// When it can't be made.
    #[expect(clippy::expect_used, reason = "a test without a list can only stop")]
    pub fn crl_of(&self, revoked: &[&Issued], this_update: u64, next_update: u64) -> String {
        let beginning = rcgen::date_time_ymd(1970, 1, 1);
        let begins = beginning + Duration::from_secs(BEGINS);
        let entry = |revoked: &&Issued| RevokedCertParams {
            serial_number: revoked.serial.clone(),
            revocation_time: begins,
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: beginning + Duration::from_secs(this_update),
            next_update: beginning + Duration::from_secs(next_update),
            crl_number: SerialNumber::from_slice(&[1]),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).and_then(|list| list.pem()).expect("a revocation list")
    }
}

/// A name that has one attribute.
pub fn common_name(name: &str) -> DistinguishedName {
    let mut whole = DistinguishedName::new();
    whole.push(DnType::CommonName, name);
    whole
}

#[expect(clippy::expect_used, reason = "a test names its hosts")]
fn partner(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in [
        (DnType::CountryName, "GB"),
        (DnType::OrganizationName, "Partner Ltd"),
        (DnType::CommonName, PARTNER_HOST),
    ] {
        params.distinguished_name.push(kind, value);
    }
    params.subject_alt_names = vec![SanType::DnsName(PARTNER_HOST.try_into().expect("a host"))];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    finish(params, change)
}

fn authority(name: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    finish(params, change)
}

fn finish(mut params: CertificateParams, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    set_window(&mut params, BEGINS, ENDS);
    params.use_authority_key_identifier_extension = true;
    change(&mut params);
    if params.serial_number.is_none() {
        params.serial_number = Some(next_serial());
    }
    params
}

/// One that no other certificate of this process has.
fn next_serial() -> SerialNumber {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1 << 32);
    SerialNumber::from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes())
}

#[expect(clippy::expect_used, reason = "a test without a key can only stop")]
fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn issued(made: &rcgen::Certificate, params: CertificateParams, key_pem: String) -> Issued {
    Issued {
        der: made.der().to_vec().into(),
        pem: made.pem(),
        key_pem,
        serial: params.serial_number.unwrap_or_else(|| SerialNumber::from_slice(&[0])),
    }
}
