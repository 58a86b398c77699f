//! The documents that anybody may read.

use serde_json::Value;

use crate::adapter::Door;
use crate::answer::{Answer, Why};
use crate::attempt::Attempt;
use crate::case::{Cases, Stop};
use crate::wire::{self, Request, Url};

/// A document that anybody may read: `jwks` or `metadata`.
pub(super) fn document(attempt: &Attempt<'_>, which: &str) -> Result<Value, Stop> {
    let endpoints = &attempt.world.adapter.endpoints;
    let url = if which == "jwks" { &endpoints.jwks } else { &endpoints.metadata };
    let url =
        url.as_ref().ok_or_else(|| Stop::skip(format_args!("the adapter has no `endpoints.{which}`")))?;
    let answer = get(attempt, url)?;
    answer.let_through()?;
    Ok(answer.json())
}

fn get<'w>(attempt: &Attempt<'w>, url: &str) -> Result<Answer<'w>, Stop> {
    let request = Request {
        method: "GET".to_owned(),
        url: Url::parse(url).map_err(Stop::Skip)?,
        headers: Vec::new(),
        body: None,
        identity: None,
    };
    let sent = "GET of a document".to_owned();
    let came = wire::send(&attempt.world.roots, &request).map_err(|error| Stop::fail(&sent, error))?;
    let departures = &attempt.world.adapter.departures;
    Ok(Answer { sent, door: attempt.door, departures, came: Ok(came) })
}

pub(super) fn add(cases: &mut Cases) {
    let door = &[Door::Documents];
    cases.at(
        door,
        ("keys-are-public", "The key set has no private member, and no shared secret"),
        "RFC 7517 9.2; RFC 8725 3.5",
        |attempt| {
            let set = document(attempt, "jwks")?;
            for key in set["keys"].as_array().into_iter().flatten() {
                let private =
                    ["d", "p", "q", "dp", "dq", "qi", "k"].iter().any(|name| key.get(name).is_some());
                if private || key["kty"] == "oct" {
                    return Err(Stop::fail("GET of the key set", "a key with private members"));
                }
            }
            Ok(())
        },
    );
    cases.at(
        door,
        ("keys-have-names", "Every published key has a kid, and no two have the same"),
        "RFC 7517 4.5",
        |attempt| {
            let set = document(attempt, "jwks")?;
            let keys = set["keys"].as_array().cloned().unwrap_or_default();
            let names: std::collections::BTreeSet<String> =
                keys.iter().map(|key| key["kid"].to_string()).collect();
            let whole = !keys.is_empty() && names.len() == keys.len() && !names.contains("null");
            if whole {
                Ok(())
            } else {
                Err(Stop::fail("GET of the key set", "keys without names of their own"))
            }
        },
    );
    cases.at(
        door,
        ("keys-are-strong", "No published RSA key has less than 2048 bits"),
        "RFC 7518 3.3",
        |attempt| {
            let set = document(attempt, "jwks")?;
            let weak =
                set["keys"].as_array().into_iter().flatten().any(|key| {
                    key["kty"] == "RSA" && key["n"].as_str().is_none_or(|number| number.len() < 340)
                });
            if weak { Err(Stop::fail("GET of the key set", "a weak RSA key")) } else { Ok(()) }
        },
    );
    cases.at(
        door,
        ("metadata-names-the-issuer", "The metadata is the issuer's own"),
        "RFC 8414 3.3",
        |attempt| {
            let metadata = document(attempt, "metadata")?;
            let right = metadata["issuer"] == attempt.world.adapter.issuer.as_str();
            if right { Ok(()) } else { Err(Stop::fail("GET of the metadata", "another issuer")) }
        },
    );
    cases.at(
        door,
        (
            "metadata-offers-nothing-weak",
            "The metadata offers neither none nor HS256, and no implicit or password grant",
        ),
        "RFC 9700 2.1.2, 2.4; RFC 8725 3.2",
        |attempt| {
            let metadata = document(attempt, "metadata")?;
            let weak = ["none", "HS256", "HS384", "HS512", "implicit", "password", "token"];
            let lists =
                metadata.as_object().into_iter().flatten().filter(|(name, _)| name.ends_with("_supported"));
            for (name, list) in lists {
                let found = list
                    .as_array()
                    .into_iter()
                    .flatten()
                    .find(|value| weak.iter().any(|word| *value == word));
                if let Some(found) = found {
                    return Err(Stop::fail("GET of the metadata", format_args!("`{name}` has {found}")));
                }
            }
            Ok(())
        },
    );
    cases.at(door, ("documents-by-post", "A document is not changed by POST"), "RFC 9110 9.3.3", |attempt| {
        let url = attempt.world.adapter.endpoints.jwks.as_ref();
        let url = url.ok_or_else(|| Stop::skip("the adapter has no `endpoints.jwks`"))?;
        let request = Request {
            method: "POST".to_owned(),
            url: Url::parse(url).map_err(Stop::Skip)?,
            headers: vec![("Content-Type".to_owned(), b"application/json".to_vec())],
            body: Some(br#"{"keys":[]}"#.to_vec()),
            identity: None,
        };
        let sent = "POST of a key set".to_owned();
        let came = wire::send(&attempt.world.roots, &request).map_err(|error| error.to_string());
        let departures = &attempt.world.adapter.departures;
        Answer { sent, door: attempt.door, departures, came }.refused(&[Why::Http])
    });
}
