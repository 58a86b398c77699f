//! Asking again when that can help, and giving up in time.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use procura_jose::random::Random;
use tokio::time::{sleep, timeout_at};

use crate::error::Error;
use crate::transport::{TransportError, TransportErrorKind};

/// How often and how long to ask. The waits between tries count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    pub(crate) tries: u32,
    pub(crate) altogether: Duration,
    pub(crate) one_try: Duration,
    /// Whether to send again what may have arrived already: when the connection broke or time was up.
    pub(crate) may_repeat: bool,
}

/// What makes an answer a success.
pub(crate) type Judge = fn(&Response<Bytes>) -> Result<(), Error>;

impl Patience {
    /// For a token or a document.
    pub(crate) const SHORT: Patience = Patience {
        tries: 3,
        altogether: Duration::from_secs(10),
        one_try: Duration::from_secs(5),
        may_repeat: true,
    };
    /// For a change: the second of two equal ones would meet what the first one left.
    pub(crate) const CHANGE: Patience = Patience { may_repeat: false, ..Patience::SHORT };
    /// For a list of contacts, which the server itself may hold back for 10 s and then streams.
    pub(crate) const LONG: Patience = Patience {
        tries: 3,
        altogether: Duration::from_secs(120),
        one_try: Duration::from_secs(60),
        may_repeat: true,
    };
}

/// First wait without a `Retry-After`; the next is four times as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Most that is added so that many askers don't come back together.
const JITTER: Duration = Duration::from_millis(250);

/// Tries until an answer came that is judged a success, an error that does not pass, the last try,
/// or a wait that would end too late: then the last error is returned at once.
pub(crate) async fn send<F: Future<Output = Result<Response<Bytes>, Error>>>(
    random: &dyn Random,
    patience: Patience,
    judge: Judge,
    once: impl Fn() -> F,
) -> Result<Response<Bytes>, Error> {
    // A sleep that nobody awaits knows its deadline, and so does not need the clock to be read.
    let end = sleep(patience.altogether).deadline();
    let mut tried = 0;
    loop {
        tried += 1;
        let until = sleep(patience.one_try).deadline().min(end);
        let error = match timeout_at(until, once()).await {
            Ok(Ok(response)) => match judge(&response) {
                Ok(()) => return Ok(response),
                Err(error) => error,
            },
            Ok(Err(error)) => error,
            Err(_) => TransportError::new(TransportErrorKind::Timeout).into(),
        };
        let may_repeat = patience.may_repeat || !matches!(error, Error::Transport(_));
        if tried >= patience.tries || !error.is_passing() || !may_repeat {
            return Err(error);
        }
        let pause = sleep(wait_before_next(&error, tried, random));
        if pause.deadline() >= end {
            return Err(error);
        }
        pause.await;
    }
}

fn wait_before_next(error: &Error, tried: u32, random: &dyn Random) -> Duration {
    let asked = match error {
        Error::Unavailable { retry_after, .. } => *retry_after,
        _ => None,
    };
    let wait = asked.unwrap_or_else(|| FIRST_WAIT * 4u32.saturating_pow(tried.saturating_sub(1)));
    let mut byte = [0];
    random.fill(&mut byte);
    wait + JITTER * u32::from(byte[0]) / 255
}
