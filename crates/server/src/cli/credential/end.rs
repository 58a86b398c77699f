//! `--expires`: a point in time, or a number of days from now.

use clap::{Arg, ArgMatches};
use procura_protocol::time::UnixSeconds;
use procura_store::credential::CredentialKind;
use procura_store::records::Span;

use crate::exit::Failure;

const DAY: i64 = 24 * 60 * 60;
/// Ten years: whoever means longer means no end.
const MOST_DAYS: i64 = 3_650;

pub(super) fn argument(kind: CredentialKind) -> Arg {
    let help = match kind {
        CredentialKind::Certificate => {
            "When it proves nothing any more: RFC 3339 in UTC, or days as in 90d; never after its own end"
        }
        CredentialKind::Secret | CredentialKind::Key => {
            "When it proves nothing any more: RFC 3339 in UTC, or days as in 90d; without it, never"
        }
    };
    Arg::new("expires").long("expires").value_name("TIME").help(help)
}

/// The end that was asked for, which must be ahead.
pub(super) fn read(matches: &ArgMatches, now: UnixSeconds) -> Result<Option<UnixSeconds>, Failure> {
    let text = matches.get_one::<String>("expires");
    text.map(|text| end(text, now).map_err(Failure::usage)).transpose()
}

fn end(text: &str, now: UnixSeconds) -> Result<UnixSeconds, &'static str> {
    let days = text.strip_suffix('d').filter(|days| days.bytes().all(|b| b.is_ascii_digit()));
    let end = match days.map(str::parse::<i64>) {
        Some(Ok(days @ 1..=MOST_DAYS)) => now.plus(days * DAY),
        Some(_) => return Err("--expires takes 1d to 3650d"),
        None => UnixSeconds::parse_rfc3339(text)
            .map_err(|_| "--expires takes a time as in 2031-05-01T00:00:00Z, or days as in 90d")?,
    };
    if end <= now {
        return Err("--expires must lie ahead");
    }
    if end > Span::LATEST { Err("--expires lies too far ahead") } else { Ok(end) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_767_225_600);

    #[test]
    fn an_end_is_a_time_or_days_from_now() {
        assert_eq!(end("30d", NOW), Ok(NOW.plus(30 * 86_400)));
        assert_eq!(end("2026-01-01T00:00:01Z", NOW), Ok(NOW.plus(1)));
    }

    #[test]
    fn what_is_no_end_ahead_is_refused() {
        for bad in [
            "",
            "d",
            "0d",
            "-1d",
            "+1d",
            "3651d",
            "99999999999999999999d",
            "30",
            "30D",
            "2026-01-01T00:00:00Z",
            "2025-01-01T00:00:00Z",
            "2026-06-01",
            "2200-01-01T00:00:00Z",
        ] {
            assert!(end(bad, NOW).is_err(), "{bad}");
        }
    }
}
