//! Secrets, certificates and keys: two of a kind at most, each with its end, retired one by one.

use procura_protocol::time::{UnixMillis, UnixSeconds};

use super::{Harness, NOW, context, key, put, small_world};
use crate::administration::{
    AddCredential, Administration, ChangeContext, CredentialRecord, CredentialToRetire, CredentialValue,
    NewCredential, Put, Refusal, RetireCredential, Shown,
};
use crate::change::{ChangeSeq, Entity};
use crate::credential::CredentialKind;
use crate::fields::Key;
use crate::mark::MarkKind;
use crate::records::{CredentialNo, SecretHash};

const URI: &str = "https://partner.example/jwks";

fn application() -> Key {
    key(Entity::Application, &["app_1"])
}

/// One of each kind; another for another byte.
fn credential(kind: CredentialKind, byte: u8) -> NewCredential {
    let value = match kind {
        CredentialKind::Secret => CredentialValue::Secret(SecretHash([byte; 32])),
        CredentialKind::Certificate => CredentialValue::Certificate([byte; 300].into()),
        CredentialKind::Key => CredentialValue::Key(jwk(&format!("key-{byte}"))),
    };
    NewCredential { value, expires_at: None }
}

/// The public key of RFC 8037, appendix A.2, under a `kid`.
fn jwk(kid: &str) -> Box<str> {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","kid":"{kid}"}}"#).into()
}

fn later(seconds: i64) -> ChangeContext {
    ChangeContext { at: UnixMillis(NOW.0 + seconds * 1000), ..context() }
}

async fn add(directory: &impl Administration, new: NewCredential) -> AddCredential {
    directory.add_credential(context(), application(), new).await.unwrap()
}

fn number(added: AddCredential) -> CredentialNo {
    match added {
        AddCredential::Added { no } => no,
        other => panic!("{other:?}"),
    }
}

async fn retire(
    directory: &impl Administration,
    kind: CredentialKind,
    no: CredentialNo,
    compromised: bool,
) -> RetireCredential {
    let which = CredentialToRetire { kind, no, compromised };
    directory.retire_credential(context(), application(), which).await.unwrap()
}

async fn kept(directory: &impl Administration) -> Vec<CredentialRecord> {
    directory.credentials(application()).await.unwrap().unwrap()
}

async fn numbers(directory: &impl Administration) -> Vec<CredentialNo> {
    kept(directory).await.iter().map(|credential| credential.no).collect()
}

pub async fn two_of_a_kind_are_live_at_most(harness: &impl Harness) {
    let directory = harness.open();
    assert_eq!(add(&directory, credential(CredentialKind::Secret, 0)).await, AddCredential::NotFound);
    small_world(&directory).await;
    let mut all = Vec::new();
    for kind in CredentialKind::ALL.iter().copied() {
        all.push(number(add(&directory, credential(kind, 1)).await));
        all.push(number(add(&directory, credential(kind, 2)).await));
        assert_eq!(add(&directory, credential(kind, 3)).await, AddCredential::TooMany, "{kind}");
    }
    assert_eq!(numbers(&directory).await, all);
    assert!(all.is_sorted_by(|one, next| one < next), "numbers are given once: {all:?}");
}

pub async fn what_is_public_is_shown_and_of_a_secret_nothing_is(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    for kind in CredentialKind::ALL.iter().copied() {
        let end = Some(NOW.seconds().plus(60));
        add(&directory, NewCredential { expires_at: end, ..credential(kind, 7) }).await;
        let last = kept(&directory).await.pop().unwrap();
        assert_eq!((last.kind(), last.created_at, last.expires_at), (kind, NOW, end));
        let shown = match credential(kind, 7).value {
            CredentialValue::Secret(_) => Shown::Secret,
            CredentialValue::Certificate(der) => Shown::Certificate(der),
            CredentialValue::Key(jwk) => Shown::Key(jwk),
        };
        assert_eq!(last.shown, shown);
    }
}

pub async fn a_retired_credential_makes_room_and_is_gone(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    for kind in CredentialKind::ALL.iter().copied() {
        let first = number(add(&directory, credential(kind, 1)).await);
        let second = number(add(&directory, credential(kind, 2)).await);
        for other in CredentialKind::ALL.iter().copied().filter(|other| *other != kind) {
            assert_eq!(retire(&directory, other, first, false).await, RetireCredential::NotFound);
        }
        assert_eq!(retire(&directory, kind, first, false).await, RetireCredential::Retired);
        assert_eq!(retire(&directory, kind, first, false).await, RetireCredential::NotFound);
        let third = number(add(&directory, credential(kind, 3)).await);
        let here: Vec<_> = kept(&directory).await;
        let here: Vec<_> = here.iter().filter(|one| one.kind() == kind).map(|one| one.no).collect();
        assert_eq!(here, [second, third], "{kind}");
    }
    assert_eq!(harness.marks(), []);
}

pub async fn a_compromised_credential_marks_its_application(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    for (before, kind) in CredentialKind::ALL.iter().copied().enumerate() {
        let no = number(add(&directory, credential(kind, 1)).await);
        retire(&directory, kind, no, true).await;
        let kinds: Vec<MarkKind> = harness.marks().iter().map(|mark| mark.kind).collect();
        assert_eq!(kinds, vec![MarkKind::Application; before + 1], "{kind}");
    }
}

pub async fn replacing_ends_all_other_secrets_and_nothing_else(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    add(&directory, credential(CredentialKind::Secret, 1)).await;
    add(&directory, credential(CredentialKind::Secret, 2)).await;
    let certificate = number(add(&directory, credential(CredentialKind::Certificate, 1)).await);
    let replaced = directory.replace_secrets(context(), application(), SecretHash([3; 32])).await.unwrap();
    assert_eq!(numbers(&directory).await, [certificate, number(replaced)]);
}

pub async fn what_has_expired_makes_room_and_goes(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    let end = NOW.seconds().plus(60);
    for kind in CredentialKind::ALL.iter().copied() {
        let ending = NewCredential { expires_at: Some(end), ..credential(kind, 1) };
        let ended = number(add(&directory, ending).await);
        let stays = number(add(&directory, credential(kind, 2)).await);
        let third =
            async |at| directory.add_credential(later(at), application(), credential(kind, 3)).await.unwrap();
        assert_eq!(third(59).await, AddCredential::TooMany, "{kind}");
        let third = number(third(60).await);
        let here = numbers(&directory).await;
        assert!(here.contains(&stays) && here.contains(&third) && !here.contains(&ended), "{kind}: {here:?}");
    }
}

pub async fn the_same_certificate_or_key_is_not_taken_twice(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    let certificate = credential(CredentialKind::Certificate, 1);
    let no = number(add(&directory, certificate.clone()).await);
    assert_eq!(add(&directory, certificate.clone()).await, AddCredential::Exists { no });
    let key_a = number(add(&directory, credential(CredentialKind::Key, 1)).await);
    // Assertions name a key by its kid, so two can't share one, whatever else they say.
    let same = CredentialValue::Key(
        r#"{"kid":"key-1","kty":"OKP","crv":"Ed25519","x":"O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik"}"#
            .into(),
    );
    let same = NewCredential { value: same, expires_at: None };
    assert_eq!(add(&directory, same).await, AddCredential::Exists { no: key_a });
    put(&directory, Entity::Application, &[("application_id", "app_2")]).await;
    let other = key(Entity::Application, &["app_2"]);
    let added = directory.add_credential(context(), other, certificate).await.unwrap();
    assert!(matches!(added, AddCredential::Added { .. }), "another application may have it: {added:?}");
}

pub async fn keys_have_one_source(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    let uri = [("application_id", "app_1"), ("jwks_uri", URI)];
    let end = NOW.seconds().plus(60);
    let ending = NewCredential { expires_at: Some(end), ..credential(CredentialKind::Key, 1) };
    let no = number(add(&directory, ending).await);
    let refused = put(&directory, Entity::Application, &uri).await;
    assert_eq!(refused, Put::Refused(Refusal::HasKeys { no }));
    // One that has expired is no source any more.
    let row = crate::fields::Row::read(Entity::Application, uri).unwrap();
    assert_eq!(directory.put(later(60), row).await.unwrap(), Put::Updated);
    assert_eq!(add(&directory, credential(CredentialKind::Key, 2)).await, AddCredential::HasJwksUri);
    add(&directory, credential(CredentialKind::Certificate, 2)).await;
    assert_eq!(
        put(&directory, Entity::Application, &[("application_id", "app_1"), ("jwks_uri", "")]).await,
        Put::Updated
    );
    number(add(&directory, credential(CredentialKind::Key, 2)).await);
}

pub async fn a_profile_without_secrets_is_given_none_and_comes_after_the_last(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    let profile = [
        ("application_id", "app_1"),
        ("profile", "fapi2"),
        ("auth_methods", "private_key_jwt"),
        ("dpop_bound_access_tokens", "true"),
    ];
    let end = NOW.seconds().plus(60);
    let ending = NewCredential { expires_at: Some(end), ..credential(CredentialKind::Secret, 1) };
    let no = number(add(&directory, ending).await);
    assert_eq!(
        put(&directory, Entity::Application, &profile).await,
        Put::Refused(Refusal::HasSecrets { no })
    );
    // One that has expired lets nobody in.
    let row = crate::fields::Row::read(Entity::Application, profile).unwrap();
    assert_eq!(directory.put(later(60), row).await.unwrap(), Put::Updated);
    assert_eq!(add(&directory, credential(CredentialKind::Secret, 2)).await, AddCredential::ProfileForbids);
    let replaced = directory.replace_secrets(context(), application(), SecretHash([3; 32])).await.unwrap();
    assert_eq!(replaced, AddCredential::ProfileForbids);
    number(add(&directory, credential(CredentialKind::Key, 2)).await);
    number(add(&directory, credential(CredentialKind::Certificate, 2)).await);
    let back = [("application_id", "app_1"), ("profile", "standard")];
    assert_eq!(put(&directory, Entity::Application, &back).await, Put::Updated);
    number(add(&directory, credential(CredentialKind::Secret, 2)).await);
}

pub async fn only_applications_have_certificates_and_keys(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    put(&directory, Entity::Resource, &[("resource_id", "https://a.example/")]).await;
    let resource = key(Entity::Resource, &["https://a.example/"]);
    for kind in CredentialKind::ALL.iter().copied() {
        let added = directory.add_credential(context(), resource.clone(), credential(kind, 1)).await.unwrap();
        let is_secret = kind == CredentialKind::Secret;
        assert_eq!(matches!(added, AddCredential::Added { .. }), is_secret, "{kind}: {added:?}");
        let contact = key(Entity::Contact, &["con"]);
        let added = directory.add_credential(context(), contact, credential(kind, 1)).await.unwrap();
        assert_eq!(added, AddCredential::NotFound);
    }
    assert_eq!(directory.credentials(key(Entity::Contact, &["con"])).await.unwrap(), None);
}

pub async fn a_change_says_which_kind_came_or_went(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    for kind in CredentialKind::ALL.iter().copied() {
        let no = number(add(&directory, credential(kind, 1)).await);
        retire(&directory, kind, no, false).await;
        let changes = directory.changes_after(ChangeSeq(0), 1_000).await.unwrap();
        let told: Vec<_> =
            changes.iter().rev().take(2).map(|change| (change.entity, change.action)).collect();
        assert_eq!(told, [(Entity::Application, kind.retired()), (Entity::Application, kind.added())]);
    }
}

pub async fn what_ends_soon_is_counted_while_its_owner_is_active(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    let end = NOW.seconds().plus(60);
    for kind in CredentialKind::ALL.iter().copied() {
        add(&directory, NewCredential { expires_at: Some(end), ..credential(kind, 1) }).await;
        add(&directory, credential(kind, 2)).await;
    }
    let count = async |before: UnixSeconds| directory.count_expiring(before).await.unwrap();
    assert_eq!((count(end).await, count(end.plus(1)).await), (0, 3));
    directory.disable(context(), application()).await.unwrap();
    assert_eq!(count(end.plus(1)).await, 0);
}

pub async fn a_removed_application_leaves_no_credential(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    for kind in CredentialKind::ALL.iter().copied() {
        add(&directory, credential(kind, 1)).await;
    }
    directory.remove(context(), application()).await.unwrap();
    put(&directory, Entity::Application, &[("application_id", "app_1")]).await;
    assert_eq!(numbers(&directory).await, []);
}
