use procura_protocol::original_uri::{MAX_ORIGINAL_URI, OriginalUri};

/// The target of a request that a proxy asks about.
///
/// What was read has segments that no reader can take for something else, and reads the same when every
/// segment is written again with all that may be escaped escaped. Whether it was read.
pub fn uri(data: &[u8]) -> bool {
    let Ok(uri) = OriginalUri::read(data) else {
        return false;
    };
    assert!(data.len() <= MAX_ORIGINAL_URI && uri.as_str().as_bytes() == data);
    let segments: Vec<_> = uri.segments().collect();
    for segment in &segments {
        assert!(segment != "." && segment != "..", "a segment of dots");
        assert!(!segment.contains(['/', '\\', ';', '%', '?', '#']), "a segment that is more than one");
        assert!(!segment.chars().any(char::is_control), "a control character");
    }
    let (last, others) = segments.split_last().unwrap_or_else(|| panic!("a path without segments"));
    assert!(others.iter().all(|segment| !segment.is_empty()), "an empty segment before {last:?}");
    let written: String = segments.iter().map(|segment| format!("/{}", escape(segment))).collect();
    let Ok(again) = OriginalUri::read(written.as_bytes()) else {
        // Escaping makes it longer.
        assert!(written.len() > MAX_ORIGINAL_URI, "what was read can't be read when it is written again");
        return true;
    };
    assert!(again.segments().eq(segments), "something else is read when it is written again");
    assert!(uri.query().count() <= uri.query_names().count(), "parameters without names");
    true
}

/// Everything but a dot, which must not be escaped.
fn escape(segment: &str) -> String {
    let escape = |byte: &u8| if *byte == b'.' { ".".to_owned() } else { format!("%{byte:02x}") };
    segment.as_bytes().iter().map(escape).collect()
}
