//! What a token costs at each door: the standard grants beside `/token/{contact_id}`, and tokens that are bound to
//! a key. What checking such a token costs is measured with the guard.
//!
//! Each door is held against the sum of what it can't do without, measured in the same run: an answer of the same
//! size to the same request, the signatures that it verifies, those that it makes, the records that it waits for,
//! and a mark for a proof that is used up.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use procura_jose::{Algorithm, PrivateKey};
use serde_json::{Value, json};

use super::figures::Figures;
use super::load::write_private;
use super::parts::{self, Axum, floor, number};
use super::store::{APPLICATION, Size, Store};
use super::tls::{Way, cost};
use super::{Bench, median};
use crate::procura::ISSUER;
use crate::steps::Failure;
use crate::wire::basic;

const LIMITS: &str = "\n[limits]\nrequests_per_address_per_minute = 0\nrequests_per_application_per_minute = 0\n\
                      contacts_per_application_per_hour = 0\n";

/// What a door can't do without.
struct Needs {
    /// Bytes of the answer.
    bytes: usize,
    verifications: f64,
    signatures: f64,
    records: f64,
    marks: f64,
}

/// A door, and who knocks.
struct Knock {
    figures: [&'static str; 3],
    plan: PathBuf,
    needs: Needs,
    /// The application's tokens are bound to a key: measured once it is registered so.
    proves: bool,
}

const OWN: Needs = Needs { bytes: 600, verifications: 0.0, signatures: 1.0, records: 1.0, marks: 0.0 };
const GRANT: Needs = Needs { bytes: 1400, verifications: 1.0, signatures: 2.0, records: 2.0, marks: 0.0 };
const EXCHANGE: Needs = Needs { bytes: 1000, signatures: 1.0, ..GRANT };
const BOUND: Needs = Needs { bytes: 1500, records: 1.0, marks: 1.0, ..GRANT };

const EXCHANGE_FORM: &str = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&\
                             subject_token_type=urn:ietf:params:oauth:token-type:jwt";

/// Of each door, by a secret and by an assertion: the figures of its parts, of itself, and of the share.
const FIGURES: [[[&str; 3]; 2]; 5] = [
    [
        ["own_token_parts_cpu_us", "own_token_cpu_us", "own_token_share"],
        ["own_token_by_key_parts_cpu_us", "own_token_by_key_cpu_us", "own_token_by_key_share"],
    ],
    [
        ["jwt_bearer_parts_cpu_us", "jwt_bearer_cpu_us", "jwt_bearer_share"],
        ["jwt_bearer_by_key_parts_cpu_us", "jwt_bearer_by_key_cpu_us", "jwt_bearer_by_key_share"],
    ],
    [
        ["token_exchange_parts_cpu_us", "token_exchange_cpu_us", "token_exchange_share"],
        ["token_exchange_by_key_parts_cpu_us", "token_exchange_by_key_cpu_us", "token_exchange_by_key_share"],
    ],
    [
        ["token_exchange_openid_parts_cpu_us", "token_exchange_openid_cpu_us", "token_exchange_openid_share"],
        [
            "token_exchange_openid_by_key_parts_cpu_us",
            "token_exchange_openid_by_key_cpu_us",
            "token_exchange_openid_by_key_share",
        ],
    ],
    [
        ["dpop_token_parts_cpu_us", "dpop_token_cpu_us", "dpop_token_share"],
        ["dpop_token_by_key_parts_cpu_us", "dpop_token_by_key_cpu_us", "dpop_token_by_key_share"],
    ],
];

/// The table that `cargo xtask bench --doors` prints.
pub(super) fn measure(bench: &Bench, figures: &mut Figures) -> Result<(), Failure> {
    let files = bench.folder.path().join("doors");
    fs::create_dir_all(&files).map_err(|error| Failure::wrong(format!("{}: {error}", files.display())))?;
    let store = Store::make_with(bench, "doors-store", Size::USUAL, LIMITS)?;
    let methods = ["--auth-methods", "client_secret_basic private_key_jwt"];
    store.procura.call(&["application", "update", APPLICATION, methods[0], methods[1]])?;
    let knocks = knocks(&store, &files)?;
    let rounds = if bench.short { 1 } else { 3 };
    let mut told: Vec<Vec<(f64, f64)>> = knocks.iter().map(|_| Vec::new()).collect();
    let mut part = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for proves in [false, true] {
        if proves {
            store.procura.call(&[
                "application",
                "update",
                APPLICATION,
                "--dpop-bound-access-tokens",
                "true",
            ])?;
        }
        let mut server = store.procura.serve(Some(&bench.cores.server))?;
        if proves {
            // What a server on a folder in use asks a nonce for: proofs of its first ten seconds, and of before.
            std::thread::sleep(PROOFS_WITHOUT_NONCE_FROM);
        }
        for round in 1..=rounds {
            let before = parts::written(bench, &store.procura.data())?;
            for (at, knock) in knocks.iter().enumerate().filter(|(_, knock)| knock.proves == proves) {
                let ours = cost(bench, &Way::plain(server.address(), &knock.plan), server.pid())?;
                let mut axum = Axum::start(bench, knock.needs.bytes)?;
                let answer = cost(bench, &Way::plain(axum.address, &knock.plan), axum.pid())?;
                eprintln!("run {round}, {}: {ours:.1}, and an answer {answer:.1}", knock.figures[1]);
                told[at].push((ours, answer));
            }
            let after = parts::written(bench, &store.procura.data())?;
            let batch = (after.records - before.records) / (after.batches - before.batches).max(1.0);
            let measured = [
                parts::es256(bench)?,
                verification(bench)?,
                parts::journal(bench, batch as u64)?.cpu_us,
                number(&floor(bench, &["replay"])?, "cpu_us")?,
            ];
            part.iter_mut().zip(measured).for_each(|(all, one)| all.push(one));
        }
        server.stop()?;
    }
    let [signature, verification, record, mark] = part.map(median);
    figures.set("door_signature_cpu_us", signature);
    figures.set("door_verification_cpu_us", verification);
    figures.set("door_record_cpu_us", record);
    figures.set("door_mark_cpu_us", mark);
    for (knock, told) in knocks.iter().zip(told) {
        let (ours, answers): (Vec<f64>, Vec<f64>) = told.into_iter().unzip();
        let (ours, answer, needs) = (median(ours), median(answers), &knock.needs);
        let sum = answer
            + needs.verifications * verification
            + needs.signatures * signature
            + needs.records * record
            + needs.marks * mark;
        let values = [sum, ours, sum / ours];
        knock.figures.iter().zip(values).for_each(|(name, value)| figures.set(name, value));
    }
    Ok(())
}

fn verification(bench: &Bench) -> Result<f64, Failure> {
    let tokens = if bench.short { "500" } else { "2000" };
    number(&floor(bench, &["guard", "--tokens", tokens, "--rounds", "3"])?, "raw_verify_us")
}

/// Longer than a proof may be ahead (contract, chapter 5).
const PROOFS_WITHOUT_NONCE_FROM: Duration = Duration::from_secs(12);

/// Every door by a secret and by an assertion.
fn knocks(store: &Store, files: &Path) -> Result<Vec<Knock>, Failure> {
    let key_file = made_key(files, "assertion")?;
    let jwk_file = files.join("assertion.jwk");
    store.procura.call(&["application", "key", "add", APPLICATION, &jwk_file.to_string_lossy()])?;
    let proof_key = made_key(files, "proof")?;
    let by = json!({ "application_id": APPLICATION, "audience": ISSUER, "key_file": key_file });
    let contacts: Vec<String> = store.asked().collect();
    let grant = |parameter: &str| {
        let mut grant = by.clone();
        (grant["parameter"], grant["contacts"]) = (json!(parameter), json!(contacts));
        grant
    };
    let standard = |form: &str| json!({ "paths": ["/token"], "form": form });
    let granted = |form: &str, parameter: &str| {
        let mut plan = standard(form);
        plan["grant"] = grant(parameter);
        plan
    };
    let openid = format!("{EXCHANGE_FORM}&scope=openid");
    let paths: Vec<String> = contacts.iter().map(|contact| format!("/token/{contact}")).collect();
    let proof = json!({ "base_url": ISSUER, "key_file": proof_key });
    let doors = [
        (standard("grant_type=client_credentials"), OWN),
        (granted("grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion"), GRANT),
        (granted(EXCHANGE_FORM, "subject_token"), EXCHANGE),
        (granted(&openid, "subject_token"), GRANT),
        (json!({ "paths": paths, "proof": proof }), BOUND),
    ];
    let authorization = basic(APPLICATION, &store.secret);
    let mut knocks = Vec::new();
    for ([by_secret, by_key], (plan, needs)) in FIGURES.into_iter().zip(doors) {
        let with =
            |figures: [&'static str; 3], (member, value): (&str, &Value), needs| -> Result<Knock, Failure> {
                let mut asked = plan.clone();
                asked[member] = value.clone();
                let file = files.join(format!("{}.json", figures[1]));
                write_private(&file, asked.to_string().as_bytes())?;
                Ok(Knock { figures, plan: file, needs, proves: !asked["proof"].is_null() })
            };
        let (verifications, records) = (needs.verifications + 1.0, needs.records + 1.0);
        let beside = Needs { verifications, records, ..needs };
        knocks.push(with(by_secret, ("authorization", &json!(authorization)), needs)?);
        knocks.push(with(by_key, ("assertion", &by), beside)?);
    }
    Ok(knocks)
}

/// A key of which both halves are in files; the private one.
fn made_key(files: &Path, name: &str) -> Result<PathBuf, Failure> {
    let (key, pkcs8) =
        PrivateKey::generate(Algorithm::Es256).map_err(|error| Failure::wrong(error.to_string()))?;
    let file = files.join(format!("{name}.der"));
    write_private(&file, pkcs8.expose())?;
    let jwk = serde_json::to_vec(&key.public_jwk()).unwrap_or_default();
    write_private(&files.join(format!("{name}.jwk")), &jwk)?;
    Ok(file)
}
