//! Contract, chapter 2: pages of the list.

use procura_store::records::ContactNo;
use procura_testkit::world::{contact, mandate};
use procura_testkit::{Answer, TestApp, World};

use crate::support::{assert_refused, list};

/// A world with contacts `p.000` to `p.249` and no others.
fn of_250() -> World {
    let mut world = World::default();
    let contacts = (0..250).map(|n| (ContactNo(n + 1), contact(&format!("p.{n:03}"), vec![mandate(1, "")])));
    world.contacts = contacts.collect();
    world
}

fn data(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_value(answer.json()["data"].clone()).unwrap()
}

#[tokio::test]
async fn without_a_parameter_the_list_is_whole_and_says_nothing_of_pages() {
    let answer = list(&TestApp::new(&of_250()), "").await;
    assert_eq!(data(&answer).len(), 250);
    assert!(answer.headers.get("x-total-count").is_none() && answer.headers.get("link").is_none());
}

#[tokio::test]
async fn either_parameter_turns_paging_on() {
    let app = TestApp::new(&of_250());
    let page = list(&app, "?page=3").await;
    assert_eq!((data(&page).len(), page.header("x-total-count")), (50, "250"));
    assert_eq!(data(&page)[0], "p.200");
    let size = list(&app, "?page_size=7").await;
    assert_eq!((data(&size).len(), size.header("x-total-count")), (7, "250"));
    assert_eq!(data(&size)[0], "p.000");
}

#[tokio::test]
async fn pages_together_are_the_list() {
    let app = TestApp::new(&of_250());
    for size in [1, 9, 100, 125, 250, 999, 1_000] {
        let mut together = Vec::new();
        for page in 1..=250_usize.div_ceil(size) {
            together.extend(data(&list(&app, &format!("?page={page}&page_size={size}")).await));
        }
        assert_eq!(together, data(&list(&app, "").await), "{size}");
    }
}

#[tokio::test]
async fn a_page_behind_the_last_is_empty() {
    let app = TestApp::new(&of_250());
    for query in ["?page=4", "?page=4294967295&page_size=1000"] {
        let answer = list(&app, query).await;
        assert!(data(&answer).is_empty());
        assert_eq!(answer.header("x-total-count"), "250");
        assert!(!answer.header("link").contains("rel=\"next\""));
    }
}

#[tokio::test]
async fn links_lead_to_pages_that_are_there() {
    let app = TestApp::new(&of_250());
    let mut query = "?page_size=60".to_owned();
    let mut pages = 1;
    loop {
        let answer = list(&app, &query).await;
        let link = answer.header("link").to_owned();
        assert!(link.contains("rel=\"first\"") && link.contains("rel=\"last\""), "{link}");
        let Some(next) = link.split(", ").find(|part| part.ends_with("rel=\"next\"")) else { break };
        let target = next.split(['<', '>']).nth(1).unwrap();
        let (path, asked) = target.split_once('?').unwrap();
        assert_eq!(path, "https://procura.example/info/available-contacts");
        query = format!("?{asked}");
        pages += 1;
    }
    assert_eq!(pages, 5);
}

#[tokio::test]
async fn a_value_out_of_bounds_is_refused_with_its_bounds() {
    let app = TestApp::new(&of_250());
    for (query, words) in [
        ("?page=0", "'page' must be a number from 1"),
        ("?page=-1", "'page'"),
        ("?page=1.0", "'page'"),
        ("?page=", "'page'"),
        ("?page", "'page'"),
        ("?page=4294967296", "'page'"),
        ("?page=%31%00", "control character"),
        ("?page_size=0", "'page_size' must be a number from 1 to 1000"),
        ("?page_size=1001", "'page_size'"),
        ("?page_size=%D9%A1", "'page_size'"),
        ("?page=1&page=1", "repeated"),
        ("?page=1&page_size=5&page_size=5", "repeated"),
        ("?client_id=app_other", "one way"),
        ("?client_secret=pcs_partner", "'client_secret'"),
        ("?scope=openid", "'scope'"),
        ("?page=%zz", "%25"),
    ] {
        let sentence = assert_refused(&list(&app, query).await, 400, "invalid_request");
        assert!(sentence.contains(words), "{query}: {sentence}");
    }
    assert!(app.journal.records().is_empty());
}

#[tokio::test]
async fn a_name_that_nobody_defined_is_ignored() {
    let answer = list(&TestApp::new(&of_250()), "?per_page=3").await;
    assert_eq!(data(&answer).len(), 250);
}
