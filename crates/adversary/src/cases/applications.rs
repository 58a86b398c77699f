//! Who asks: nobody who does not prove to be an application that may.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::adapter::{ApplicationRole, Door, Method};
use crate::answer::{Answer, Why};
use crate::attempt::{Ask, Attempt, CLIENT_ASSERTION_TYPE, basic};
use crate::case::{Cases, Stop, Verdict};

/// What a proof that is none may be answered with.
const UNPROVED: &[Why] = &[Why::Client];
const MALFORMED: &[Why] = &[Why::Client, Why::Request];

/// The application of the request, and its secret.
struct Secret<'w> {
    id: &'w str,
    secret: &'w str,
}

/// One that proves nothing: name, words, source, how it may be answered, and how it is made.
type Wrong = (
    &'static str,
    &'static str,
    &'static str,
    &'static [Why],
    for<'w> fn(&Attempt<'w>, Ask<'w>, &Secret<'w>) -> Result<Ask<'w>, Stop>,
);

const WRONG: &[Wrong] = &[
    ("no-proof", "without any proof", "RFC 6749 3.2.1", UNPROVED, |_, ask, _| Ok(ask)),
    ("bare-client-id", "with the application's id alone", "RFC 6749 2.3.1", UNPROVED, |_, ask, own| {
        Ok(ask.with("client_id", own.id))
    }),
    ("wrong-secret", "with a wrong secret", "RFC 6749 5.2", UNPROVED, |_, ask, own| {
        Ok(ask.header("Authorization", basic(own.id, "wrong")))
    }),
    ("wrong-secret-in-form", "with a wrong secret in the form", "RFC 6749 5.2", UNPROVED, |_, ask, own| {
        Ok(ask.with("client_id", own.id).with("client_secret", "wrong"))
    }),
    ("empty-secret", "with an empty secret", "RFC 6749 2.3.1", MALFORMED, |_, ask, own| {
        Ok(ask.header("Authorization", basic(own.id, "")))
    }),
    (
        "empty-secret-in-form",
        "with an empty secret in the form",
        "RFC 6749 2.3.1",
        MALFORMED,
        |_, ask, own| Ok(ask.with("client_id", own.id).with("client_secret", "")),
    ),
    ("secret-cut", "with its secret but for the last letter", "RFC 6749 2.3.1", UNPROVED, |_, ask, own| {
        let cut = own.secret.get(..own.secret.len().saturating_sub(1)).unwrap_or_default();
        Ok(ask.header("Authorization", basic(own.id, cut)))
    }),
    ("secret-longer", "with its secret and a letter more", "RFC 6749 2.3.1", UNPROVED, |_, ask, own| {
        Ok(ask.header("Authorization", basic(own.id, &format!("{}x", own.secret))))
    }),
    ("secret-nul", "with its secret, NUL and more", "RFC 6749 2.3.1", MALFORMED, |_, ask, own| {
        Ok(ask.header("Authorization", basic(own.id, &format!("{}\0x", own.secret))))
    }),
    ("secret-capitals", "with its secret in capitals", "RFC 6749 2.3.1", UNPROVED, |_, ask, own| {
        Ok(ask.header("Authorization", basic(own.id, &own.secret.to_uppercase())))
    }),
    ("secret-space", "with its secret and a space", "RFC 6749 2.3.1", UNPROVED, |_, ask, own| {
        Ok(ask.header("Authorization", basic(own.id, &format!("{} ", own.secret))))
    }),
    (
        "secret-long",
        "with a secret of six thousand letters",
        "RFC 6749 2.3.1",
        &[Why::Client, Why::Http],
        |_, ask, own| Ok(ask.header("Authorization", basic(own.id, &"s".repeat(6_000)))),
    ),
    (
        "secret-of-another",
        "with the secret of another application",
        "RFC 6749 2.3.1",
        UNPROVED,
        |attempt, ask, own| {
            let other = attempt.world.application(ApplicationRole::Other)?;
            let secret =
                other.secret.as_deref().ok_or_else(|| Stop::skip("`applications.other` has no `secret`"))?;
            Ok(ask.header("Authorization", basic(own.id, secret)))
        },
    ),
    (
        "unknown-application",
        "as an application that does not exist",
        "RFC 6749 5.2",
        UNPROVED,
        |_, ask, own| Ok(ask.header("Authorization", basic("app_nosuchapplication", own.secret))),
    ),
    ("application-capitals", "as the application in capitals", "RFC 6749 2.3.1", UNPROVED, |_, ask, own| {
        Ok(ask.header("Authorization", basic(&own.id.to_uppercase(), own.secret)))
    }),
    (
        "disabled-application",
        "as an application that is switched off",
        "RFC 6749 5.2; contract 6",
        UNPROVED,
        |attempt, ask, _| {
            let off = attempt.world.application(ApplicationRole::Disabled)?;
            Ok(ask.header("Authorization", basic(&off.id, off.secret.as_deref().unwrap_or_default())))
        },
    ),
    ("basic-without-colon", "with Basic that holds no colon", "RFC 7617 2", MALFORMED, |_, ask, own| {
        Ok(ask.header("Authorization", format!("Basic {}", STANDARD.encode(own.id))))
    }),
    ("basic-not-base64", "with Basic that is no base64", "RFC 7617 2", MALFORMED, |_, ask, own| {
        Ok(ask.header("Authorization", format!("Basic {}:{}", own.id, own.secret)))
    }),
    ("basic-empty", "with Basic and nothing", "RFC 7617 2", MALFORMED, |_, ask, _| {
        Ok(ask.header("Authorization", "Basic "))
    }),
    ("basic-not-utf8", "with Basic that is no UTF-8", "RFC 7617 2.1", MALFORMED, |_, ask, _| {
        Ok(ask.header("Authorization", format!("Basic {}", STANDARD.encode(b"\xff\xfe:\xff"))))
    }),
    (
        "basic-twice",
        "with two Authorization headers, one of them wrong",
        "RFC 9110 11.6.2",
        MALFORMED,
        |_, ask, own| {
            let ask = ask.header("Authorization", basic(own.id, "wrong"));
            Ok(ask.header("Authorization", basic(own.id, own.secret)))
        },
    ),
    (
        "basic-twice-other-way",
        "with two Authorization headers, the second wrong",
        "RFC 9110 11.6.2",
        MALFORMED,
        |_, ask, own| {
            let ask = ask.header("Authorization", basic(own.id, own.secret));
            Ok(ask.header("Authorization", basic(own.id, "wrong")))
        },
    ),
    (
        "basic-list",
        "with two credentials in one Authorization header",
        "RFC 9110 11.6.2",
        MALFORMED,
        |_, ask, own| {
            let (right, wrong) = (basic(own.id, own.secret), basic(own.id, "wrong"));
            Ok(ask.header("Authorization", format!("{wrong}, {right}")))
        },
    ),
    ("other-scheme", "with its secret under another scheme", "RFC 9110 11.6.2", MALFORMED, |_, ask, own| {
        let value = basic(own.id, own.secret).replacen("Basic", "Negotiate", 1);
        Ok(ask.header("Authorization", value))
    }),
    ("two-methods", "with its secret by two methods at once", "RFC 6749 2.3", MALFORMED, |_, ask, own| {
        let ask = ask.header("Authorization", basic(own.id, own.secret));
        Ok(ask.with("client_id", own.id).with("client_secret", own.secret))
    }),
    (
        "two-methods-second-wrong",
        "with a right secret in Basic and a wrong one in the form",
        "RFC 6749 2.3",
        MALFORMED,
        |_, ask, own| {
            let ask = ask.header("Authorization", basic(own.id, own.secret));
            Ok(ask.with("client_id", own.id).with("client_secret", "wrong"))
        },
    ),
    (
        "two-methods-assertion",
        "with its secret and an assertion",
        "RFC 6749 2.3",
        MALFORMED,
        |_, ask, own| {
            let ask = ask.header("Authorization", basic(own.id, own.secret));
            Ok(ask.with("client_assertion_type", CLIENT_ASSERTION_TYPE).with("client_assertion", "a.b.c"))
        },
    ),
    (
        "two-applications",
        "as itself in Basic and as another in the form",
        "RFC 6749 2.3",
        MALFORMED,
        |attempt, ask, own| {
            let other = &attempt.world.application(ApplicationRole::Other)?.id;
            Ok(ask.header("Authorization", basic(own.id, own.secret)).with("client_id", other))
        },
    ),
    (
        "client-id-twice",
        "with two ids in the form, one of them its own",
        "RFC 6749 3.2",
        MALFORMED,
        |attempt, ask, own| {
            let other = &attempt.world.application(ApplicationRole::Other)?.id;
            Ok(ask.with("client_id", other).with("client_id", own.id).with("client_secret", own.secret))
        },
    ),
    (
        "secret-twice",
        "with two secrets in the form, one of them right",
        "RFC 6749 3.2",
        MALFORMED,
        |_, ask, own| {
            let ask = ask.with("client_id", own.id).with("client_secret", "wrong");
            Ok(ask.with("client_secret", own.secret))
        },
    ),
    ("secret-in-query", "with its secret in the query", "RFC 6749 2.3.1", MALFORMED, |_, ask, own| {
        Ok(ask.query(&format!("client_id={}&client_secret={}", own.id, own.secret)))
    }),
    ("secret-in-cookie", "with its secret in a cookie", "RFC 6749 2.3.1", UNPROVED, |_, ask, own| {
        Ok(ask.header("Cookie", format!("client_id={}; client_secret={}", own.id, own.secret)))
    }),
    ("secret-without-id", "with its secret and no id", "RFC 6749 2.3.1", MALFORMED, |_, ask, own| {
        Ok(ask.with("client_secret", own.secret))
    }),
    ("assertion-without-type", "with an assertion and no type", "RFC 7521 4.2", MALFORMED, |_, ask, own| {
        Ok(ask.with("client_id", own.id).with("client_assertion", "a.b.c"))
    }),
    (
        "assertion-type-alone",
        "with the type of an assertion and none",
        "RFC 7521 4.2",
        MALFORMED,
        |_, ask, own| Ok(ask.with("client_id", own.id).with("client_assertion_type", CLIENT_ASSERTION_TYPE)),
    ),
    (
        "assertion-other-type",
        "with an assertion of another type",
        "RFC 7521 4.2",
        MALFORMED,
        |_, ask, own| {
            let kind = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
            Ok(ask
                .with("client_id", own.id)
                .with("client_assertion_type", kind)
                .with("client_assertion", "PHg-"))
        },
    ),
    (
        "proxy-header",
        "with a header in which a proxy names the application",
        "RFC 9440 4; RFC 9700 4.13",
        UNPROVED,
        |_, ask, own| {
            Ok(ask.header("X-Client-ID", own.id).header("X-Remote-User", own.id).with("client_id", own.id))
        },
    ),
];

pub(super) fn add(cases: &mut Cases) {
    for (id, words, source, whys, spoil) in WRONG {
        let title = format!("A request {words} is refused");
        cases.at(&super::PROVED_DOORS, (id, &title), source, |attempt| {
            let own = honest(attempt)?;
            spoil(attempt, attempt.ask()?.unproved().that(words), &own)?.send()?.refused(whys)
        });
    }
    cases.at(
        &super::PROVED_DOORS,
        (
            "applications-alike",
            "A refusal of an application that exists is that of one that does not, byte for byte",
        ),
        "contract 6",
        |attempt| {
            let own = honest(attempt)?;
            let ask = |id: &str| attempt.ask()?.unproved().header("Authorization", basic(id, "wrong")).send();
            let (known, unknown) = (ask(own.id)?, ask("app_nosuchapplication")?);
            known.refused(UNPROVED)?;
            alike(&known, &unknown)
        },
    );
    cases.at(&super::PROVED_DOORS, ("disabled-application-alike", "A refusal of an application that is switched off is that of one that does not exist, byte for byte"), "contract 6", |attempt| {
        let own = honest(attempt)?;
        let off = attempt.world.application(ApplicationRole::Disabled)?;
        let ask = |id: &str, secret: &str| {
            attempt.ask()?.unproved().header("Authorization", basic(id, secret)).send()
        };
        let known = ask(&off.id, off.secret.as_deref().unwrap_or_default())?;
        known.refused(UNPROVED)?;
        alike(&known, &ask("app_nosuchapplication", own.secret)?)
    });
    cases.at(
        &super::PROVED_DOORS,
        ("challenge", "A refused proof is answered with a challenge and never with a redirect"),
        "RFC 6749 5.2; RFC 9110 15.5.2",
        |attempt| {
            let own = honest(attempt)?;
            let answer = attempt.ask()?.unproved().header("Authorization", basic(own.id, "wrong")).send()?;
            answer.refused(UNPROVED)?;
            match answer.header("www-authenticate") {
                Some(challenge) if challenge.to_ascii_lowercase().starts_with("basic") => Ok(()),
                _ => Err(Stop::fail(
                    &answer.sent,
                    format_args!("{} without a challenge for Basic", answer.told()),
                )),
            }
        },
    );
    cases.at(
        &Door::FOR_CONTACTS,
        ("untrusted-application", "An application that is not trusted gets no token for a contact"),
        "contract 1",
        |attempt| {
            honest(attempt)?;
            let ask = attempt.ask_as(ApplicationRole::Untrusted)?;
            ask.send()?.refused(&[Why::Unauthorized, Why::Grant])
        },
    );
    cases.at(
        &Door::FOR_CONTACTS,
        ("other-application", "Another partner's application gets no token for this one's contact"),
        "contract 1",
        |attempt| {
            honest(attempt)?;
            attempt.ask_as(ApplicationRole::Other)?.send()?.refused(&[Why::Grant, Why::Unauthorized])
        },
    );
    fapi2(cases);
}

fn fapi2(cases: &mut Cases) {
    let doors = &super::TOKEN_DOORS;
    cases.at(
        doors,
        ("fapi2-secret", "An application of the strict profile can't prove itself by a secret"),
        "FAPI 2.0 5.3.2.1",
        |attempt| {
            let role = ApplicationRole::Fapi2;
            attempt.ask_as(role)?.send()?.granted()?;
            let application = attempt.world.application(role)?;
            let secret = application.secret.as_deref().unwrap_or("secret");
            let ask = attempt.ask_as(role)?.unproved();
            ask.header("Authorization", basic(&application.id, secret)).send()?.refused(UNPROVED)
        },
    );
    cases.at(
        doors,
        ("fapi2-unbound", "An application of the strict profile gets no token that is not bound"),
        "FAPI 2.0 5.3.2.1",
        |attempt| {
            let role = ApplicationRole::Fapi2;
            let grant = attempt.ask_as(role)?.send()?.granted()?;
            let says = attempt.says(&grant)?;
            if !says.claims["cnf"].is_object() {
                return Err(Stop::fail(&grant.sent, "a token that is bound to nothing"));
            }
            let answer = attempt.ask_as(role)?.unbound().without_certificate().send()?;
            answer.refused(&[Why::Proof, Why::Client, Why::Request])
        },
    );
    cases.at(
        doors,
        ("fapi2-rs256", "An application of the strict profile can't sign with RS256"),
        "FAPI 2.0 5.4.1",
        |attempt| {
            let role = ApplicationRole::Fapi2;
            attempt.ask_as(role)?.send()?.granted()?;
            if attempt.world.application(role)?.method != Method::PrivateKeyJwt {
                return Err(Stop::skip("`applications.fapi2` does not sign assertions"));
            }
            let rsa = attempt.world.strangers.rsa.with_algorithm(procura_jose::Algorithm::Rs256);
            let rsa = rsa.ok_or_else(|| Stop::skip("the suite's RSA key can't sign with RS256"))?;
            let jwt = attempt.client_assertion(role)?.head("alg", "RS256".into()).signed(&rsa);
            let ask = attempt.ask_as(role)?.unproved().with("client_assertion_type", CLIENT_ASSERTION_TYPE);
            ask.with("client_assertion", jwt).send()?.refused(MALFORMED)
        },
    );
    cases.at(
        doors,
        (
            "fapi2-aud-endpoint",
            "An assertion of the strict profile is for the issuer and not for an endpoint",
        ),
        "FAPI 2.0 5.3.2.1",
        |attempt| {
            let role = ApplicationRole::Fapi2;
            attempt.ask_as(role)?.send()?.granted()?;
            let url = attempt.ask_as(role)?.url();
            let jwt =
                attempt.client_assertion(role)?.claim("aud", url.into()).signed(attempt.world.key(role)?);
            let ask = attempt.ask_as(role)?.unproved().with("client_assertion_type", CLIENT_ASSERTION_TYPE);
            ask.with("client_assertion", jwt).send()?.refused(MALFORMED)
        },
    );
}

/// Shows that the honest request is served; whose secret it is.
fn honest<'w>(attempt: &Attempt<'w>) -> Result<Secret<'w>, Stop> {
    let answer = attempt.ask()?.send()?;
    match attempt.door {
        Door::Introspection => answer.active().map(|_| ())?,
        Door::Revocation => answer.let_through()?,
        _ => answer.granted().map(|_| ())?,
    }
    let role = match attempt.door {
        Door::Introspection | Door::Revocation => attempt.somewhere()?.1,
        _ => attempt.role(),
    };
    let application = attempt.world.application(role)?;
    let secret = application.secret.as_deref();
    let secret = secret.ok_or_else(|| Stop::skip(format_args!("`applications.{role}` has no `secret`")))?;
    Ok(Secret { id: &application.id, secret })
}

fn alike(known: &Answer<'_>, unknown: &Answer<'_>) -> Verdict {
    if known.looks() == unknown.looks() {
        return Ok(());
    }
    Err(Stop::fail(&known.sent, format_args!("{}, and for an unknown one {}", known.told(), unknown.told())))
}
