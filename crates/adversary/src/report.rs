//! The report: a table for people, one JSON document or JUnit XML for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use crate::case::Case;
use crate::run::{Counts, Ended, Report};

/// For people: what failed and why, what departs, what was skipped by reason, and a table of the doors.
pub fn text(report: &Report) -> String {
    let mut text = format!("{}\n", report.server);
    let failed = |ended: &Ended, unshown| match ended {
        Ended::Fail { sent, came, nothing_shown } if *nothing_shown == unshown => {
            Some(format!("    sent  {sent}\n    came  {came}\n"))
        }
        _ => None,
    };
    section(&mut text, "Failed", report, |ended| failed(ended, false));
    section(&mut text, "Failed before an attack was made", report, |ended| failed(ended, true));
    section(&mut text, "Departures that are declared", report, |ended| match ended {
        Ended::Departure { reason, sent, came } => {
            Some(format!("    reason  {reason}\n    sent    {sent}\n    came    {came}\n"))
        }
        _ => None,
    });
    skipped(&mut text, report);
    doors(&mut text, report);
    let Counts { passed, failed, nothing_shown, departures, skipped } = report.counts();
    let _ = write!(
        text,
        "\n{} cases: {passed} pass, {failed} fail, {departures} depart as declared, {skipped} were skipped",
        report.cases.len()
    );
    if nothing_shown > 0 {
        let _ = write!(
            text,
            "\nOf those that fail, {nothing_shown} show nothing about an attack: the honest request was refused"
        );
    }
    text
}

fn section(text: &mut String, title: &str, report: &Report, told: impl Fn(&Ended) -> Option<String>) {
    let mut first = true;
    for outcome in &report.cases {
        let Some(more) = told(&outcome.ended) else { continue };
        if first {
            let _ = write!(text, "\n{title}\n");
            first = false;
        }
        let _ =
            write!(text, "\n  {}  ({})\n    {}\n{more}", outcome.id, outcome.source, plain(&outcome.title));
    }
}

/// By reason: a hundred cases may want for one thing.
fn skipped(text: &mut String, report: &Report) {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for outcome in &report.cases {
        if let Ended::Skip { reason } = &outcome.ended {
            reasons.entry(reason).or_default().push(&outcome.id);
        }
    }
    if !reasons.is_empty() {
        text.push_str("\nSkipped\n\n");
    }
    for (reason, ids) in reasons {
        let _ = writeln!(text, "  {}: {}", plain(reason), some(&ids));
    }
}

fn some(ids: &[&str]) -> String {
    match ids {
        [one] => (*one).to_owned(),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
        [] => String::new(),
    }
}

fn doors(text: &mut String, report: &Report) {
    let _ = write!(text, "\n{:20}{:>8}{:>8}{:>12}{:>8}\n", "door", "pass", "fail", "departure", "skip");
    let mut rows: BTreeMap<&str, Counts> = BTreeMap::new();
    for outcome in &report.cases {
        let row = rows.entry(outcome.door.name()).or_default();
        match outcome.ended {
            Ended::Pass => row.passed += 1,
            Ended::Fail { .. } => row.failed += 1,
            Ended::Departure { .. } => row.departures += 1,
            Ended::Skip { .. } => row.skipped += 1,
        }
    }
    for (door, counts) in rows {
        let Counts { passed, failed, departures, skipped, .. } = counts;
        let _ = writeln!(text, "{door:20}{passed:>8}{failed:>8}{departures:>12}{skipped:>8}");
    }
}

/// For programs.
pub fn json(report: &Report) -> String {
    let counts = report.counts();
    json!({"server": report.server, "counts": counts, "cases": report.cases}).to_string()
}

/// For whatever collects the results of tests. Departures count as passed and say so.
pub fn junit(report: &Report) -> String {
    let counts = report.counts();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"adversary: {}\" tests=\"{}\" \
         failures=\"{}\" skipped=\"{}\">\n",
        escaped(&report.server),
        report.cases.len(),
        counts.failed,
        counts.skipped
    );
    for outcome in &report.cases {
        let head =
            format!("<testcase classname=\"{}\" name=\"{}\"", outcome.door.name(), escaped(&outcome.id));
        let about = format!("{} ({})", outcome.title, outcome.source);
        let _ = match &outcome.ended {
            Ended::Pass => writeln!(xml, "{head}/>"),
            Ended::Fail { sent, came, .. } => writeln!(
                xml,
                "{head}><failure message=\"{}\">sent: {}\ncame: {}</failure></testcase>",
                escaped(&about),
                escaped(sent),
                escaped(came)
            ),
            Ended::Departure { reason, .. } => {
                writeln!(
                    xml,
                    "{head}><system-out>departs as declared: {}</system-out></testcase>",
                    escaped(reason)
                )
            }
            Ended::Skip { reason } => {
                writeln!(xml, "{head}><skipped message=\"{}\"/></testcase>", escaped(reason))
            }
        };
    }
    xml.push_str("</testsuite>\n</testsuites>\n");
    xml
}

/// The cases themselves, for people or for programs.
pub fn list<'c>(cases: impl IntoIterator<Item = &'c Case>, as_json: bool) -> String {
    let cases = cases.into_iter();
    if as_json {
        let values = cases.map(
            |case| json!({"id": case.id, "title": case.title, "source": case.source, "door": case.door}),
        );
        return serde_json::Value::Array(values.collect()).to_string();
    }
    let mut text = String::new();
    let mut count = 0;
    for case in cases {
        count += 1;
        let Case { id, title, source, door, .. } = case;
        let _ = writeln!(text, "{id}\n    {}\n    {door}; {source}", plain(title));
    }
    let _ = write!(text, "{count} cases");
    text
}

/// Text that can't move the cursor.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() })
        .collect()
}

fn escaped(text: &str) -> String {
    let plain = plain(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    plain.replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::Door;
    use crate::run::Outcome;

    fn report() -> Report {
        let outcome = |id: &str, ended| Outcome {
            id: id.to_owned(),
            title: "It <must> hold".to_owned(),
            source: "RFC 0",
            door: Door::JwtBearer,
            ended,
        };
        let fail = Ended::Fail {
            sent: "a \"thing\"".to_owned(),
            came: "200 & a token\u{1b}".to_owned(),
            nothing_shown: false,
        };
        let unshown = Ended::Fail {
            sent: "the honest request".to_owned(),
            came: "401".to_owned(),
            nothing_shown: true,
        };
        let skip = || Ended::Skip { reason: "no key".to_owned() };
        let departure = Ended::Departure {
            reason: "as we like".to_owned(),
            sent: "this".to_owned(),
            came: "that".to_owned(),
        };
        Report {
            server: "Server".to_owned(),
            cases: vec![
                outcome("a", Ended::Pass),
                outcome("b", fail),
                outcome("c", skip()),
                outcome("d", skip()),
                outcome("e", departure),
                outcome("f", unshown),
            ],
        }
    }

    #[test]
    fn people_read_failures_departures_skips_by_reason_and_a_table() {
        let text = text(&report());
        for part in [
            "  b  (RFC 0)\n    It <must> hold\n    sent  a \"thing\"\n    came  200 & a token",
            "    reason  as we like",
            "  no key: c and 1 more",
            "Failed before an attack was made\n\n  f  (RFC 0)",
            "jwt_bearer                 1       2           1       2",
            "6 cases: 1 pass, 2 fail, 1 depart as declared, 2 were skipped",
            "Of those that fail, 1 show nothing",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn programs_read_one_document() {
        let value: serde_json::Value = serde_json::from_str(&json(&report())).unwrap();
        assert_eq!(value["counts"]["failed"], 2);
        assert_eq!(value["counts"]["nothing_shown"], 1);
        assert_eq!(value["cases"][1]["verdict"], "fail");
        assert_eq!(value["cases"][2]["reason"], "no key");
        assert_eq!(value["cases"][0]["door"], "jwt_bearer");
    }

    #[test]
    fn junit_is_escaped_and_counts() {
        let xml = junit(&report());
        assert!(xml.contains("tests=\"6\" failures=\"2\" skipped=\"2\""), "{xml}");
        assert!(xml.contains("message=\"It &lt;must&gt; hold (RFC 0)\">sent: a &quot;thing&quot;"), "{xml}");
        assert!(xml.contains("200 &amp; a token\\u{1b}"), "{xml}");
        assert!(!xml.contains('\u{1b}'));
    }
}
