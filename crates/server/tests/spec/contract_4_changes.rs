//! Contract, chapter 4: `PATCH /contacts/{contact_id}`, what belongs to the mandate.

use procura_protocol::permission::Permission;
use procura_store::administration::Administration as _;
use procura_store::change::{Action, Actor, ChangeSeq, Entity};
use procura_store::journal::Record;
use procura_testkit::DiskApp;
use serde_json::json;

use crate::contract_4_world::{
    ADA, ADAS, ALDER, BEN, BIRCH, CYD, DOT, app, assert_done, assert_error, get, held, mandate, patch, path,
    token,
};

/// How many changes there are.
async fn version(app: &DiskApp) -> u64 {
    app.directory.status().await.unwrap().version.0
}

#[tokio::test]
async fn a_permission_that_the_changer_has_is_granted_and_taken_away() {
    let app = app().await;
    let token = token(&app, ADA).await;
    assert_done(&patch(&app, &token, BEN, r#"{"can_manage_payments":true}"#).await);
    assert_eq!(held(&app, BEN, ALDER).await, "can_manage_payments can_trade");
    assert_done(&patch(&app, &token, BEN, r#"{"can_manage_payments":false,"can_trade":false}"#).await);
    assert_eq!(held(&app, BEN, ALDER).await, "");
    assert_eq!(get(&app, &token, &path(BEN)).await.json()["can_trade"], false);
}

#[tokio::test]
async fn a_permission_that_the_changer_lacks_is_neither_granted_nor_taken_away() {
    let app = app().await;
    mandate(&app, BEN, ALDER, &[("permissions", "can_manage_multipayments can_trade")]).await;
    let token = token(&app, ADA).await;
    for body in [
        r#"{"can_manage_beneficiaries":true}"#,
        r#"{"can_manage_multipayments":false}"#,
        r#"{"can_manage_payments":true,"can_manage_beneficiaries":true}"#,
    ] {
        let details = assert_error(&patch(&app, &token, BEN, body).await, 403, "insufficient_permission");
        assert_eq!(
            details.as_object().unwrap().len(),
            1,
            "only the field that may not be changed: {details}"
        );
    }
    assert_eq!(held(&app, BEN, ALDER).await, "can_manage_multipayments can_trade", "all or nothing");
}

#[tokio::test]
async fn what_the_mandate_has_and_the_ceiling_does_not_let_through_the_changer_lacks() {
    let app = app().await;
    assert!(held(&app, ADA, ALDER).await.contains("can_authorise_payments"));
    let token = token(&app, ADA).await;
    let answer = patch(&app, &token, BEN, r#"{"can_authorise_payments":true}"#).await;
    let details = assert_error(&answer, 403, "insufficient_permission");
    assert_eq!(details, json!({"can_authorise_payments": ["Needs can_authorise_payments."]}));
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.ends_with("error=\"insufficient_scope\", scope=\"can_authorise_payments\""),
        "{challenge}"
    );
}

#[tokio::test]
async fn without_can_manage_permissions_no_permission_changes() {
    let app = app().await;
    mandate(&app, ADA, ALDER, &[("permissions", "can_manage_contacts can_trade")]).await;
    let token = token(&app, ADA).await;
    let answer = patch(&app, &token, BEN, r#"{"can_trade":false}"#).await;
    let details = assert_error(&answer, 403, "insufficient_permission");
    assert_eq!(details, json!({"can_trade": ["Needs can_manage_permissions."]}));
}

#[tokio::test]
async fn a_token_without_can_manage_contacts_changes_nobody_else_whoever_they_are() {
    let app = app().await;
    mandate(&app, ADA, ALDER, &[("permissions", "can_manage_permissions can_trade")]).await;
    let token = token(&app, ADA).await;
    for other in [BEN, CYD, "con.nobody"] {
        let answer = patch(&app, &token, other, r#"{"can_trade":false}"#).await;
        assert_error(&answer, 403, "insufficient_permission");
    }
}

#[tokio::test]
async fn nobody_widens_their_own_permissions() {
    let app = app().await;
    mandate(&app, ADA, ALDER, &[("permissions", "can_manage_contacts can_manage_permissions can_trade")])
        .await;
    let wide = token(&app, ADA).await;
    for permission in Permission::ALL {
        let name = permission.name();
        let answer = patch(&app, &wide, ADA, &format!("{{\"{name}\":true}}")).await;
        if held(&app, ADA, ALDER).await.contains(name) {
            assert_done(&answer);
        } else {
            assert_error(&answer, 403, "insufficient_permission");
        }
    }
}

#[tokio::test]
async fn not_even_a_permission_that_the_token_still_has() {
    let app = app().await;
    let old = token(&app, ADA).await;
    let claims = app.verify(&old, "at+jwt");
    // A mandate that shrank kills the token; this one is as if the mark had not come yet.
    mandate(&app, ADA, ALDER, &[("permissions", "can_manage_contacts can_manage_permissions")]).await;
    let mut claims = claims;
    claims["dv"] = json!(version(&app).await);
    let ahead = crate::contract_4_world::signed(&app, &claims).await;
    let answer = patch(&app, &ahead, ADA, r#"{"can_trade":true}"#).await;
    let details = assert_error(&answer, 403, "own_permissions");
    assert_eq!(details, json!({"can_trade": ["One's own permissions can only be taken away."]}));
}

#[tokio::test]
async fn one_s_own_permissions_can_be_taken_away_and_the_token_dies_with_them() {
    let app = app().await;
    let token = token(&app, ADA).await;
    assert_done(&patch(&app, &token, ADA, r#"{"can_trade":false}"#).await);
    assert_eq!(held(&app, ADA, ALDER).await, ADAS.replace(" can_trade", ""));
    assert_eq!(get(&app, &token, "/clients").await.status, 401);
}

#[tokio::test]
async fn whoever_loses_a_permission_loses_the_tokens_that_have_it_and_the_changer_keeps_theirs() {
    let app = app().await;
    let (adas, bens) = (token(&app, ADA).await, token(&app, BEN).await);
    assert_done(&patch(&app, &adas, BEN, r#"{"can_trade":false}"#).await);
    assert_eq!(get(&app, &bens, "/clients").await.status, 401);
    assert_eq!(get(&app, &adas, "/clients").await.status, 200);
    let claims = app.verify(&token(&app, BEN).await, "at+jwt");
    assert_eq!(claims["mandates"][0]["permissions"], json!([]));
}

#[tokio::test]
async fn a_grant_kills_no_token() {
    let app = app().await;
    let (adas, bens) = (token(&app, ADA).await, token(&app, BEN).await);
    assert_done(&patch(&app, &adas, BEN, r#"{"can_manage_payments":true}"#).await);
    assert_eq!(get(&app, &bens, "/clients").await.status, 200);
}

#[tokio::test]
async fn online_access_of_others_needs_can_manage_contacts_and_one_s_own_can_only_be_given_up() {
    let app = app().await;
    let (adas, bens) = (token(&app, ADA).await, token(&app, BEN).await);
    let answer = patch(&app, &bens, BEN, r#"{"has_online_access":true}"#).await;
    let details = assert_error(&answer, 403, "insufficient_permission");
    assert_eq!(details, json!({"has_online_access": ["Needs can_manage_contacts."]}));
    assert_done(&patch(&app, &adas, BEN, r#"{"has_online_access":true}"#).await);
    assert_eq!(get(&app, &adas, &path(BEN)).await.json()["has_online_access"], true);
    assert_done(&patch(&app, &bens, BEN, r#"{"has_online_access":false}"#).await);
    assert_eq!(get(&app, &adas, &path(BEN)).await.json()["has_online_access"], false);
}

#[tokio::test]
async fn a_change_touches_the_mandate_for_that_client_and_no_other() {
    let app = app().await;
    mandate(&app, BEN, BIRCH, &[("permissions", "can_trade"), ("has_online_access", "false")]).await;
    let token = token(&app, ADA).await;
    let body = r#"{"can_trade":false,"can_manage_payments":true,"has_online_access":true}"#;
    assert_done(&patch(&app, &token, BEN, body).await);
    let birch = app.record(Entity::Mandate, &[BEN, BIRCH]).await;
    assert_eq!(birch.get("permissions"), Some(Some("can_trade")));
    assert_eq!(birch.get("has_online_access"), Some(Some("false")));
}

#[tokio::test]
async fn a_dormant_mandate_can_be_narrowed_and_stays_dormant() {
    let app = app().await;
    let token = token(&app, ADA).await;
    assert_done(&patch(&app, &token, DOT, r#"{"can_trade":false}"#).await);
    let row = app.record(Entity::Mandate, &[DOT, ALDER]).await;
    assert_eq!((row.get("permissions"), row.get("status")), (Some(None), Some(Some("suspended"))));
}

#[tokio::test]
async fn a_contact_of_another_client_is_404() {
    let app = app().await;
    let token = token(&app, ADA).await;
    for (contact, body) in
        [(CYD, r#"{"can_trade":false}"#), ("con.nobody", "{}"), (CYD, r#"{"city":"Oslo"}"#)]
    {
        assert_error(&patch(&app, &token, contact, body).await, 404, "contact_not_found");
    }
    assert_eq!(held(&app, CYD, BIRCH).await, "can_manage_contacts can_trade");
}

#[tokio::test]
async fn what_changes_nothing_is_done_by_whoever_may_look_and_writes_nothing() {
    let app = app().await;
    mandate(&app, ADA, ALDER, &[("permissions", "can_manage_contacts")]).await;
    let token = token(&app, ADA).await;
    let before = version(&app).await;
    for body in ["{}", r#"{"can_trade":true,"can_manage_payments":false,"has_online_access":false}"#] {
        assert_done(&patch(&app, &token, BEN, body).await);
    }
    assert_eq!(version(&app).await, before);
}

#[tokio::test]
async fn a_change_is_on_record_with_who_acted_for_whom() {
    let app = app().await;
    let before = app.directory.status().await.unwrap().last_change;
    let token = token(&app, ADA).await;
    assert_done(&patch(&app, &token, BEN, r#"{"can_trade":false,"has_online_access":true}"#).await);
    let changes = app.directory.changes_after(before, 100).await.unwrap();
    let [change] = &changes[..] else { panic!("one change: {changes:?}") };
    let directory = app.engine.directory().unwrap();
    let number = |contact: &str| directory.contact(contact).unwrap().0;
    let application = directory.application("app_partner").unwrap().no;
    assert_eq!(change.actor, Actor::Contact { contact: number(ADA), application });
    assert_eq!(
        (change.entity, change.action, change.number),
        (Entity::Mandate, Action::Update, number(BEN).0)
    );
    assert_eq!(change.reason, None);

    let mut log = Log(Vec::new(), before);
    procura_storage::outbox::drain(&app.directory, &mut log, || app.context().at).await.unwrap();
    let [Record::Changed(changed)] = &log.0[..] else { panic!("one record") };
    assert_eq!((changed.actor, changed.entity, changed.number), (change.actor, change.entity, change.number));
}

/// Where the outbox is drained to.
struct Log(Vec<Record>, ChangeSeq);

impl procura_storage::outbox::ChangeLog for Log {
    fn last_change(&self) -> ChangeSeq {
        self.1
    }

    async fn record(
        &mut self,
        _: procura_protocol::time::UnixMillis,
        changes: Vec<procura_store::journal::Changed>,
    ) -> Result<(), procura_store::journal::JournalUnavailable> {
        self.1 = changes.last().unwrap().change;
        self.0.extend(changes.into_iter().map(Record::Changed));
        Ok(())
    }
}
