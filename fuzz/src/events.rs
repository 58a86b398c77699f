/// The stream of revocations as a guard reads it.
///
/// How the bytes are cut makes no difference, nothing is known before a whole snapshot, and nothing is
/// believed once an event did not fit. Whether a heartbeat was believed.
pub fn events(data: &[u8]) -> bool {
    procura_guard::fuzz_events(data)
}
