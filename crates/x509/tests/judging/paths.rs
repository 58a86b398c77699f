//! RFC 5280 6, with RFC 8705 2.1: from a partner's certificate to a configured authority.

use procura_protocol::time::UnixSeconds;
use procura_testkit::pki::rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, CustomExtension, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
    PKCS_RSA_SHA256, PublicKeyData, SanType, SignatureAlgorithm,
};
use procura_testkit::pki::{Authority, BEGINS, ENDS, Issued, common_name, self_signed, set_window};
use procura_x509::{CertificateProblem, InvalidBundle, TrustAnchors};

use crate::support::{chain, judged, judged_alone, now, trusting};

fn nothing(_: &mut CertificateParams) {}

#[test]
fn a_certificate_of_a_configured_authority_holds_until_it_ends() {
    let root = Authority::new("Root");
    let until = judged_alone(&root, &root.issue(|params| set_window(params, BEGINS, now() + 1_000)));
    assert_eq!(until, Ok(UnixSeconds(i64::try_from(now() + 1_001).unwrap())));
}

#[test]
fn it_holds_over_authorities_in_between_whichever_way_they_are_sent() {
    let root = Authority::new("Root");
    let middle = root.below("Middle", nothing);
    let low = middle.below("Low", nothing);
    let leaf = low.issue(nothing);
    let trusting = trusting(&[&root]);
    for sent in [
        chain(&[&leaf, &low.own, &middle.own]),
        chain(&[&leaf, &middle.own, &low.own]),
        chain(&[&leaf, &low.own, &middle.own, &root.own]),
        chain(&[&leaf, &low.own, &middle.own, &Authority::new("Other").own]),
    ] {
        assert!(judged(&sent, &trusting).is_ok());
    }
    for sent in [chain(&[&leaf]), chain(&[&leaf, &low.own]), chain(&[&leaf, &middle.own])] {
        assert_eq!(judged(&sent, &trusting), Err(CertificateProblem::UnknownIssuer));
    }
}

#[test]
fn the_judgement_ends_with_the_first_certificate_of_the_path_that_does() {
    let root = Authority::with("Root", |params| set_window(params, BEGINS, now() + 300));
    let middle = root.below("Middle", |params| set_window(params, BEGINS, now() + 200));
    let leaf = middle.issue(|params| set_window(params, BEGINS, now() + 400));
    let sent = chain(&[&leaf, &middle.own]);
    let at = |seconds: u64| Ok(UnixSeconds(i64::try_from(now() + seconds).unwrap()));
    assert_eq!(judged(&sent, &trusting(&[&root])), at(201));
    assert_eq!(judged_alone(&root, &root.issue(nothing)), at(301));
}

#[test]
fn its_last_second_is_valid_and_the_next_is_not() {
    let root = Authority::new("Root");
    let ends = |last| judged_alone(&root, &root.issue(|params| set_window(params, BEGINS, last)));
    assert!(ends(now()).is_ok());
    assert_eq!(ends(now() - 1), Err(CertificateProblem::Expired));
}

#[test]
fn its_first_second_is_valid_and_the_one_before_is_not() {
    let root = Authority::new("Root");
    let begins = |first| judged_alone(&root, &root.issue(|params| set_window(params, first, ENDS)));
    assert!(begins(now()).is_ok());
    assert_eq!(begins(now() + 1), Err(CertificateProblem::NotYetValid));
}

#[test]
fn an_authority_in_between_that_expired_ends_the_path() {
    let root = Authority::new("Root");
    let middle = root.below("Middle", |params| set_window(params, BEGINS, now() - 1));
    let sent = chain(&[&middle.issue(nothing), &middle.own]);
    assert_eq!(judged(&sent, &trusting(&[&root])), Err(CertificateProblem::Expired));
}

#[test]
fn a_configured_authority_that_expired_ends_the_path_too() {
    let root = Authority::with("Root", |params| set_window(params, BEGINS, now() - 1));
    assert_eq!(judged_alone(&root, &root.issue(nothing)), Err(CertificateProblem::Expired));
    let root = Authority::with("Root", |params| set_window(params, now() + 1, ENDS));
    assert_eq!(judged_alone(&root, &root.issue(nothing)), Err(CertificateProblem::NotYetValid));
}

#[test]
fn a_certificate_of_another_authority_is_of_an_unknown_issuer() {
    let (root, other) = (Authority::new("Root"), Authority::new("Other"));
    assert_eq!(judged_alone(&root, &other.issue(nothing)), Err(CertificateProblem::UnknownIssuer));
    assert!(judged(&chain(&[&other.issue(nothing)]), &trusting(&[&root, &other])).is_ok());
}

#[test]
fn an_authority_that_only_has_the_name_of_a_configured_one_signed_nothing() {
    let (root, namesake) = (Authority::new("Root"), Authority::new("Root"));
    let leaf = namesake.issue(nothing);
    assert_eq!(judged_alone(&root, &leaf), Err(CertificateProblem::BadSignature));
    let sent = chain(&[&leaf, &namesake.own]);
    assert_eq!(judged(&sent, &trusting(&[&root])), Err(CertificateProblem::BadSignature));
}

#[test]
fn a_certificate_that_a_partner_signed_itself_is_of_an_unknown_issuer() {
    let root = Authority::new("Root");
    assert_eq!(judged_alone(&root, &self_signed(nothing)), Err(CertificateProblem::UnknownIssuer));
}

#[test]
fn a_certificate_must_say_that_it_is_for_clients() {
    let root = Authority::new("Root");
    let with = |usages: Vec<ExtendedKeyUsagePurpose>| {
        judged_alone(&root, &root.issue(|params| params.extended_key_usages = usages))
    };
    let (client, server) = (ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth);
    assert!(with(vec![server.clone(), client]).is_ok());
    for wrong in [vec![], vec![server], vec![ExtendedKeyUsagePurpose::Any]] {
        assert_eq!(with(wrong), Err(CertificateProblem::WrongUsage));
    }
}

#[test]
fn a_certificate_must_be_allowed_to_sign_handshakes() {
    let root = Authority::new("Root");
    let with =
        |usages: Vec<KeyUsagePurpose>| judged_alone(&root, &root.issue(|params| params.key_usages = usages));
    assert!(with(vec![]).is_ok());
    assert!(with(vec![KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::DigitalSignature]).is_ok());
    assert_eq!(with(vec![KeyUsagePurpose::KeyEncipherment]), Err(CertificateProblem::WrongUsage));
}

#[test]
fn an_authority_is_no_partner() {
    let root = Authority::new("Root");
    let leaf = root.issue(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert_eq!(judged_alone(&root, &leaf), Err(CertificateProblem::WrongUsage));
}

#[test]
fn an_authority_in_between_may_not_be_for_servers_only() {
    let root = Authority::new("Root");
    let middle = root.below("Middle", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let sent = chain(&[&middle.issue(nothing), &middle.own]);
    assert_eq!(judged(&sent, &trusting(&[&root])), Err(CertificateProblem::WrongUsage));
}

#[test]
fn a_partner_can_issue_nothing() {
    let root = Authority::new("Root");
    for change in [
        (|params| params.is_ca = IsCa::NoCa) as fn(&mut CertificateParams),
        |params| params.is_ca = IsCa::ExplicitNoCa,
        |params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::CrlSign],
    ] {
        let partner = root.below("Partner", change);
        let sent = chain(&[&partner.issue(nothing), &partner.own]);
        assert_eq!(judged(&sent, &trusting(&[&root])), Err(CertificateProblem::IssuerIsNoAuthority));
    }
}

#[test]
fn an_authority_has_no_more_below_it_than_it_may() {
    let root = Authority::with("Root", nothing);
    let middle = root.below("Middle", |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let low = middle.below("Low", nothing);
    let trusting = trusting(&[&root]);
    assert!(judged(&chain(&[&middle.issue(nothing), &middle.own]), &trusting).is_ok());
    let sent = chain(&[&low.issue(nothing), &low.own, &middle.own]);
    assert_eq!(judged(&sent, &trusting), Err(CertificateProblem::PathLength));
}

#[test]
fn a_chain_of_more_than_five_is_not_looked_at() {
    let root = Authority::new("Root");
    let leaf = root.issue(nothing);
    let trusting = trusting(&[&root]);
    assert!(judged(&vec![leaf.der.clone(); 5], &trusting).is_ok());
    assert_eq!(judged(&vec![leaf.der.clone(); 6], &trusting), Err(CertificateProblem::TooMany));
}

#[test]
fn names_are_held_to_what_an_authority_may_name() {
    let root = Authority::new("Root");
    let constrained = |permitted: Vec<GeneralSubtree>, excluded: Vec<GeneralSubtree>| {
        root.below("Middle", |params| {
            params.name_constraints =
                Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: excluded });
        })
    };
    let judged =
        |middle: &Authority| judged(&chain(&[&middle.issue(nothing), &middle.own]), &trusting(&[&root]));
    let host = |name: &str| GeneralSubtree::DnsName(name.to_owned());
    assert!(judged(&constrained(vec![host("example")], vec![])).is_ok());
    assert!(judged(&constrained(vec![], vec![host("other.example")])).is_ok());
    for outside in [
        constrained(vec![host("other.example")], vec![]),
        constrained(vec![], vec![host("partner.example")]),
        // Constraints on whole subjects can't be judged, so they let nobody through.
        constrained(vec![GeneralSubtree::DirectoryName(common_name("partner.example"))], vec![]),
    ] {
        assert_eq!(judged(&outside), Err(CertificateProblem::NameConstraints));
    }
}

#[test]
fn addresses_are_held_to_what_an_authority_may_name() {
    let root = Authority::with("Root", |params| {
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([10, 0, 0, 0], 8))],
            excluded_subtrees: vec![],
        });
    });
    let at = |address: [u8; 4]| {
        let issued = root.issue(|params| {
            params.subject_alt_names = vec![SanType::IpAddress(address.into())];
        });
        judged_alone(&root, &issued)
    };
    assert!(at([10, 1, 2, 3]).is_ok());
    assert_eq!(at([11, 1, 2, 3]), Err(CertificateProblem::NameConstraints));
}

#[test]
fn keys_of_the_kinds_that_tls_takes_are_taken() {
    let root = Authority::new("Root");
    for algorithm in [&PKCS_ED25519, &PKCS_ECDSA_P384_SHA384, &PKCS_RSA_SHA256] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        assert!(judged_alone(&root, &root.issue_for(&key, nothing)).is_ok());
    }
}

/// The public half of a key that nobody has.
struct PublicHalf(Vec<u8>, &'static SignatureAlgorithm);

impl PublicKeyData for PublicHalf {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.1
    }
}

/// An RSA key with a modulus of so many bytes, in DER (RFC 8017 A.1.1).
fn rsa(modulus_bytes: u16) -> PublicHalf {
    let length = |length: u16| [&[0x82], length.to_be_bytes().as_slice()].concat();
    let modulus = [vec![0x00, 0x80], vec![0xa5; usize::from(modulus_bytes) - 1]].concat();
    let integer = [vec![0x02], length(modulus_bytes + 1), modulus].concat();
    let both = [integer, vec![0x02, 0x03, 0x01, 0x00, 0x01]].concat();
    let sequence = [vec![0x30], length(u16::try_from(both.len()).unwrap()), both].concat();
    PublicHalf(sequence, &PKCS_RSA_SHA256)
}

#[test]
fn a_short_rsa_key_is_weak() {
    let root = Authority::new("Root");
    assert!(judged_alone(&root, &root.issue_for(&rsa(256), nothing)).is_ok());
    for bytes in [128, 255, 1_025] {
        let weak = root.issue_for(&rsa(bytes), nothing);
        assert_eq!(judged_alone(&root, &weak), Err(CertificateProblem::WeakKey), "{bytes}");
    }
}

/// The same certificate with other bytes in place of these, wherever they are.
fn altered(issued: &Issued, from: &[u8], to: &[u8]) -> Box<[u8]> {
    assert_eq!(from.len(), to.len(), "nothing moves");
    let mut der = issued.der.to_vec();
    let places: Vec<usize> = (0..der.len()).filter(|at| der[*at..].starts_with(from)).collect();
    assert!(!places.is_empty(), "it is there");
    for at in places {
        der[at..at + to.len()].copy_from_slice(to);
    }
    der.into()
}

#[test]
fn a_curve_that_tls_does_not_take_is_weak() {
    let root = Authority::new("Root");
    // prime256v1 and prime192v1 (RFC 5480 2.1.1.1).
    let (p256, p192) = ([0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 1]);
    let weak = altered(&root.issue(nothing), &p256, &p192);
    assert_eq!(judged(&[weak], &trusting(&[&root])), Err(CertificateProblem::WeakKey));
}

#[test]
fn a_signature_with_sha_1_is_not_looked_at() {
    let root = Authority::with_rsa("Root");
    let leaf = root.issue(nothing);
    assert!(judged_alone(&root, &leaf).is_ok());
    // sha256WithRSAEncryption and sha1WithRSAEncryption (RFC 8017 A.2.4).
    let (sha256, sha1) =
        ([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11], [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5]);
    let weak = altered(&leaf, &sha256, &sha1);
    assert_eq!(judged(&[weak], &trusting(&[&root])), Err(CertificateProblem::UnsupportedAlgorithm));
}

#[test]
fn a_signature_that_was_made_over_something_else_is_bad() {
    let root = Authority::new("Root");
    let other = altered(&root.issue(nothing), b"partner.example", b"another.example");
    assert_eq!(judged(&[other], &trusting(&[&root])), Err(CertificateProblem::BadSignature));
}

#[test]
fn a_critical_extension_that_is_not_known_is_refused() {
    let root = Authority::new("Root");
    let with = |critical| {
        let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], vec![5, 0]);
        extension.set_criticality(critical);
        judged_alone(&root, &root.issue(|params| params.custom_extensions = vec![extension]))
    };
    assert!(with(false).is_ok());
    assert_eq!(with(true), Err(CertificateProblem::UnsupportedExtension));
}

#[test]
fn a_file_of_authorities_holds_nothing_else() {
    let root = Authority::new("Root");
    let read = |text: &str| TrustAnchors::from_pem(text.as_bytes()).map(|anchors| anchors.len());
    assert_eq!(read(&format!("a note\n{}{}", root.own.pem, Authority::new("Other").own.pem)), Ok(2));
    assert_eq!(read(""), Err(InvalidBundle::Empty));
    assert_eq!(read("nothing"), Err(InvalidBundle::Empty));
    assert_eq!(read(&root.own.key_pem), Err(InvalidBundle::NotPem));
    assert_eq!(read(&root.crl(&[], ENDS)), Err(InvalidBundle::NotPem));
    assert_eq!(read(&root.own.pem[..200]), Err(InvalidBundle::NotPem));
    let leaf = root.issue(nothing).pem;
    assert_eq!(read(&format!("{}{leaf}", root.own.pem)), Err(InvalidBundle::NoAuthority { no: 2 }));
    assert_eq!(read(&"x".repeat(17 << 20)), Err(InvalidBundle::TooLarge));
}
