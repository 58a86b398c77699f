//! Which changes need a mark: those that make the rule's answer smaller for a token that may be out.

use procura_store::administration::StoreError;
use procura_store::change::Entity;
use procura_store::mark::MarkKind;
use procura_store::records::Shrinks;

use super::shape::{Numbers, Stored};
use super::writing::Writing;

/// Seconds by which clocks of nodes may differ, with room: a window that was over for longer, or begins
/// later, had let no token out that still lives.
const CLOCK_ROOM: i64 = 60;

/// Writes the mark that the change from `before` to `after` (`None`: removed) needs, if it needs one.
///
/// A resource needs none: who disables one also ends its credentials, and with them the introspection
/// and the stream without which its guards answer nothing.
pub(crate) fn mark_if_smaller(
    writing: &mut Writing<'_>,
    before: &Stored,
    after: Option<&Stored>,
) -> Result<(), StoreError> {
    match kind_if_smaller(writing, before, after) {
        Some(kind) => mark(writing, kind, before),
        None => Ok(()),
    }
}

/// Marks every token of an application, whatever changed.
pub(crate) fn mark(writing: &mut Writing<'_>, kind: MarkKind, record: &Stored) -> Result<(), StoreError> {
    let key = |at: usize| record.values[at].as_deref().unwrap_or_default();
    let numbers = record.numbers;
    match kind {
        // The key of a trust is (client, application), the subject of its mark (application, client).
        MarkKind::Trust => writing.mark(kind, numbers, key(1), Some(key(0))),
        MarkKind::Mandate => writing.mark(kind, numbers, key(0), Some(key(1))),
        MarkKind::Client => writing.mark(kind, Numbers { number: 0, client: numbers.number }, key(0), None),
        MarkKind::Token | MarkKind::Contact | MarkKind::Application | MarkKind::Key | MarkKind::All => {
            writing.mark(kind, numbers, key(0), None)
        }
    }
}

fn kind_if_smaller(writing: &Writing<'_>, before: &Stored, after: Option<&Stored>) -> Option<MarkKind> {
    let stays_on = after.is_some_and(Stored::is_on);
    let (kind, smaller) = match before.entity {
        Entity::Contact => (MarkKind::Contact, !stays_on),
        Entity::Client => (MarkKind::Client, !stays_on),
        Entity::Application => (MarkKind::Application, !stays_on || application_shrinks(before, after)),
        Entity::Mandate => {
            let shrinks = |after: &Stored| before.as_mandate().shrinks_to(&after.as_mandate());
            (MarkKind::Mandate, may_be_in_tokens(writing, before) && after.is_none_or(shrinks))
        }
        Entity::Trust => {
            let shrinks = |after: &Stored| before.as_trust().shrinks_to(&after.as_trust());
            (MarkKind::Trust, may_be_in_tokens(writing, before) && after.is_none_or(shrinks))
        }
        Entity::Resource | Entity::Key | Entity::Token => return None,
    };
    (before.is_on() && smaller).then_some(kind)
}

fn may_be_in_tokens(writing: &Writing<'_>, before: &Stored) -> bool {
    let (now, window) = (writing.context.at.seconds(), before.window());
    !window.is_over(now.plus(-CLOCK_ROOM)) && !window.is_before(now.plus(CLOCK_ROOM))
}

fn application_shrinks(before: &Stored, after: Option<&Stored>) -> bool {
    let Some(after) = after else { return true };
    let loses_trust = before.get("trusted") == Some("true") && after.get("trusted") != Some("true");
    let kept = after.get("resources").unwrap_or_default();
    let loses_resource = before
        .get("resources")
        .unwrap_or_default()
        .split(' ')
        .any(|id| !id.is_empty() && !kept.split(' ').any(|other| other == id));
    loses_trust || loses_resource
}
