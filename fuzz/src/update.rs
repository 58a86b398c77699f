use procura_protocol::contact_update::{ContactUpdate, PERSONAL};

/// A body of `PATCH /contacts/{contact_id}`.
///
/// Nothing is both given and taken, no member of the person is named twice, and what was read without a
/// fault can be written and reads the same. Whether all of it was read.
pub fn update(data: &[u8]) -> bool {
    let Ok((update, faults)) = ContactUpdate::parse(data) else {
        return false;
    };
    assert!((update.granted & update.taken).is_empty(), "a permission is given and taken");
    for (at, (name, _)) in update.personal.iter().enumerate() {
        assert!(PERSONAL.contains(name), "{name} is nothing of a person's");
        assert!(update.personal[..at].iter().all(|(other, _)| other != name), "{name} comes twice");
    }
    let Ok(text) = serde_json::to_vec(&update) else {
        panic!("what was read can't be written");
    };
    let Ok((again, none)) = ContactUpdate::parse(&text) else {
        panic!("what was read can't be read when it is written again");
    };
    assert!(none.is_empty() && again == update, "something else is read when it is written again");
    faults.is_empty()
}
