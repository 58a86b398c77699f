use procura_protocol::time::UnixSeconds;
use procura_x509::{
    Authorities, Certificate, CertificateSubject, Crls, DistinguishedName, InvalidCertificate,
    MAX_CERTIFICATE_BYTES, TrustAnchors, judge_registered,
};

/// 2027-12-28T05:20:00Z, inside the windows of the seeds.
const NOW: UnixSeconds = UnixSeconds(1_829_971_200);

/// A certificate as DER or PEM, a file of authorities or revocation lists, and a name as RFC 4514 writes it.
///
/// A certificate that is read has the bytes that it was read from, bears the name that it writes down, holds
/// where it is registered and inside its window, and never by itself as its own authority. A name that is read
/// is written as an equal one. Whether any of them was read.
pub fn certificate(data: &[u8]) -> bool {
    let read = Certificate::from_der(data);
    match &read {
        Ok(certificate) => {
            assert_eq!(certificate.der(), data, "other bytes");
            check(certificate);
        }
        Err(InvalidCertificate::TooLarge) => assert!(data.len() > MAX_CERTIFICATE_BYTES, "it is small"),
        Err(_) => {}
    }
    let from_pem = Certificate::from_pem(data);
    from_pem.iter().for_each(check);
    let anchors = TrustAnchors::from_pem(data);
    if let Ok(anchors) = &anchors {
        assert!(anchors.len() > 0, "a file without authorities");
    }
    let lists = Crls::from_pem(data);
    if let Ok(lists) = &lists {
        assert!(lists.len() > 0, "a file without lists");
    }
    let name = std::str::from_utf8(data).ok().and_then(|text| DistinguishedName::parse(text).ok());
    if let Some(name) = &name {
        let written = name.to_string();
        // Escaping makes texts longer, and too long ones are not read.
        if written.len() <= data.len() {
            assert_eq!(DistinguishedName::parse(&written).as_ref(), Ok(name), "{written}");
        }
    }
    read.is_ok() || from_pem.is_ok() || anchors.is_ok() || lists.is_ok() || name.is_some()
}

fn check(certificate: &Certificate) {
    let subject = certificate.subject();
    if DistinguishedName::parse(&subject).is_ok() {
        assert!(certificate.matches(&CertificateSubject::Dn(subject.as_str().into())), "{subject}");
    }
    let registered = judge_registered(certificate, [(certificate.thumbprint(), None)], NOW);
    let inside = certificate.not_before() <= NOW && NOW <= certificate.not_after();
    assert_eq!(registered.is_ok(), inside && certificate.has_strong_key(), "{registered:?}");
    if let Ok(anchors) = TrustAnchors::from_pem(pem(certificate.der()).as_bytes()) {
        let authorities = Authorities { anchors, crls: None };
        let judged = authorities.judge(certificate, &[certificate.der().into()], NOW);
        assert!(judged.is_err(), "an authority was taken for a partner");
    }
}

fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}
