//! What holds of every case.

use std::collections::BTreeSet;

use procura_adversary::adapter::{
    ApplicationRole, CertificateRole, ChangeName, ClientRole, ContactRole, Door, ResourceRole,
};
use procura_adversary::cases;

const PAGE: &str = include_str!("../../../docs/adversary.md");

#[test]
fn there_are_some_2600_cases_as_pages_and_help_say() {
    let all = cases::all();
    assert!((2_550..2_650).contains(&all.len()), "{}", all.len());
    assert!(PAGE.contains("some 2,600 cases"));
    let attacks: BTreeSet<&str> =
        all.iter().filter_map(|case| case.id.rsplit_once("-at-").map(|(attack, _)| attack)).collect();
    assert!(attacks.len() >= 110, "{}", attacks.len());
}

#[test]
fn no_two_cases_have_the_same_id_and_every_id_is_in_kebab_case() {
    let mut seen = BTreeSet::new();
    for case in cases::all() {
        let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(case.id.chars().all(kebab), "{}", case.id);
        assert!(!case.id.contains("--") && !case.id.starts_with('-'), "{}", case.id);
        assert!(case.id.ends_with(&format!("-at-{}", case.door.suffix())), "{}", case.id);
        assert!(seen.insert(case.id.clone()), "{} is there twice", case.id);
    }
}

#[test]
fn every_case_says_what_must_hold_and_what_that_rests_on() {
    for case in cases::all() {
        assert!(case.title.chars().next().is_some_and(|first| !first.is_lowercase()), "{}", case.id);
        assert!(!case.title.ends_with('.') && !case.title.contains('\n'), "{}", case.id);
        for part in case.source.split("; ") {
            let known = ["RFC ", "contract ", "CVE-", "OpenID Connect ", "FAPI ", "draft-ietf-"];
            assert!(known.iter().any(|beginning| part.starts_with(beginning)), "{}: {part}", case.id);
        }
    }
}

#[test]
fn the_page_names_every_door_part_and_change() {
    let mut names: Vec<&str> = Door::ALL.iter().map(|door| door.name()).collect();
    names.extend(ApplicationRole::ALL.iter().map(|role| role.name()));
    names.extend(ContactRole::ALL.iter().map(|role| role.name()));
    names.extend(ClientRole::ALL.iter().map(|role| role.name()));
    names.extend(ResourceRole::ALL.iter().map(|role| role.name()));
    names.extend(CertificateRole::ALL.iter().map(|role| role.name()));
    names.extend(ChangeName::ALL.iter().map(|name| name.name()));
    for name in names {
        assert!(PAGE.contains(&format!("`{name}`")), "`{name}` is not on the page");
    }
}
