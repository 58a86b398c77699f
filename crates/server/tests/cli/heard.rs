//! What a test of the running binary hears of it, and when.

/// Unix seconds, as the system's clock has them: tests of the running binary live in its time.
pub(crate) fn now() -> u64 {
    let touched = tempfile::NamedTempFile::new().unwrap().as_file().metadata().unwrap().modified().unwrap();
    touched.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// A header of an answer as it came.
#[track_caller]
pub(crate) fn member(answer: &str, name: &str) -> String {
    let lines = answer.lines().take_while(|line| !line.is_empty());
    let mut values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    values.next().unwrap_or_else(|| panic!("{name} is not in {answer}")).to_owned()
}
