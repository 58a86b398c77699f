use std::fmt::Write as _;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use procura_protocol::contact_token::{ContactTokenRequest, MAX_CLIENTS};
use procura_protocol::form::{Form, MAX_PARAMETERS};

/// A form body and, before the first line feed, a query.
///
/// What was read can be written with every byte escaped and reads the same; a request that was accepted
/// keeps its bounds. Whether there was a request.
pub fn form(data: &[u8]) -> bool {
    let cut = data.iter().position(|byte| *byte == b'\n');
    let (query, body) = cut.map_or((&[][..], data), |at| (&data[..at], &data[at + 1..]));
    if let Ok(form) = Form::parse(body) {
        written_again(&form);
    }
    let Ok(request) = ContactTokenRequest::parse(body, query) else {
        return false;
    };
    if let Some(clients) = request.clients {
        assert!((1..=MAX_CLIENTS).contains(&clients.len()), "{} clients", clients.len());
        assert!(clients.is_sorted(), "clients are out of order");
    }
    true
}

fn written_again(form: &Form<'_>) {
    let pairs: Vec<(&str, &str)> = form.iter().collect();
    assert!(pairs.len() <= MAX_PARAMETERS, "{} parameters", pairs.len());
    let mut text = String::new();
    for (name, value) in &pairs {
        let (name, value) = (escape(name), escape(value));
        assert!(write!(text, "{name}={value}&").is_ok());
    }
    let Ok(again) = Form::parse(text.as_bytes()) else {
        panic!("what was read can't be read when it is written again");
    };
    assert!(again.iter().eq(pairs), "something else is read when it is written again");
}

fn escape(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
}
