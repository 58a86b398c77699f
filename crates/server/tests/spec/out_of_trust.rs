//! The rule at the centre, from outside: well over a thousand ways to be out of trust, and no token.

use procura_testkit::app::token_request;
use procura_testkit::world::{CLIENTS, CONTACT, UNTRUSTED, UNTRUSTED_SECRET};
use procura_testkit::{TestApp, World};

use crate::defects::{EVERY_CLIENT, OutOfRule, world_with};
use crate::support::{assert_refused, issued, listed};

/// Asks in each of these worlds, and is refused in each. Gives back how many there were.
async fn all_are_refused(worlds: impl IntoIterator<Item = (String, World)>) -> usize {
    let app = TestApp::new(&World::default());
    let mut asked = 0;
    for (what, world) in worlds {
        app.store.set(world.publish());
        let answer = app.send(token_request(CONTACT, "")).await;
        assert_eq!(answer.status, 400, "{what}");
        assert_refused(&answer, 400, "invalid_grant");
        asked += 1;
    }
    assert_eq!(issued(&app), 0);
    assert_eq!(app.journal.records().len(), asked, "every refusal is on record, once");
    asked
}

#[tokio::test]
async fn one_defect_in_every_client_is_refused() {
    let worlds = OutOfRule::ALL.map(|one| (format!("{one:?}"), world_with(&[one])));
    assert_eq!(all_are_refused(worlds).await, 14);
}

#[tokio::test]
async fn two_or_three_defects_together_are_refused() {
    let mut sets = Vec::new();
    for (at, one) in OutOfRule::ALL.into_iter().enumerate() {
        for (between, two) in OutOfRule::ALL.into_iter().enumerate().skip(at + 1) {
            sets.push(vec![one, two]);
            sets.extend(OutOfRule::ALL[between + 1..].iter().map(|three| vec![one, two, *three]));
        }
    }
    assert_eq!(sets.len(), 91 + 364);
    let worlds = sets.iter().map(|set| (format!("{set:?}"), world_with(set)));
    assert_eq!(all_are_refused(worlds).await, 455);
}

#[tokio::test]
async fn another_defect_in_each_of_three_clients_is_refused() {
    let ways = OutOfRule::of_one_client();
    let mut worlds = Vec::new();
    for one in &ways {
        for two in &ways {
            for three in &ways {
                let mut world = World::default();
                for (no, defect) in (1..).zip([one, two, three]) {
                    defect.put_into(&mut world, &[no]);
                }
                worlds.push((format!("{one:?}, {two:?}, {three:?}"), world));
            }
        }
    }
    assert_eq!(all_are_refused(worlds).await, 12 * 12 * 12);
}

#[tokio::test]
async fn with_defects_in_two_clients_the_third_alone_is_listed() {
    let ways = OutOfRule::of_one_client();
    let app = TestApp::new(&World::default());
    for (sound, (id, _)) in (1..).zip(CLIENTS) {
        let broken: Vec<u32> = EVERY_CLIENT.into_iter().filter(|no| *no != sound).collect();
        for one in &ways {
            for two in &ways {
                let mut world = World::default();
                one.put_into(&mut world, &broken[..1]);
                two.put_into(&mut world, &broken[1..]);
                app.store.set(world.publish());
                let answer = app.token().await;
                assert_eq!(listed(&app, &answer), [id], "{one:?}, {two:?}");
            }
        }
    }
}

#[tokio::test]
async fn narrowing_never_lets_in_what_the_rule_left_out() {
    let app = TestApp::new(&World::default());
    let forms = ["clients=cli.alder", "scope=can_trade", "scope=openid", "clients=cli.birch&scope=can_trade"];
    for defect in OutOfRule::ALL {
        app.store.set(world_with(&[defect]).publish());
        for form in forms {
            let answer = app.token_for(CONTACT, form).await;
            assert_eq!(answer.text("error"), "invalid_grant", "{defect:?}, {form}");
        }
    }
    assert_eq!(issued(&app), 0);
}

#[tokio::test]
async fn naming_a_client_that_the_rule_left_out_is_refused_even_beside_one_that_it_did_not() {
    let app = TestApp::new(&World::default());
    for defect in OutOfRule::of_one_client() {
        let mut world = World::default();
        defect.put_into(&mut world, &[2]);
        app.store.set(world.publish());
        for form in ["clients=cli.birch", "clients=cli.alder cli.birch"] {
            let answer = app.token_for(CONTACT, form).await;
            let sentence = assert_refused(&answer, 400, "invalid_grant");
            assert!(sentence.contains("named in clients"), "{defect:?}: {sentence}");
        }
    }
    assert_eq!(issued(&app), 0);
}

#[tokio::test]
async fn the_trust_of_another_application_is_no_help() {
    // Whoever is trusted by flag and not by any client may act for nobody.
    let mut world = World::default();
    world.applications[1].trusted = true;
    let app = TestApp::new(&world);
    let mut request = token_request(CONTACT, "");
    let stranger = procura_testkit::app::basic(UNTRUSTED, UNTRUSTED_SECRET).parse().unwrap();
    request.headers_mut().insert(http::header::AUTHORIZATION, stranger);
    assert_refused(&app.send(request).await, 400, "invalid_grant");
}
