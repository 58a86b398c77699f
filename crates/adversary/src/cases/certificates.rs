//! Certificates that prove nothing.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::adapter::{ApplicationRole, CertificateRole};
use crate::answer::Why;
use crate::attempt::{Ask, Attempt};
use crate::case::{Cases, Stop};
use crate::wire::Identity;
use crate::world::certificate;

/// Refused as an application that is not proved, or cut in the handshake.
const UNPROVED: &[Why] = &[Why::Client, Why::Http];

const ROLES: [(ApplicationRole, &str); 3] = [
    (ApplicationRole::Certificate, "certificate"),
    (ApplicationRole::SelfSigned, "self-signed"),
    (ApplicationRole::TwoFactors, "two-factors"),
];

type Spoil = for<'w> fn(&Attempt<'w>, Ask<'w>, &Arc<Identity>) -> Result<Ask<'w>, Stop>;

const WRONG: &[(&str, &str, &str, Spoil)] = &[
    ("none", "without a certificate", "RFC 8705 2", |_, ask, _| Ok(ask.without_certificate())),
    ("of-a-stranger", "with a certificate that nobody knows", "RFC 8705 2.1, 2.2", |attempt, ask, _| {
        Ok(ask.certificate(Arc::clone(&attempt.world.strangers.identity)))
    }),
    (
        "same-subject",
        "with a certificate that somebody made for the same name",
        "RFC 8705 7.4",
        |_, ask, own| Ok(ask.certificate(made(&name(own), (2020, 2090))?)),
    ),
    ("expired", "with a certificate that has expired", "RFC 8705 2; RFC 5280 6.1.3", |_, ask, own| {
        Ok(ask.certificate(made(&name(own), (2001, 2002))?))
    }),
    (
        "not-yet",
        "with a certificate that is not in force yet",
        "RFC 8705 2; RFC 5280 6.1.3",
        |_, ask, own| Ok(ask.certificate(made(&name(own), (2090, 2099))?)),
    ),
    (
        "without-its-key",
        "with its certificate and another private key",
        "RFC 8705 2; RFC 8446 4.4.3",
        |attempt, ask, own| Ok(ask.certificate(Arc::new(own.with_key_of(&attempt.world.strangers.identity)))),
    ),
    ("in-client-cert", "with its certificate in a header for proxies", "RFC 9440 4", |_, ask, own| {
        let der = own.chain.first().ok_or_else(|| Stop::skip("the file has no certificate"))?;
        Ok(ask.without_certificate().header("Client-Cert", format!(":{}:", STANDARD.encode(der))))
    }),
    (
        "in-other-headers",
        "with its certificate in the headers of other proxies",
        "RFC 9440 4",
        |_, ask, own| {
            let der = own.chain.first().ok_or_else(|| Stop::skip("the file has no certificate"))?;
            let ask = ask.without_certificate().header("X-SSL-Client-Verify", "SUCCESS");
            let ask = ask
                .header("X-SSL-Client-Cert", STANDARD.encode(der))
                .header("SSL-Client-Cert", STANDARD.encode(der));
            Ok(ask.header("X-Forwarded-Client-Cert", format!("Subject=\"CN={}\"", name(own))))
        },
    ),
];

pub(super) fn add(cases: &mut Cases) {
    for (role, of) in ROLES {
        for (id, words, source, spoil) in WRONG {
            let id = format!("{of}-{id}");
            let title = format!("The application `{}` {words} is refused", role.name());
            cases.at(&super::TOKEN_DOORS, (&id, &title), source, move |attempt| {
                attempt.ask_as(role)?.send()?.granted()?;
                let own = attempt.world.identity(role)?;
                spoil(attempt, attempt.ask_as(role)?, &own)?.send()?.refused(UNPROVED)
            });
        }
        for (other, words) in ROLES.iter().filter(|(other, _)| *other != role) {
            let id = format!("{of}-of-{words}");
            let title = format!(
                "The application `{}` with the certificate of `{}` is refused",
                role.name(),
                other.name()
            );
            cases.at(&super::TOKEN_DOORS, (&id, &title), "RFC 8705 2.1, 2.2", move |attempt| {
                attempt.ask_as(role)?.send()?.granted()?;
                let (own, other) = (attempt.world.identity(role)?, attempt.world.identity(*other)?);
                if own.chain.first() == other.chain.first() {
                    return Err(Stop::skip("both applications have the same certificate"));
                }
                attempt.ask_as(role)?.certificate(other).send()?.refused(UNPROVED)
            });
        }
    }
    issued(cases);
    cases.at(
        &super::TOKEN_DOORS,
        (
            "two-factors-certificate-alone",
            "A certificate that is a second factor proves nothing without the first",
        ),
        "RFC 8705 2; contract 6",
        |attempt| {
            let role = ApplicationRole::TwoFactors;
            attempt.ask_as(role)?.send()?.granted()?;
            let id = &attempt.world.application(role)?.id;
            attempt.ask_as(role)?.unproved().with("client_id", id).send()?.refused(UNPROVED)
        },
    );
    cases.at(
        &super::TOKEN_DOORS,
        ("certificate-as-another", "A certificate proves its own application and no other that is named"),
        "RFC 8705 2",
        |attempt| {
            let role = ApplicationRole::Certificate;
            attempt.ask_as(role)?.send()?.granted()?;
            let other = &attempt.world.application(ApplicationRole::Main)?.id;
            attempt.ask_as(role)?.unproved().with("client_id", other).send()?.refused(UNPROVED)
        },
    );
    cases.at(
        &super::TOKEN_DOORS,
        ("certificate-without-name", "A certificate without the application's id proves nobody"),
        "RFC 8705 2",
        |attempt| {
            let role = ApplicationRole::Certificate;
            attempt.ask_as(role)?.send()?.granted()?;
            attempt.ask_as(role)?.unproved().send()?.refused(&[Why::Client, Why::Request, Why::Http])
        },
    );
    cases.at(
        &super::TOKEN_DOORS,
        ("certificate-and-secret", "A certificate beside a made-up secret proves nobody"),
        "RFC 6749 2.3; RFC 8705 2",
        |attempt| {
            let role = ApplicationRole::Certificate;
            attempt.ask_as(role)?.send()?.granted()?;
            let id = &attempt.world.application(role)?.id;
            let ask = attempt.ask_as(role)?.unproved().with("client_id", id).with("client_secret", "made-up");
            ask.send()?.refused(&[Why::Client, Why::Request, Why::Http])
        },
    );
}

/// Certificates of the right authority.
fn issued(cases: &mut Cases) {
    for (spoilt, id, words) in [
        (CertificateRole::Expired, "issued-expired", "that has expired"),
        (CertificateRole::NotYet, "issued-not-yet", "that is not in force yet"),
        (CertificateRole::ForServers, "issued-for-servers", "that is for servers"),
        (CertificateRole::OtherSubject, "issued-other-subject", "for another subject"),
        (CertificateRole::Revoked, "issued-revoked", "that was revoked"),
    ] {
        let id = format!("certificate-{id}");
        let title = format!("A certificate of the right authority {words} proves nobody");
        cases.at(&super::TOKEN_DOORS, (&id, &title), "RFC 8705 2.1; RFC 5280 6.1", move |attempt| {
            let role = ApplicationRole::Certificate;
            attempt.ask_as(role)?.send()?.granted()?;
            let certificate = attempt.world.spoilt(spoilt)?;
            attempt.ask_as(role)?.certificate(certificate).send()?.refused(UNPROVED)
        });
    }
}

fn made(name: &str, years: (i32, i32)) -> Result<Arc<Identity>, Stop> {
    let made =
        certificate(name, years).map_err(|error| Stop::skip(format_args!("no certificate: {error}")))?;
    Ok(Arc::new(made))
}

/// The longest run of printable ASCII in the certificate that could be its common name. Enough for a forgery that
/// must be refused whatever it is called.
fn name(identity: &Identity) -> String {
    let der = identity.chain.first().map(AsRef::as_ref).unwrap_or_default();
    // The object identifier of a common name, then a string of some type with its length.
    let last = der.windows(3).rposition(|window| window == [0x55, 0x04, 0x03]);
    let value = last.and_then(|at| {
        let length = usize::from(*der.get(at + 4)?);
        der.get(at + 5..at + 5 + length)
    });
    value.map_or_else(|| "stranger".to_owned(), |value| String::from_utf8_lossy(value).into_owned())
}
