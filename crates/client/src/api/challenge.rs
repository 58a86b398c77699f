//! What an API says about a token that it does not take (RFC 6750 3, RFC 9449 7.1).

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// A challenge of the scheme Bearer or DPoP.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// `error`: absent when no token was sent.
    pub(crate) error: Option<String>,
    /// `error_description`.
    pub(crate) description: Option<String>,
}

/// The first challenge of either scheme that says what was wrong, or else says nothing. One that says `error` twice
/// can't be read.
pub(super) fn of_token(headers: &HeaderMap) -> Option<Challenge> {
    let mut all = ["bearer", "dpop"].into_iter().filter_map(|scheme| first(headers, scheme));
    let one = all.next()?;
    match one.error {
        Some(_) => Some(one),
        None => Some(all.next().filter(|other| other.error.is_some()).unwrap_or(one)),
    }
}

/// The first DPoP challenge that can be read (RFC 9449 7.1).
pub(crate) fn dpop(headers: &HeaderMap) -> Option<Challenge> {
    first(headers, "dpop")
}

fn first(headers: &HeaderMap, scheme: &str) -> Option<Challenge> {
    headers.get_all(WWW_AUTHENTICATE).iter().find_map(|value| read(value.to_str().ok()?, scheme))
}

fn read(value: &str, wanted: &str) -> Option<Challenge> {
    let (scheme, mut rest) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case(wanted) {
        return None;
    }
    let mut challenge = Challenge::default();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(challenge);
        }
        let (name, after) = rest.split_once('=')?;
        let (text, left) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => quoted_string(quoted)?,
            None => after.split_once([',', ' ']).map_or((after.to_owned(), ""), |(t, l)| (t.to_owned(), l)),
        };
        let member = match name.trim() {
            name if name.eq_ignore_ascii_case("error") => &mut challenge.error,
            name if name.eq_ignore_ascii_case("error_description") => &mut challenge.description,
            _ => &mut None,
        };
        if member.replace(text).is_some() {
            return None;
        }
        rest = left;
    }
}

/// What stands before the closing quote, unescaped, and what comes after it (RFC 9110 5.6.4).
fn quoted_string(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((out, &text[at + 1..])),
            '\\' => out.push(chars.next()?.1),
            _ => out.push(char),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(value: &str) -> Option<String> {
        read(value, "bearer")?.error
    }

    #[test]
    fn the_error_is_found_wherever_it_stands() {
        for value in [
            r#"Bearer error="invalid_token""#,
            r#"bearer realm="https://bank.example", error="invalid_token", error_description="It expired.""#,
            r#"Bearer realm="a, error=\"no\"",error=invalid_token,scope="can_trade""#,
            "BEARER  error=invalid_token , realm=x",
        ] {
            assert_eq!(error(value).as_deref(), Some("invalid_token"), "{value}");
        }
    }

    #[test]
    fn what_says_nothing_or_twice_says_nothing() {
        assert_eq!(read(r#"Bearer realm="x""#, "bearer"), Some(Challenge::default()));
        assert_eq!(read("Bearer", "bearer"), Some(Challenge::default()));
        for value in [
            r#"Basic error="invalid_token""#,
            r#"Bearer error="invalid_token", error="invalid_token""#,
            r#"Bearer error="invalid_token"#,
            r#"Bearer realm="error=invalid_token""#,
            "Bearer invalid_token",
            "",
        ] {
            assert_eq!(error(value), None, "{value}");
        }
    }

    #[test]
    fn of_both_schemes_the_one_that_says_something_is_heard() {
        let said = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(WWW_AUTHENTICATE, http::HeaderValue::from_static(value));
            }
            of_token(&headers).and_then(|challenge| challenge.error)
        };
        let (bearer, dpop) =
            (r#"Bearer realm="x""#, r#"DPoP error="invalid_token", algs="ES256 PS256 EdDSA""#);
        assert_eq!(said(&[bearer, dpop]).as_deref(), Some("invalid_token"));
        assert_eq!(said(&[dpop]).as_deref(), Some("invalid_token"));
        assert_eq!(said(&[dpop, r#"Bearer error="other""#]).as_deref(), Some("other"));
        assert_eq!(said(&[bearer]), None);
        assert_eq!(said(&[]), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
            let _ = read(&text, "bearer");
            let _ = read(&format!("DPoP {text}"), "dpop");
        }

        #[test]
        fn what_is_quoted_is_read_back(text in "[ -~]{0,30}") {
            let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
            let value = format!(r#"Bearer realm="x", error_description="{quoted}""#);
            prop_assert_eq!(read(&value, "bearer").unwrap().description, Some(text));
        }
    }
}
