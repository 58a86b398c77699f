//! The cases, a file per group.

mod accepted;
mod algorithm;
mod bound;
mod claims;
mod client;
mod dpop;
mod header;
mod marks;
mod parties;
mod request;
mod signature;
mod text;
mod time;

use super::case::Case;
use super::keys::Keys;

/// All cases at a guard that knows keys and marks.
pub(super) fn cases(keys: &Keys) -> Vec<Case> {
    [
        accepted::cases(keys),
        request::cases(keys),
        text::cases(keys),
        header::cases(keys),
        algorithm::cases(keys),
        signature::cases(keys),
        claims::cases(keys),
        time::cases(keys),
        parties::cases(keys),
        bound::cases(keys),
        dpop::cases(keys),
        client::cases(keys),
        marks::cases(keys),
    ]
    .concat()
}

/// Cases at a guard that is cut off from the server.
pub(super) fn cut_off(keys: &Keys) -> Vec<Case> {
    marks::cut_off(keys)
}
