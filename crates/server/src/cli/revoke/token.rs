//! `procura revoke token`: one token, by what is known of it.

use std::io::Read as _;

use clap::{ArgMatches, Args, Command};
use procura_engine::token_id::access_token_jti;
use procura_jose::{Algorithm, Expect, JwtError, MAX_TOKEN_BYTES, verify_jwt};
use procura_protocol::access_token::AccessToken;
use procura_protocol::ids::ApplicationId;
use procura_protocol::time::UnixSeconds;
use procura_storage::keys::published;
use procura_store::administration::{Administration as _, Fact, Revocation, Revoke, TokenToRevoke};
use procura_store::change::Entity;
use procura_store::journal::Record;
use procura_store::records::RandomId;
use serde_json::json;
use zeroize::Zeroizing;

use super::super::{arguments, audit};
use super::Shared;
use crate::exit::{Failure, Outcome};
use crate::wiring::Desk;

#[derive(Debug, Args)]
struct Arguments {
    /// The `jti` of the token, or of the ID token that came with it; `-` reads the access token itself
    /// from standard input
    #[arg(
        value_name = "JTI",
        allow_hyphen_values = true,
        required_unless_present = "reference",
        conflicts_with = "reference"
    )]
    token: Option<String>,
    /// The Procura-Reference of the answer that it came in
    #[arg(long, value_name = "REFERENCE", value_parser = audit::reference, allow_hyphen_values = true)]
    reference: Option<RandomId>,
    #[command(flatten)]
    shared: Shared,
}

pub(super) fn command() -> Command {
    Arguments::augment_args(Command::new("token"))
        .about("One token: by its jti, by the reference of its answer, or itself")
        .after_long_help(
            "A token is never an argument, where everybody on this host could read it: give it on standard \
             input. It is verified first, with the keys of this installation.\n\n\
             Examples:\n  \
             procura revoke token --reference 3q2-7wAAAAAAAAAAAAAAAA --data DIR\n  \
             procura revoke token - --data DIR < token.txt\n  \
             procura revoke token 7Y5mVZ0cH1xXkq2p9bTnGA --data DIR",
        )
}

/// What is known of the token.
struct Known {
    told: String,
    ids: Vec<RandomId>,
    application: Option<ApplicationId>,
    expires_at: Option<UnixSeconds>,
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let Arguments { token, reference, shared } = arguments(matches)?;
    let id = token.as_deref().filter(|text| *text != "-").map(id).transpose()?;
    let desk = Desk::open(&shared.place)?;
    let known = match (id, reference) {
        (_, Some(reference)) => issued_with(&desk, &shared, reference)?,
        (Some(id), None) => Known {
            told: id.to_string(),
            // Its own, if it is the access token's; else the one that follows from it.
            ids: vec![id, access_token_jti(id)],
            application: None,
            expires_at: None,
        },
        (None, None) => on_standard_input(&desk)?,
    };
    mark(&desk, &shared, &known)
}

fn mark(desk: &Desk, shared: &Shared, known: &Known) -> Outcome {
    let revocation = Revocation::Token(TokenToRevoke {
        ids: known.ids.iter().map(|id| id.to_string().into()).collect(),
        application: known.application.clone(),
        expires_at: known.expires_at,
        most_of_application: desk.most_token_marks(),
    });
    let context = desk.context(shared.reason.clone());
    let is_over = known.expires_at.filter(|expires_at| *expires_at <= context.at.seconds());
    let told = &known.told;
    let (result, version, text) = match desk.wait(desk.store().revoke(context, revocation))? {
        Revoke::Marked(version) => (
            "revoked",
            Some(version.0),
            format!(
                "token {told}: revoked; another can be asked for as before\nto keep that from happening: `disable` \
                 of its trust, application or contact"
            ),
        ),
        Revoke::MarkedApplication(version) => (
            "application revoked",
            Some(version.0),
            format!(
                "token {told}: revoked, and with it every token of its application that was issued before: it has \
                 more marks than [limits] token_marks_per_application allows"
            ),
        ),
        Revoke::NothingToMark | Revoke::NotFound => match is_over {
            Some(at) => {
                ("expired", None, format!("token {told}: it expired at {at}; there is nothing to revoke"))
            }
            None => ("unchanged", None, format!("token {told}: it is revoked already")),
        },
    };
    if version.is_some() {
        desk.record_changes();
    }
    let value = json!({
        "kind": "token",
        "jti": known.ids.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "application_id": known.application.as_ref().map(ToString::to_string),
        "expires_at": known.expires_at.map(|at| at.to_string()),
        "version": version,
        "result": result,
    });
    shared.json.form().print(&text, &value)
}

/// The token that was issued in the answer with that reference.
fn issued_with(desk: &Desk, shared: &Shared, reference: RandomId) -> Result<Known, Failure> {
    let (_, record) = audit::find(&shared.place, reference)?;
    let (jti_seed, application, expires_at) = match record {
        Record::Issued(issued) => (issued.id_token_jti, issued.application, issued.expires_at),
        Record::OwnIssued(issued) => (issued.jti_seed, issued.application, issued.expires_at),
        _ => {
            let why = format_args!("the answer {reference} was a refusal: it held no token");
            return Err(Failure::refused(why));
        }
    };
    let names = desk.wait(desk.store().names_of(vec![(Entity::Application, application.0)]))?;
    let name = names.into_iter().next().flatten();
    Ok(Known {
        told: format!("of {reference}"),
        ids: vec![access_token_jti(jti_seed)],
        application: name.and_then(|id| ApplicationId::parse(&id).ok()),
        expires_at: Some(expires_at),
    })
}

/// The token itself. Nothing of it is repeated but its id.
fn on_standard_input(desk: &Desk) -> Result<Known, Failure> {
    let mut text = Zeroizing::new(String::new());
    let most = MAX_TOKEN_BYTES as u64 + 16;
    std::io::stdin().lock().take(most).read_to_string(&mut text).map_err(|error| {
        Failure::unavailable(format_args!("standard input can't be read as text: {error}"))
    })?;
    let keys = published(&desk.wait(desk.store().keys())?);
    let expect = Expect { typ: "at+jwt", algorithms: &Algorithm::ALL };
    let verified = verify_jwt::<AccessToken>(text.trim(), &keys, &expect).map_err(|error| match error {
        JwtError::Type => Failure::refused(
            "that is no access token; of an ID token give the jti: `procura revoke token JTI`",
        ),
        JwtError::KidUnknown => Failure::refused(
            "no key of this installation that is still published signed that token: it is of another server, \
             or what it was signed with is out, and it with it",
        ),
        other => Failure::refused(format_args!("that is no token of this installation: {other}")),
    })?;
    let token = verified.into_claims();
    let issuer = desk.wait(desk.store().fact(Fact::Issuer))?;
    if issuer.as_deref().is_some_and(|issuer| issuer != &*token.issuer) {
        return Err(Failure::refused("that token names another issuer than this installation has now"));
    }
    let id = RandomId::parse(&token.id).map_err(|_| Failure::refused("that token's jti is none of ours"))?;
    Ok(Known {
        told: id.to_string(),
        ids: vec![id],
        application: Some(token.application),
        expires_at: Some(token.expires_at),
    })
}

/// What is no id is not repeated: it may be the token itself.
fn id(text: &str) -> Result<RandomId, Failure> {
    RandomId::parse(text).map_err(|_| {
        Failure::usage("say the 22 characters of a jti, or - to read the token itself from standard input")
    })
}
