//! Marks that no change of a record makes.

use procura_protocol::ids::{ApplicationId, ClientId, ContactId};
use procura_protocol::time::UnixSeconds;

use super::{Harness, LIFETIME, NOW, all_at_once, context, key, put, small_world};
use crate::administration::{Administration, ChangeContext, Revocation, Revoke, TokenToRevoke};
use crate::change::{Action, Actor, Change, ChangeSeq, Entity};
use crate::mark::{KEEP_BEYOND_EXPIRY, MarkKind};
use crate::records::{ApplicationNo, ContactNo, Version};

const LATEST: UnixSeconds = NOW.seconds().plus(LIFETIME + KEEP_BEYOND_EXPIRY);

fn application() -> ApplicationId {
    ApplicationId::parse("app_1").unwrap()
}

/// A token of the application of the small world, which may have four marks.
fn token(id: &str) -> TokenToRevoke {
    TokenToRevoke {
        ids: vec![id.into()],
        application: Some(application()),
        expires_at: Some(NOW.seconds().plus(600)),
        most_of_application: 4,
    }
}

async fn revoke(directory: &impl Administration, revocation: Revocation) -> Revoke {
    directory.revoke(context(), revocation).await.unwrap()
}

async fn revoke_token(directory: &impl Administration, token: TokenToRevoke) -> Revoke {
    revoke(directory, Revocation::Token(token)).await
}

async fn version(directory: &impl Administration) -> Version {
    directory.status().await.unwrap().version
}

async fn last_change(directory: &impl Administration) -> Change {
    directory.changes_after(ChangeSeq(0), 1_000).await.unwrap().pop().unwrap()
}

pub async fn a_revocation_marks_what_it_names_and_changes_no_record(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    let (contact, client) = (ContactId::parse("con").unwrap(), ClientId::parse("cli").unwrap());
    for (revocation, entity, parts, kind) in [
        (
            Revocation::Mandate { contact: contact.clone(), client: client.clone() },
            Entity::Mandate,
            &["con", "cli"][..],
            MarkKind::Mandate,
        ),
        (
            Revocation::Trust { client: client.clone(), application: application() },
            Entity::Trust,
            &["cli", "app_1"],
            MarkKind::Trust,
        ),
        (Revocation::Contact(contact), Entity::Contact, &["con"], MarkKind::Contact),
        (Revocation::Application(application()), Entity::Application, &["app_1"], MarkKind::Application),
        (Revocation::Client(client), Entity::Client, &["cli"], MarkKind::Client),
    ] {
        let record = directory.get(key(entity, parts)).await.unwrap();
        let before = harness.marks().len();
        let revoked = revoke(&directory, revocation).await;
        assert_eq!(revoked, Revoke::Marked(version(&directory).await), "{entity}");
        assert_eq!(directory.get(key(entity, parts)).await.unwrap(), record, "{entity}");
        let change = last_change(&directory).await;
        assert_eq!((change.entity, change.action, change.token), (entity, Action::Revoke, None));
        // Whoever is switched off gets the same mark.
        directory.disable(context(), key(entity, parts)).await.unwrap();
        let [mark, other] = &harness.marks()[before..] else { panic!("one mark each: {entity}") };
        assert_eq!((mark.kind, mark.keep_until), (kind, LATEST));
        assert_eq!((&mark.subject, mark.number, mark.client), (&other.subject, other.number, other.client));
        assert_eq!(mark.application, other.application, "{entity}");
        assert!(mark.version < other.version, "{entity}");
    }
}

pub async fn a_mark_on_tokens_of_one_application_names_it(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    revoke(&directory, Revocation::Application(application())).await;
    let client = ClientId::parse("cli").unwrap();
    revoke(&directory, Revocation::Trust { client: client.clone(), application: application() }).await;
    revoke_token(&directory, token("one")).await;
    revoke_token(&directory, TokenToRevoke { application: None, ..token("two") }).await;
    revoke(&directory, Revocation::Client(client)).await;
    revoke(&directory, Revocation::All).await;
    let marks = harness.marks();
    let own = Some(marks[0].subject);
    let named: Vec<_> = marks.iter().map(|mark| mark.application).collect();
    assert_eq!(named, [own, own, own, None, None, None]);
    assert_eq!(marks[5].kind, MarkKind::All);
    let change = last_change(&directory).await;
    assert_eq!((change.entity, change.number, change.token), (Entity::Token, 0, None));
}

pub async fn what_is_not_there_is_not_marked(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    put(&directory, Entity::Contact, &[("contact_id", "eva")]).await;
    let before = version(&directory).await;
    let (nobody, eva) = (ContactId::parse("nobody").unwrap(), ContactId::parse("eva").unwrap());
    let (nowhere, client) = (ClientId::parse("nowhere").unwrap(), ClientId::parse("cli").unwrap());
    for revocation in [
        Revocation::Contact(nobody),
        Revocation::Client(nowhere.clone()),
        Revocation::Application(ApplicationId::parse("app_2").unwrap()),
        Revocation::Trust { client: nowhere, application: application() },
        Revocation::Mandate { contact: eva, client },
    ] {
        assert_eq!(revoke(&directory, revocation.clone()).await, Revoke::NotFound, "{revocation:?}");
    }
    assert_eq!((harness.marks(), version(&directory).await), (vec![], before));
}

pub async fn a_token_is_marked_once_and_until_its_end(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    let before = directory.status().await.unwrap();
    let over = NOW.seconds().plus(-KEEP_BEYOND_EXPIRY);
    let expired = TokenToRevoke { expires_at: Some(over), ..token("old") };
    assert_eq!(revoke_token(&directory, expired).await, Revoke::NothingToMark);
    assert_eq!(directory.status().await.unwrap(), before);
    // Somebody's clock may still say that this one is good.
    let ending = TokenToRevoke { expires_at: Some(over.plus(1)), ..token("ending") };
    assert!(matches!(revoke_token(&directory, ending).await, Revoke::Marked(_)));

    let revoked = revoke_token(&directory, token("one")).await;
    assert_eq!(revoked, Revoke::Marked(version(&directory).await));
    let unknown = TokenToRevoke { application: None, expires_at: None, ..token("one") };
    for again in [token("one"), unknown] {
        assert_eq!(revoke_token(&directory, again).await, Revoke::NothingToMark);
    }
    let [_, mark] = &harness.marks()[..] else { panic!("two marks") };
    assert_eq!((mark.kind, mark.client), (MarkKind::Token, 0));
    assert_eq!(mark.keep_until, NOW.seconds().plus(600 + KEEP_BEYOND_EXPIRY));
    let numbers = directory.numbers_of(Entity::Application, "app_1".to_owned()).await.unwrap();
    assert_eq!(numbers, [mark.number]);
    let change = last_change(&directory).await;
    assert_eq!((change.entity, change.action), (Entity::Token, Action::Revoke));
    assert_eq!((change.number, change.client, change.token), (mark.number, 0, Some(mark.subject)));
}

pub async fn a_token_of_which_little_is_known_is_marked_by_every_id_it_may_have(harness: &impl Harness) {
    let directory = harness.open();
    let unknown = TokenToRevoke {
        ids: vec!["one".into(), "other".into(), "one".into()],
        application: Some(application()),
        expires_at: None,
        most_of_application: 4,
    };
    assert!(matches!(revoke_token(&directory, unknown.clone()).await, Revoke::Marked(_)));
    let marks = harness.marks();
    assert_eq!(marks.len(), 2);
    assert!(marks.iter().all(|mark| mark.keep_until == LATEST && mark.number == 0));
    assert_eq!(marks[0].version, marks[1].version);
    let told: Vec<_> = directory.changes_after(ChangeSeq(0), 10).await.unwrap();
    assert_eq!(
        told.iter().filter_map(|change| change.token).collect::<Vec<_>>(),
        [marks[0].subject, marks[1].subject]
    );
    let more = TokenToRevoke { ids: vec!["other".into(), "third".into()], ..unknown };
    assert!(matches!(revoke_token(&directory, more).await, Revoke::Marked(_)));
    assert_eq!(harness.marks().len(), 3, "what was marked before is not marked again");
}

pub async fn beyond_its_budget_an_application_is_marked_whole_and_no_other(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    put(&directory, Entity::Application, &[("application_id", "app_2")]).await;
    let other = Some(ApplicationId::parse("app_2").unwrap());
    let of_other = |id| TokenToRevoke { application: other.clone(), ..token(id) };
    revoke_token(&directory, of_other("a")).await;
    revoke_token(&directory, TokenToRevoke { application: None, ..token("b") }).await;
    revoke(
        &directory,
        Revocation::Trust { client: ClientId::parse("cli").unwrap(), application: application() },
    )
    .await;
    let latest = NOW.seconds().plus(900);
    for id in ["1", "2", "3"] {
        assert!(matches!(revoke_token(&directory, token(id)).await, Revoke::Marked(_)));
    }
    let longest = TokenToRevoke { expires_at: Some(latest), ..token("4") };
    assert!(matches!(revoke_token(&directory, longest).await, Revoke::Marked(_)));
    let collapsed = revoke_token(&directory, token("5")).await;
    assert_eq!(collapsed, Revoke::MarkedApplication(version(&directory).await));
    let marks = harness.marks();
    let kinds: Vec<_> = marks.iter().map(|mark| mark.kind).collect();
    assert_eq!(kinds, [MarkKind::Token, MarkKind::Token, MarkKind::Trust, MarkKind::Application]);
    let whole = &marks[3];
    assert_eq!(Some(whole.subject), whole.application);
    assert_eq!(whole.version, version(&directory).await);
    assert_eq!(whole.keep_until, latest.plus(KEEP_BEYOND_EXPIRY));
    let changes = directory.changes_after(ChangeSeq(0), 100).await.unwrap();
    let told: Vec<_> = changes.iter().rev().map(|change| (change.entity, change.version)).take(2).collect();
    assert_eq!(told, [(Entity::Application, whole.version), (Entity::Token, whole.version)]);

    // The count begins anew, and what came after is told apart again.
    assert!(matches!(revoke_token(&directory, token("6")).await, Revoke::Marked(_)));
    assert!(matches!(revoke_token(&directory, of_other("c")).await, Revoke::Marked(_)));
    assert_eq!(directory.status().await.unwrap().marks, harness.marks().len() as u64);
}

pub async fn a_change_says_who_acted_for_whom(harness: &impl Harness) {
    let directory = harness.open();
    small_world(&directory).await;
    let (contact, application) = (ContactNo(u32::MAX), ApplicationNo(7));
    for actor in [
        Actor::Application { application },
        Actor::Contact { contact, application },
        Actor::Operator { uid: u32::MAX },
        Actor::Server,
    ] {
        let by = ChangeContext { actor, ..context() };
        directory.revoke(by, Revocation::All).await.unwrap();
        assert_eq!(last_change(&directory).await.actor, actor);
    }
}

pub async fn of_sixteen_that_revoke_one_token_one_marks_it(harness: &impl Harness) {
    small_world(&harness.open()).await;
    let directories: Vec<_> = (0..16).map(|_| harness.open()).collect();
    let outcomes = all_at_once(directories.iter().map(|one| revoke_token(one, token("one")))).await;
    let marked = outcomes.iter().filter(|outcome| matches!(outcome, Revoke::Marked(_))).count();
    let nothing = outcomes.iter().filter(|outcome| matches!(outcome, Revoke::NothingToMark)).count();
    assert_eq!((marked, nothing, harness.marks().len()), (1, 15, 1));
}

pub async fn of_sixteen_tokens_at_once_no_more_than_the_budget_keep_marks(harness: &impl Harness) {
    small_world(&harness.open()).await;
    let directories: Vec<_> = (0..16).map(|_| harness.open()).collect();
    let revoking = directories.iter().enumerate().map(|(at, one)| revoke_token(one, token(&at.to_string())));
    let outcomes = all_at_once(revoking).await;
    let whole = outcomes.iter().filter(|outcome| matches!(outcome, Revoke::MarkedApplication(_))).count();
    // Four marks, the fifth collapses them: three rounds, and one is left.
    let kinds: Vec<_> = harness.marks().iter().map(|mark| mark.kind).collect();
    let application = MarkKind::Application;
    assert_eq!((whole, kinds), (3, vec![application, application, application, MarkKind::Token]));
}
