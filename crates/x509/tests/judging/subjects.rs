//! RFC 8705 2.1.2: whose certificate it is.

use std::net::IpAddr;

use procura_testkit::pki::rcgen::{DistinguishedName, DnType, DnValue, SanType};
use procura_testkit::pki::{Authority, PARTNER_DN, common_name};
use procura_x509::{Certificate, CertificateSubject, check_subject};

fn certificate(name: DistinguishedName, alternative: Vec<SanType>) -> Certificate {
    let issued = Authority::new("Root").issue(|params| {
        params.distinguished_name = name;
        params.subject_alt_names = alternative;
    });
    Certificate::from_der(&issued.der).unwrap()
}

fn dn(text: &str) -> CertificateSubject {
    CertificateSubject::Dn(text.into())
}

fn dns(text: &str) -> CertificateSubject {
    CertificateSubject::Dns(text.into())
}

fn hosts(names: &[&str]) -> Vec<SanType> {
    names.iter().map(|name| SanType::DnsName((*name).try_into().unwrap())).collect()
}

#[test]
fn a_whole_name_matches_however_its_values_are_encoded() {
    let mut printable = DistinguishedName::new();
    printable.push(DnType::CountryName, DnValue::PrintableString("gb".try_into().unwrap()));
    printable.push(DnType::OrganizationName, DnValue::BmpString("PARTNER  ltd".try_into().unwrap()));
    printable.push(DnType::CommonName, DnValue::Utf8String("Partner.Example ".to_owned()));
    assert!(certificate(printable, vec![]).matches(&dn(PARTNER_DN)));
}

#[test]
fn the_same_attributes_in_another_order_are_another_name() {
    let mut reversed = DistinguishedName::new();
    for (kind, value) in [
        (DnType::CommonName, "partner.example"),
        (DnType::OrganizationName, "Partner Ltd"),
        (DnType::CountryName, "GB"),
    ] {
        reversed.push(kind, value);
    }
    let reversed = certificate(reversed, vec![]);
    assert!(!reversed.matches(&dn(PARTNER_DN)));
    assert!(reversed.matches(&dn("C=GB,O=Partner Ltd,CN=partner.example")));
}

#[test]
fn a_value_that_only_looks_like_two_attributes_is_one() {
    let sly = certificate(common_name("partner.example,O=Partner Ltd,C=GB"), vec![]);
    assert!(!sly.matches(&dn(PARTNER_DN)));
    assert!(sly.matches(&dn(&sly.subject())), "{}", sly.subject());
}

#[test]
fn a_teletex_value_is_compared_by_its_bytes() {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, DnValue::TeletexString("abc".try_into().unwrap()));
    let teletex = certificate(name, vec![]);
    assert!(!teletex.matches(&dn("CN=abc")));
    assert!(teletex.matches(&dn("CN=#1403616263")));
    assert!(!teletex.matches(&dn("CN=#1403414243")));
}

#[test]
fn a_name_that_is_empty_matches_nothing() {
    let nobody = certificate(DistinguishedName::new(), hosts(&["partner.example"]));
    assert!(!nobody.matches(&dn("")));
    assert!(!nobody.matches(&dn("CN=")));
}

#[test]
fn a_host_matches_in_any_case_and_as_a_whole() {
    let partner = certificate(common_name("cn.example"), hosts(&["Partner.example", "second.example"]));
    for (asked, matches) in [
        ("partner.example", true),
        ("SECOND.EXAMPLE", true),
        ("example", false),
        ("a.partner.example", false),
        ("partner.example.", false),
        ("cn.example", false),
        ("", false),
    ] {
        assert_eq!(partner.matches(&dns(asked)), matches, "{asked}");
    }
}

#[test]
fn a_common_name_is_no_host() {
    assert!(!certificate(common_name("partner.example"), vec![]).matches(&dns("partner.example")));
}

#[test]
fn a_wildcard_matches_nothing() {
    let wild = certificate(common_name("x"), hosts(&["*.example"]));
    assert!(!wild.matches(&dns("partner.example")));
    assert!(!wild.matches(&dns("*.example")));
}

#[test]
fn a_uri_matches_exactly() {
    let uri = "spiffe://partner.example/a";
    let partner = certificate(common_name("x"), vec![SanType::URI(uri.try_into().unwrap())]);
    assert!(partner.matches(&CertificateSubject::Uri(uri.into())));
    for other in ["spiffe://partner.example/A", "spiffe://partner.example/a/", "spiffe://PARTNER.example/a"] {
        assert!(!partner.matches(&CertificateSubject::Uri(other.into())), "{other}");
    }
    assert!(!partner.matches(&dns("partner.example")));
}

#[test]
fn an_address_matches_by_its_bytes() {
    let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
    let partner = certificate(
        common_name("x"),
        vec![SanType::IpAddress(ip("192.0.2.7")), SanType::IpAddress(ip("2001:db8::7"))],
    );
    for (asked, matches) in
        [("192.0.2.7", true), ("2001:0db8:0::0007", true), ("192.0.2.8", false), ("::ffff:192.0.2.7", false)]
    {
        assert_eq!(partner.matches(&CertificateSubject::Ip(ip(asked))), matches, "{asked}");
    }
}

#[test]
fn e_mail_matches_exactly_before_the_sign_and_in_any_case_after() {
    let address = SanType::Rfc822Name("Ops@partner.example".try_into().unwrap());
    let partner = certificate(common_name("x"), vec![address]);
    for (asked, matches) in [
        ("Ops@PARTNER.example", true),
        ("ops@partner.example", false),
        ("Ops@other.example", false),
        ("partner.example", false),
    ] {
        assert_eq!(partner.matches(&CertificateSubject::Email(asked.into())), matches, "{asked}");
    }
}

#[test]
fn what_is_asked_for_as_one_kind_is_not_found_as_another() {
    let host = certificate(common_name("x"), hosts(&["partner.example"]));
    assert!(!host.matches(&CertificateSubject::Uri("partner.example".into())));
    assert!(!host.matches(&CertificateSubject::Email("partner.example".into())));
    let uri = certificate(common_name("x"), vec![SanType::URI("ops@partner.example".try_into().unwrap())]);
    assert!(!uri.matches(&CertificateSubject::Email("ops@partner.example".into())));
}

#[test]
fn what_no_certificate_can_say_is_not_registered() {
    for bad in [
        dn("partner.example"),
        dn(""),
        dns("*.example"),
        dns("partner..example"),
        dns("partner.example."),
        dns("p\u{e4}rtner.example"),
        CertificateSubject::Uri("partner".into()),
        CertificateSubject::Uri("urn:a b".into()),
        CertificateSubject::Email("partner.example".into()),
        CertificateSubject::Email("@partner.example".into()),
        CertificateSubject::Email("a@b@".into()),
    ] {
        assert!(check_subject(&bad).is_err(), "{bad:?}");
    }
    for good in [
        dn(PARTNER_DN),
        dns("partner.example"),
        CertificateSubject::Uri("urn:partner:1".into()),
        CertificateSubject::Ip([192, 0, 2, 7].into()),
        CertificateSubject::Email("ops@partner.example".into()),
    ] {
        assert_eq!(check_subject(&good), Ok(()), "{good:?}");
    }
}
