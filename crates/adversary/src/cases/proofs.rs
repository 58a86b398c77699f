//! Proofs of possession at the doors (RFC 9449): how many, whose, and for what.

use serde_json::json;

use super::slots::Slot;
use crate::adapter::{ApplicationRole, Door};
use crate::answer::Why;
use crate::case::{Cases, Stop};

const PROOF: &[Why] = &[Why::Proof, Why::Request];

pub(super) fn add(cases: &mut Cases) {
    cases.at(
        Slot::Proof.doors(),
        (
            "proof-replayed-with-an-invented-nonce",
            "A nonce that the server never gave makes no used proof new",
        ),
        "RFC 9449 8, 11.1",
        |attempt| {
            let honest = Slot::Proof.honest(attempt)?;
            Slot::Proof.show(attempt, &honest.token)?.granted()?;
            let key = attempt.world.proof_key(ApplicationRole::Dpop)?;
            let again = honest.jwt.claim("nonce", json!("invented")).signed(key);
            Slot::Proof.judge(attempt, &Slot::Proof.show(attempt, &again)?)
        },
    );
    let doors = &super::TOKEN_DOORS;
    let role = ApplicationRole::Dpop;
    cases.at(
        doors,
        ("proof-none", "An application whose tokens are bound gets none without a proof"),
        "RFC 9449 5.2",
        move |attempt| {
            attempt.ask_as(role)?.send()?.granted()?;
            attempt.ask_as(role)?.unbound().send()?.refused(PROOF)
        },
    );
    cases.at(doors, ("proof-empty", "An empty proof is none"), "RFC 9449 4.3", move |attempt| {
        attempt.ask_as(role)?.send()?.granted()?;
        attempt.ask_as(role)?.unbound().header("DPoP", "").send()?.refused(PROOF)
    });
    cases.at(doors, ("proof-two", "Two proofs are refused"), "RFC 9449 4.3", move |attempt| {
        let ask = attempt.ask_as(role)?;
        ask.send()?.granted()?;
        let key = attempt.world.proof_key(role)?;
        let (one, two) = (ask.dpop()?.signed(key), ask.dpop()?.signed(key));
        ask_again(attempt, role)?.header("DPoP", one).header("DPoP", two).send()?.refused(PROOF)
    });
    cases.at(
        doors,
        ("proof-two-in-one", "Two proofs in one header are refused"),
        "RFC 9449 4.3",
        move |attempt| {
            let ask = attempt.ask_as(role)?;
            ask.send()?.granted()?;
            let key = attempt.world.proof_key(role)?;
            let both = format!("{}, {}", ask.dpop()?.signed(key), ask.dpop()?.signed(key));
            ask_again(attempt, role)?.header("DPoP", both).send()?.refused(PROOF)
        },
    );
    cases.at(doors, ("proof-in-form", "A proof in the form is none"), "RFC 9449 4.1", move |attempt| {
        let ask = attempt.ask_as(role)?;
        ask.send()?.granted()?;
        let proof = ask.dpop()?.signed(attempt.world.proof_key(role)?);
        ask_again(attempt, role)?.with("DPoP", proof).send()?.refused(PROOF)
    });
    cases.at(
        doors,
        ("proof-replayed", "A proof that was used is refused"),
        "RFC 9449 11.1",
        move |attempt| {
            let ask = attempt.ask_as(role)?;
            let proof = ask.dpop()?.signed(attempt.world.proof_key(role)?);
            ask.unbound().header("DPoP", &proof).send()?.granted()?;
            ask_again(attempt, role)?.header("DPoP", &proof).send()?.refused(PROOF)
        },
    );
    cases.at(
        doors,
        (
            "proof-replayed-other-key",
            "The name of a proof that was used is free for another key, and that token is bound to that key",
        ),
        "RFC 9449 11.1, 6.1",
        move |attempt| {
            let ask = attempt.ask_as(role)?;
            let proof = ask.dpop()?;
            ask.unbound().header("DPoP", proof.signed(attempt.world.proof_key(role)?)).send()?.granted()?;
            let other = &attempt.world.strangers.ec;
            let proof = proof.head("jwk", other.bare_jwk()).signed(other);
            let answer = ask_again(attempt, role)?.header("DPoP", proof).send()?;
            answer.refused_or(PROOF, |grant| bound(attempt, &grant, &other.thumbprint()))
        },
    );
    cases.at(
        doors,
        ("proof-binds", "A token is bound to the key of the proof that it was asked with"),
        "RFC 9449 6.1",
        move |attempt| {
            let grant = attempt.ask_as(role)?.send()?.granted()?;
            bound(attempt, &grant, &attempt.world.proof_key(role)?.thumbprint())
        },
    );
    cases.at(
        doors,
        ("proof-token-type", "A token that is bound by DPoP is called so"),
        "RFC 9449 5",
        move |attempt| {
            let grant = attempt.ask_as(role)?.send()?.granted()?;
            match grant.body["token_type"].as_str() {
                Some(kind) if kind.eq_ignore_ascii_case("DPoP") => Ok(()),
                kind => Err(Stop::fail(&grant.sent, format_args!("`token_type` is {kind:?}"))),
            }
        },
    );
    cases.at(
        doors,
        ("proof-of-unregistered", "A proof by an application without DPoP is refused, or binds the token"),
        "RFC 9449 5",
        move |attempt| {
            attempt.ask()?.send()?.granted()?;
            let key = attempt.world.proof_key(role)?;
            let own = attempt.ask_as(attempt.role())?;
            let proof = crate::attempt::dpop_for(key, "POST", &own.url()).signed(key);
            let answer = own.header("DPoP", proof).send()?;
            answer.refused_or(PROOF, |grant| bound(attempt, &grant, &key.thumbprint()))
        },
    );
    cases.at(
        doors,
        ("proof-broken-of-unregistered", "A broken proof by an application without DPoP is not passed over"),
        "RFC 9449 5",
        move |attempt| {
            attempt.ask()?.send()?.granted()?;
            attempt.world.proof_key(role)?;
            attempt.ask()?.header("DPoP", "broken").send()?.refused(PROOF)
        },
    );
    let grants = [Door::JwtBearer, Door::TokenExchange];
    cases.at(
        &grants,
        ("proof-of-other-endpoint", "A proof for another endpoint of the server is refused"),
        "RFC 9449 4.3",
        move |attempt| {
            attempt.ask_as(role)?.send()?.granted()?;
            let other = attempt.there()?.ask_as(role)?;
            if other.url() == attempt.ask_as(role)?.url() {
                return Err(Stop::skip("there is one endpoint for all doors"));
            }
            let proof = other.dpop()?.signed(attempt.world.proof_key(role)?);
            ask_again(attempt, role)?.header("DPoP", proof).send()?.refused(PROOF)
        },
    );
    cases.at(
        &grants,
        ("proof-as-subject", "A proof of possession is no token that names a contact"),
        "RFC 8725 3.11",
        move |attempt| {
            Slot::Grant.control(attempt)?;
            let proof = attempt.ask_as(role)?.dpop()?.signed(attempt.world.proof_key(role)?);
            Slot::Grant.judge(attempt, &Slot::Grant.show(attempt, &proof)?)
        },
    );
    cases.at(
        &grants,
        ("subject-as-proof", "A token that names a contact is no proof of possession"),
        "RFC 8725 3.11",
        move |attempt| {
            attempt.ask_as(role)?.send()?.granted()?;
            let ask = attempt.ask_as(role)?;
            let token = ask.subject_parameter().and_then(|name| ask.value(name)).unwrap_or_default();
            ask_again(attempt, role)?.header("DPoP", token).send()?.refused(PROOF)
        },
    );
}

/// The honest request again, with no proof yet.
fn ask_again<'w>(
    attempt: &crate::attempt::Attempt<'w>,
    role: ApplicationRole,
) -> Result<crate::attempt::Ask<'w>, Stop> {
    Ok(attempt.ask_as(role)?.unbound())
}

fn bound(
    attempt: &crate::attempt::Attempt<'_>,
    grant: &crate::answer::Grant,
    thumbprint: &str,
) -> crate::case::Verdict {
    let says = attempt.says(grant)?;
    if says.claims["cnf"]["jkt"] == thumbprint {
        return Ok(());
    }
    Err(Stop::fail(&grant.sent, "a token that is not bound to the key of the proof"))
}
