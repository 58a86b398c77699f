//! Who acts for whom: `act`, `acr`, `auth_time` and `mandates`.

use serde_json::{Value, json};

use super::claims::wrong_values;
use crate::vectors::case::{Answer, Case, NOW};
use crate::vectors::keys::Keys;
use crate::vectors::recipe::Recipe;

pub(super) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = actor(keys);
    cases.extend(people(keys));
    cases.extend(mandates(keys));
    cases.extend(permissions(keys));
    cases
}

fn refused(group: &'static str, name: &str, source: &'static str, recipe: Recipe) -> Case {
    Case::new(group, name, source, recipe).answer(Answer::invalid_token())
}

fn actor(keys: &Keys) -> Vec<Case> {
    let valid = || Recipe::valid(keys);
    let mut cases = wrong_values(
        "act",
        "act",
        "RFC 8693 4.1",
        valid,
        [
            ("null", Value::Null),
            ("empty", json!({})),
            ("text", json!("app_partner1")),
            ("a_list", json!([{ "sub": "app_partner1" }])),
            ("another_application", json!({ "sub": "app_other" })),
            ("the_contact", json!({ "sub": "CON2002" })),
            ("nobody", json!({ "sub": null })),
            ("a_number", json!({ "sub": 1 })),
            ("in_capitals", json!({ "sub": "APP_PARTNER1" })),
            ("nested", json!({ "sub": "app_partner1", "act": { "sub": "app_other" } })),
            ("nested_in_itself", json!({ "sub": "app_partner1", "act": { "sub": "app_partner1" } })),
            ("with_another_member", json!({ "sub": "app_partner1", "iss": "https://attacker.example" })),
            ("nested_and_null", json!({ "sub": "app_partner1", "act": null })),
        ],
    );
    cases.extend(wrong_values(
        "act",
        "acr",
        "contract chapter 1",
        valid,
        [
            ("another", json!("urn:mace:incommon:iap:silver")),
            ("a_level", json!("1")),
            ("in_capitals", json!("URN:PROCURA:ACR:UNATTENDED")),
            ("followed_by_a_space", json!("urn:procura:acr:unattended ")),
            ("empty", json!("")),
            ("null", Value::Null),
            ("a_number", json!(0)),
            ("a_list", json!(["urn:procura:acr:unattended"])),
        ],
    ));
    cases
}

fn people(keys: &Keys) -> Vec<Case> {
    let person = || Recipe::person(keys);
    let demanded = |name, recipe| {
        Case::new("presence", name, "contract chapter 4", recipe)
            .person()
            .answer(Answer::forbidden("person_required"))
    };
    let acr = "urn:procura:acr:unattended";
    let mut cases = vec![
        demanded("nobody_there_where_a_person_is_demanded", Recipe::valid(keys)),
        demanded("nobody_there_where_a_person_with_a_permission_is_demanded", Recipe::valid(keys))
            .permission("can_trade"),
    ];
    cases.extend(
        [
            ("nobody_there_and_nobody_acts", person().claim("acr", acr)),
            (
                "nobody_there_and_signed_in",
                person().claim("acr", acr).claim("act", json!({ "sub": "app_partner1" })),
            ),
            ("neither_signed_in_nor_unattended", person().without("auth_time")),
            ("auth_time_is_text", person().claim("auth_time", NOW.to_string())),
            ("auth_time_is_null", person().claim("auth_time", Value::Null)),
        ]
        .into_iter()
        .map(|(name, recipe)| refused("presence", name, "contract chapter 1", recipe)),
    );
    cases
}

fn mandates(keys: &Keys) -> Vec<Case> {
    let reading = |clients: Value| json!([{ "clients": clients, "permissions": [] }]);
    wrong_values(
        "mandates",
        "mandates",
        "contract chapter 1",
        || Recipe::valid(keys),
        [
            ("empty", json!([])),
            ("null", Value::Null),
            ("text", json!("CLI1001")),
            ("an_object", json!({ "clients": ["CLI1001"], "permissions": [] })),
            ("a_list_of_clients", json!(["CLI1001"])),
            ("an_entry_of_null", json!([null])),
            ("an_entry_that_is_empty", json!([{}])),
            ("without_clients", json!([{ "permissions": [] }])),
            ("with_no_client", reading(json!([]))),
            (
                "with_an_entry_without_a_client",
                json!([
                    { "clients": ["CLI1001"], "permissions": [] }, { "clients": [], "permissions": ["can_trade"] },
                ]),
            ),
            ("with_clients_of_null", reading(Value::Null)),
            ("with_clients_that_are_text", reading(json!("CLI1001"))),
            ("with_clients_that_are_an_object", reading(json!({ "CLI1001": true }))),
            ("with_a_client_that_is_a_number", reading(json!(["CLI1001", 1002]))),
            ("with_a_client_that_is_null", reading(json!(["CLI1001", null]))),
            ("with_a_client_that_is_empty", reading(json!(["CLI1001", ""]))),
            ("with_a_client_that_is_a_path", reading(json!(["CLI1001", "../CLI1002"]))),
            ("with_a_client_that_is_everything", reading(json!(["CLI1001", "*"]))),
            ("with_a_client_that_is_an_application", reading(json!(["CLI1001", "app_partner1"]))),
            ("with_a_client_twice_in_one_entry", reading(json!(["CLI1001", "CLI1001"]))),
            (
                "with_a_client_twice_in_two_entries",
                json!([
                    { "clients": ["CLI1001"], "permissions": [] }, { "clients": ["CLI1001"], "permissions": ["can_trade"] },
                ]),
            ),
            (
                "with_another_client_twice",
                json!([
                    { "clients": ["CLI1001"], "permissions": [] }, { "clients": ["CLI1002", "CLI1002"], "permissions": [] },
                ]),
            ),
        ],
    )
}

fn permissions(keys: &Keys) -> Vec<Case> {
    let values: [(&str, Value); 11] = [
        ("null", Value::Null),
        ("text", json!("can_trade")),
        ("an_object", json!({ "can_trade": true })),
        ("unknown", json!(["can_fly"])),
        ("known_and_unknown", json!(["can_trade", "can_fly"])),
        ("in_capitals", json!(["CAN_TRADE"])),
        ("followed_by_a_space", json!(["can_trade "])),
        ("openid", json!(["openid"])),
        ("everything", json!(["*"])),
        ("all", json!(["all"])),
        ("numbers", json!([1023])),
    ];
    let wrong = values.into_iter().map(|(name, value)| {
        let mandates = json!([{ "clients": ["CLI1001"], "permissions": value }]);
        let recipe = Recipe::valid(keys).claim("mandates", mandates);
        refused("permissions", &format!("permissions_are_{name}"), "contract chapter 1", recipe)
    });
    let missing = Recipe::valid(keys).claim("mandates", json!([{ "clients": ["CLI1001"] }]));
    let missing = refused("permissions", "permissions_are_missing", "contract chapter 1", missing);
    wrong.chain([missing]).chain(lacking(keys)).collect()
}

fn lacking(keys: &Keys) -> Vec<Case> {
    let lacking = |name, recipe| {
        Case::new("permissions", name, "RFC 6750 3.1", recipe)
            .permission("can_manage_contacts")
            .answer(Answer::insufficient())
    };
    let valid = || Recipe::valid(keys);
    let others = json!([
        { "clients": ["CLI1001"], "permissions": ["can_trade"] },
        { "clients": ["CLI1002"], "permissions": ["can_manage_contacts"] },
    ]);
    vec![
        lacking("the_permission_is_lacking", valid()),
        lacking("there_is_no_permission_at_all", valid()).target("/quotes?client_id=CLI1002"),
        lacking("the_permission_is_for_another_client", valid().claim("mandates", others)),
        lacking("the_permission_is_in_the_scope_alone", valid().claim("scope", "openid can_manage_contacts")),
        lacking(
            "the_permission_is_in_a_claim_of_its_own",
            valid().claim("permissions", json!(["can_manage_contacts"])),
        ),
        lacking("the_permission_is_in_roles", valid().claim("roles", json!(["can_manage_contacts"]))),
        lacking("the_permission_is_lacking_where_a_person_is_demanded_too", valid()).person(),
        lacking("the_permission_is_lacking_for_somebody_who_signed_in", Recipe::person(keys)),
        lacking(
            "a_permission_that_begins_alike",
            valid().claim(
                "mandates",
                json!([
                    { "clients": ["CLI1001"], "permissions": ["can_manage_beneficiaries_groups"] },
                ]),
            ),
        )
        .permission("can_manage_beneficiaries"),
    ]
}
