//! `ETag`, `If-Match` and `If-None-Match` (RFC 9110 8.8.3 and 13.1).

use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use procura_engine::contacts::{Precondition, StateTag};
use procura_jose::base64url;

/// A state as an entity tag: always a strong one.
pub(crate) fn etag(tag: StateTag) -> String {
    format!("\"{}\"", base64url::encode(&tag.0))
}

/// What `If-Match` demands. Only a strong tag of a state can match; any other is the tag of none.
///
/// # Errors
///
/// A sentence, when it is malformed: to take it for a tag that does not match would send its caller round
/// in circles.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Precondition, String> {
    Ok(match read(headers, &IF_MATCH)? {
        None | Some(Tags::Any) => Precondition::None,
        Some(Tags::These(tags)) => {
            let strong = tags.iter().filter(|tag| !tag.weak);
            Precondition::OneOf(strong.filter_map(|tag| state(tag.opaque)).collect())
        }
    })
}

/// Whether `If-None-Match` names the state: whoever asks has it already. Weak tags match too.
///
/// # Errors
///
/// A sentence, when it is malformed.
pub(crate) fn is_known(headers: &HeaderMap, tag: StateTag) -> Result<bool, String> {
    Ok(match read(headers, &IF_NONE_MATCH)? {
        None => false,
        Some(Tags::Any) => true,
        Some(Tags::These(tags)) => tags.iter().any(|known| state(known.opaque) == Some(tag)),
    })
}

fn state(opaque: &[u8]) -> Option<StateTag> {
    let bytes = base64url::decode(std::str::from_utf8(opaque).ok()?).ok()?;
    bytes.try_into().ok().map(StateTag)
}

#[derive(Debug, PartialEq, Eq)]
enum Tags<'h> {
    Any,
    These(Vec<Tag<'h>>),
}

#[derive(Debug, PartialEq, Eq)]
struct Tag<'h> {
    weak: bool,
    opaque: &'h [u8],
}

/// All fields of that name as one list.
fn read<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<Tags<'h>>, String> {
    let malformed = || format!("{name} must be * alone, or entity tags in quotes, separated by commas.");
    let fields: Vec<&[u8]> =
        headers.get_all(name).iter().map(|value| value.as_bytes().trim_ascii()).collect();
    match fields[..] {
        [] => return Ok(None),
        [b"*"] => return Ok(Some(Tags::Any)),
        _ => {}
    }
    let mut tags = Vec::new();
    for field in fields {
        read_list(field, &mut tags).ok_or_else(malformed)?;
    }
    if tags.is_empty() { Err(malformed()) } else { Ok(Some(Tags::These(tags))) }
}

/// A list whose elements may be empty (RFC 9110 5.6.1.2); `None` when it is malformed.
fn read_list<'h>(mut rest: &'h [u8], tags: &mut Vec<Tag<'h>>) -> Option<()> {
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Some(());
        }
        if let Some(after) = rest.strip_prefix(b",") {
            rest = after;
            continue;
        }
        let strong = rest.strip_prefix(b"W/");
        let quoted = strong.unwrap_or(rest).strip_prefix(b"\"")?;
        let end = quoted.iter().position(|byte| *byte == b'"')?;
        let (opaque, after) = (&quoted[..end], quoted[end + 1..].trim_ascii_start());
        if opaque.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
            return None;
        }
        tags.push(Tag { weak: strong.is_some(), opaque });
        if !after.is_empty() && !after.starts_with(b",") {
            return None;
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        let pairs = values.iter().map(|value| (name.clone(), HeaderValue::from_str(value).unwrap()));
        pairs.collect()
    }

    #[test]
    fn a_state_reads_back_from_its_tag_alone_or_among_others() {
        let (one, other) = (StateTag([7; 32]), StateTag([8; 32]));
        let (tag, weak) = (etag(one), format!("W/{}", etag(one)));
        let matching = |values: &[&str]| if_match(&headers(IF_MATCH, values)).unwrap();
        assert_eq!(matching(&[]), Precondition::None);
        assert_eq!(matching(&[" * "]), Precondition::None);
        assert_eq!(matching(&[&tag]), Precondition::OneOf(vec![one]));
        assert_eq!(
            matching(&[&format!("\"a,b\" ,, {tag},"), &etag(other)]),
            Precondition::OneOf(vec![one, other])
        );
        assert_eq!(matching(&[&weak]), Precondition::OneOf(Vec::new()));
        assert_eq!(matching(&["\"of-another-server\""]), Precondition::OneOf(Vec::new()));
        let known = |values: &[&str], state| is_known(&headers(IF_NONE_MATCH, values), state);
        assert_eq!(known(&[&weak], one), Ok(true));
        assert_eq!(known(&["*"], one), Ok(true));
        assert_eq!(known(&[&tag], other), Ok(false));
        assert_eq!(known(&[], one), Ok(false));
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for bad in [
            "",
            ",",
            "abc",
            "\"abc",
            "abc\"",
            "\"a\" \"b\"",
            "*, \"a\"",
            "\"a\", *",
            "w/\"a\"",
            "\"a b\"",
            "**",
        ] {
            assert!(if_match(&headers(IF_MATCH, &[bad])).is_err(), "{bad}");
            assert!(is_known(&headers(IF_NONE_MATCH, &[bad]), StateTag([0; 32])).is_err(), "{bad}");
        }
        assert!(if_match(&headers(IF_MATCH, &["*", "*"])).is_err());
    }
}
