//! TLS without a token server: the files that a run needs, handshakes with one answer, and a generator of
//! load that can show a certificate, sign assertions and begin a new connection for every request.
//!
//! No load generator that is widely used does these three things, so this one does, with rustls, and with
//! nothing else that would be measured along.

mod answer;
mod files;
mod load;
mod plan;

pub(crate) use answer::serve;
pub(crate) use files::write;
pub(crate) use load::{Pace, Target, run};
