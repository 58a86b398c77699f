//! The language-neutral vectors of `tests/vectors/`: what must become of a request at a guard.
//!
//! [`Case`]s are written here, a file per group, each changing one thing from a valid one. The file on
//! disk holds them with their tokens, for verifiers in every language; its format is described in
//! `tests/vectors/README.md`.
//!
//! # How to add the next case
//!
//! Put it into the file of its group in `groups/` and run `cargo xtask vectors`. Keys, and tokens whose
//! recipe is as it was, stay: only what is new is signed.

mod case;
mod certificates;
mod der;
mod groups;
mod keys;
mod maker;
mod numbers;
mod recipe;

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use crate::steps::{Failure, Verdict};
use crate::workspace::Workspace;
use case::{AUDIENCE, Case, ISSUER, LEEWAY, NOW};
use keys::Keys;
use maker::Maker;

/// Fewer refused cases than this are too few.
const REFUSED_AT_LEAST: usize = 150;

/// The members that hold cases.
const LISTS: [&str; 2] = ["cases", "cut_off"];

const ABOUT: &str = "What a guard must answer. Made by cargo xtask vectors; tests/vectors/README.md describes it. \
     The private keys were made for this file alone: never trust them.";

/// Writes the vectors, or with `check` only looks whether they are fresh.
pub(crate) fn run(workspace: &Workspace, check: bool) -> Verdict {
    let place = place(workspace.root());
    let old = read(&place)?;
    let text = generate(&old)?;
    let new = parse(&text)?;
    let said = judge(&new)?;
    match (old == new, check) {
        (true, _) => Ok(format!("{said}; fresh")),
        (false, true) => Err(stale(&old, &new)),
        (false, false) => {
            fs::write(&place, text)
                .map_err(|error| Failure::wrong(format!("{} can't be written: {error}", place.display())))?;
            Ok(format!("{said}; written"))
        }
    }
}

fn place(root: &Path) -> PathBuf {
    root.join("tests/vectors/guard.json")
}

/// What is on disk; nothing, if there is no file.
fn read(place: &Path) -> Result<Value, Failure> {
    let broken =
        |error: &dyn std::fmt::Display| Failure::wrong(format!("{} can't be read: {error}", place.display()));
    match fs::read(place) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| broken(&error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Value::Null),
        Err(error) => Err(broken(&error)),
    }
}

/// The whole document, with the keys and the signatures of `old`.
fn generate(old: &Value) -> Result<String, Failure> {
    let keys = Keys::of(old)?;
    let mut maker = Maker::of(&keys, old);
    let cases = with_tokens(groups::cases(&keys), &mut maker)?;
    let cut_off = with_tokens(groups::cut_off(&keys), &mut maker)?;
    let members = [
        ("about", json!(ABOUT).to_string()),
        ("issuer", json!(ISSUER).to_string()),
        ("audience", json!(AUDIENCE).to_string()),
        ("realm", json!(AUDIENCE).to_string()),
        ("now", NOW.to_string()),
        ("leeway", LEEWAY.to_string()),
        ("algorithms", json!(["ES256", "RS256", "PS256", "EdDSA"]).to_string()),
        ("jwks", format!("{{\"keys\": [\n{}\n]}}", lines(keys.published())?)),
        ("private_keys", object(keys.private()?)),
        ("certificates", object(keys.certificates.members())),
        ("cases", format!("[\n{}\n]", lines(cases)?)),
        ("cut_off", format!("[\n{}\n]", lines(cut_off)?)),
    ];
    Ok(object(members.map(|(name, text)| (name, text))) + "\n")
}

fn parse(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::wrong(format!("the vectors are no JSON: {error}")))
}

fn with_tokens(mut cases: Vec<Case>, maker: &mut Maker<'_>) -> Result<Vec<Case>, Failure> {
    for case in &mut cases {
        if let Some(recipe) = &case.recipe {
            case.token = Some(maker.make(recipe)?);
        }
    }
    Ok(cases)
}

/// What holds of the vectors whatever the cases are.
fn judge(document: &Value) -> Verdict {
    let [cases, cut_off] = LISTS.map(|list| document[list].as_array().map_or(&[][..], Vec::as_slice));
    let mut names = HashSet::new();
    let mut questions = HashSet::new();
    for case in cases.iter().chain(cut_off) {
        let name = case["name"].as_str().unwrap_or_default();
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || !name.bytes().all(letters) {
            return Err(Failure::wrong(format!("{name:?} is no name of a case")));
        }
        let asked = ["token", "request", "route", "marks", "state"].map(|member| case[member].to_string());
        if !names.insert(name) || !questions.insert(asked) {
            return Err(Failure::wrong(format!(
                "{name} is the name of two cases, or asks what another asks"
            )));
        }
    }
    let refused = cases.iter().filter(|case| case["answer"]["status"] != 200).count();
    if refused < REFUSED_AT_LEAST {
        return Err(Failure::wrong(format!("{refused} cases are refused; {REFUSED_AT_LEAST} are needed")));
    }
    let (cases, cut_off) = (cases.len(), cut_off.len());
    Ok(format!("{cases} cases, {refused} of them refused, and {cut_off} at a guard that is cut off"))
}

/// Names the first case that is not as it should be.
fn stale(old: &Value, new: &Value) -> Failure {
    let changed = LISTS.iter().flat_map(|list| {
        let old = old[list].as_array().cloned().unwrap_or_default();
        let new = new[list].as_array().into_iter().flatten();
        new.filter(move |case| !old.contains(case)).map(|case| case["name"].to_string())
    });
    let first = changed.take(1).next().unwrap_or_else(|| "something beside the cases".to_owned());
    Failure::wrong(format!("tests/vectors/guard.json is stale: {first}; run cargo xtask vectors"))
}

/// A line for each, so that changes are read by line.
fn lines<T: Serialize>(items: impl IntoIterator<Item = T>) -> Result<String, Failure> {
    let lines: Result<Vec<String>, _> = items.into_iter().map(|item| serde_json::to_string(&item)).collect();
    lines.map(|lines| lines.join(",\n")).map_err(|error| Failure::wrong(error.to_string()))
}

/// A line for each member, whose values are JSON already.
fn object<N: Serialize, V: fmt::Display>(members: impl IntoIterator<Item = (N, V)>) -> String {
    let lines: Vec<String> =
        members.into_iter().map(|(name, value)| format!("{}: {value}", json!(name))).collect();
    format!("{{\n{}\n}}", lines.join(",\n"))
}

#[cfg(test)]
mod tests {
    use procura_jose::{Algorithm, Expect, Jwks, verify_jwt};

    use super::*;

    fn root() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
    }

    #[test]
    fn the_vectors_on_disk_are_what_the_recipes_give() {
        let old = read(&place(root())).unwrap();
        let new = parse(&generate(&old).unwrap()).unwrap();
        judge(&new).unwrap();
        assert!(old == new, "{}", stale(&old, &new));
    }

    #[test]
    fn whatever_is_changed_by_hand_makes_them_stale() {
        let whole = read(&place(root())).unwrap();
        let changes: [(&str, Value); 7] = [
            ("/cases/0/token", json!("eyJ.eyJ.AAAA")),
            ("/cases/0/answer/status", json!(401)),
            ("/cases/0/recipe/claims/dv", json!(64)),
            ("/cases/0/name", json!("another")),
            ("/now", json!(0)),
            ("/jwks/keys/0/kid", json!("another")),
            ("/certificates/caller/x5t#S256", json!("another")),
        ];
        for (place, value) in changes {
            let mut old = whole.clone();
            *old.pointer_mut(place).unwrap() = value;
            let new = parse(&generate(&old).unwrap()).unwrap();
            assert!(old != new, "{place}");
        }
    }

    #[test]
    fn a_signature_that_does_not_verify_is_not_kept() {
        let mut old = read(&place(root())).unwrap();
        let token = old.pointer("/cases/0/token").unwrap().as_str().unwrap().to_owned();
        let (shown, _) = token.rsplit_once('.').unwrap();
        for case in old["cases"].as_array_mut().unwrap() {
            if case["token"] == token.as_str() {
                case["token"] = json!(format!("{shown}.{}", "A".repeat(86)));
            }
        }
        let new = parse(&generate(&old).unwrap()).unwrap();
        assert!(!new.pointer("/cases/0/token").unwrap().as_str().unwrap().ends_with("AAAAAA"));
    }

    #[test]
    fn keys_and_tokens_are_made_where_there_are_none() {
        let old = read(&place(root())).unwrap();
        let new = parse(&generate(&Value::Null).unwrap()).unwrap();
        judge(&new).unwrap();
        assert_ne!(old["jwks"], new["jwks"]);
        assert_ne!(old["cases"][0]["token"], new["cases"][0]["token"]);
    }

    #[test]
    fn two_cases_of_one_name_or_one_question_are_found() {
        let mut document = read(&place(root())).unwrap();
        let cases = document["cases"].as_array_mut().unwrap();
        let mut again = cases[0].clone();
        again["name"] = json!("the_same_under_another_name");
        cases.push(again);
        assert!(judge(&document).unwrap_err().to_string().starts_with("the_same_under_another_name"));

        let cases = document["cases"].as_array_mut().unwrap();
        cases.pop();
        let mut again = cases[0].clone();
        again["marks"] = json!([{ "kind": "all", "ids": [], "version": 1000 }]);
        cases.push(again);
        assert!(judge(&document).is_err());
    }

    /// Whether a verifier of signatures alone would let a case's token pass.
    fn verifies(document: &Value, case: &Value) -> bool {
        let keys: Jwks = serde_json::from_value(document["jwks"].clone()).unwrap();
        let all = [Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa];
        let expect = Expect { typ: "at+jwt", algorithms: &all };
        verify_jwt::<Value>(case["token"].as_str().unwrap(), &keys, &expect).is_ok()
    }

    #[test]
    fn each_case_is_wrong_in_what_its_group_says_and_in_nothing_before_it() {
        let document = read(&place(root())).unwrap();
        for case in document["cases"].as_array().unwrap() {
            if case["token"].is_null() {
                continue;
            }
            let forged = ["text", "header", "algorithm", "signature", "repeated"];
            let signed = [
                "accepted",
                "issuer",
                "audience",
                "act",
                "cnf",
                "presence",
                "mandates",
                "permissions",
                "authorization",
                "query",
                "marks",
            ];
            let (group, verifies) = (case["group"].as_str().unwrap(), verifies(&document, case));
            if forged.contains(&group) {
                assert!(!verifies, "{case}");
            }
            if signed.contains(&group) {
                assert!(verifies, "{case}");
            }
        }
    }

    #[test]
    fn the_format_is_described() {
        let described = fs::read_to_string(root().join("tests/vectors/README.md")).unwrap();
        let document = read(&place(root())).unwrap();
        let case =
            document["cases"].as_array().unwrap().iter().chain(document["cut_off"].as_array().unwrap());
        let recipes = case.clone().filter_map(|case| case["recipe"].as_object());
        let members =
            document.as_object().into_iter().chain(case.filter_map(Value::as_object)).chain(recipes);
        let names: HashSet<&String> = members.flat_map(|object| object.keys()).collect();
        for name in names {
            assert!(described.contains(&format!("`{name}`")), "{name} is not described");
        }
    }
}
