use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use procura_protocol::basic::{Authorization, MAX_HEADER_LENGTH, read_authorization};

/// `Authorization` headers, one a line.
///
/// Credentials that were read can be written in their plainest form and read the same; two headers are
/// never credentials. Whether there were credentials.
pub fn basic(data: &[u8]) -> bool {
    let mut lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    lines.truncate(3);
    let Authorization::Basic(credentials) = read_authorization(lines.iter().copied()) else {
        return false;
    };
    assert_eq!(lines.len(), 1, "credentials out of several headers");
    let Some(secret) = credentials.secret.expose_str() else {
        panic!("a secret that is no text");
    };
    let pair = format!("{}:{}", escape(&credentials.id), escape(secret));
    let header = format!("Basic {}", STANDARD.encode(pair));
    if header.len() > MAX_HEADER_LENGTH {
        return true;
    }
    let Authorization::Basic(again) = read_authorization([header.as_bytes()]) else {
        panic!("credentials that were read can't be read when they are written again");
    };
    assert_eq!(again.id, credentials.id);
    assert_eq!(again.secret.expose(), credentials.secret.expose());
    true
}

fn escape(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
}
