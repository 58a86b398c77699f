//! Every figure once: its name in JSON, which ends in its unit, its place in the table, and what is to
//! be reached.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

/// A figure that the bench knows.
struct Known {
    name: &'static str,
    label: &'static str,
    unit: &'static str,
    digits: usize,
    target: Target,
}

/// What is to be reached.
#[derive(Clone, Copy)]
enum Target {
    None,
    AtLeast(f64),
    AtMost(f64),
}

const fn known(
    name: &'static str,
    label: &'static str,
    unit: &'static str,
    digits: usize,
    target: Target,
) -> Known {
    Known { name, label, unit, digits, target }
}

use Target::{AtLeast, AtMost, None as Open};

const KNOWN: &[Known] = &[
    known("axum_answer_cpu_us", "Part: an axum answer of the same size, CPU", "us", 1, Open),
    known("es256_signature_cpu_us", "Part: an ES256 signature, CPU (a token has two)", "us", 1, Open),
    known("journal_batch_records", "Records in a batch of the server's journal", "", 0, Open),
    known("journal_record_cpu_us", "Part: a journal record in such batches, CPU", "us", 1, Open),
    known("median_sync_us", "Such a batch, written and synced, median", "us", 0, Open),
    known("floor_cpu_us_per_token", "The parts together, CPU", "us", 1, Open),
    known("cpu_us_per_token", "A contact token, CPU", "us", 1, Open),
    known("share_of_floor", "The parts' share of that", "", 2, AtLeast(0.65)),
    known("contact_tokens_per_s", "Contact tokens, one core, 64 connections", "/s", 0, AtLeast(17_500.0)),
    known("contact_tokens_per_s_32_connections", "Contact tokens, one core, 32 connections", "/s", 0, Open),
    known("p50_full_load_ms", "p50 at full load, 64 connections", "ms", 2, Open),
    known("p99_full_load_ms", "p99 at full load, 64 connections", "ms", 2, Open),
    known("p50_full_load_32_connections_ms", "p50 at full load, 32 connections", "ms", 2, Open),
    known("p99_full_load_32_connections_ms", "p99 at full load, 32 connections", "ms", 2, Open),
    known("p50_70_percent_ms", "p50 at 70 % of full load, 64 connections", "ms", 2, Open),
    known("p99_70_percent_ms", "p99 at 70 % of full load, 64 connections", "ms", 2, AtMost(10.0)),
    known("p50_70_percent_32_connections_ms", "p50 at 70 % of full load, 32 connections", "ms", 2, Open),
    known(
        "p99_70_percent_32_connections_ms",
        "p99 at 70 % of full load, 32 connections",
        "ms",
        2,
        AtMost(10.0),
    ),
    known(
        "contact_tokens_per_s_two_cores",
        "Contact tokens, two cores shared with the generator, 64 connections",
        "/s",
        0,
        Open,
    ),
    known(
        "contact_tokens_per_s_two_cores_32_connections",
        "Contact tokens, two cores shared with the generator, 32 connections",
        "/s",
        0,
        Open,
    ),
    known("rss_idle_mb", "Resident memory idle, 10,000 contacts", "MB", 1, AtMost(25.0)),
    known("rss_load_mb", "Resident memory under load", "MB", 1, Open),
    known("start_to_first_token_ms", "From start to first token", "ms", 0, AtMost(150.0)),
    known("binary_mb", "Binary, stripped", "MB", 1, AtMost(25.0)),
    known("tokens", "Tokens fetched", "", 0, Open),
    known("journal_bytes_per_token", "Journal, for a token with three clients", "bytes", 1, AtMost(200.0)),
    known("directory_growth_bytes", "Growth of the directory", "bytes", 0, AtMost(0.0)),
    known("audit_verify_records_per_s", "Records verified by audit verify", "/s", 0, AtLeast(100_000.0)),
    known("directory_load_s", "Start with 1,000,000 contacts, 3,000,000 mandates", "s", 2, AtMost(5.0)),
    known("directory_rss_mb", "Resident memory with them", "MB", 0, AtMost(300.0)),
    known("directory_import_s", "Importing all of it into an empty directory", "s", 0, Open),
    known("p99_large_directory_ms", "p99 at 70 % of full load, that directory", "ms", 2, Open),
    known("p99_small_directory_ms", "p99 at the same rate, a directory of 100 contacts", "ms", 2, Open),
    known("p99_large_to_small", "The first over the second", "", 2, AtMost(1.2)),
    known(
        "change_in_force_ms",
        "A change by the CLI: from its end to in force, median",
        "ms",
        0,
        AtMost(250.0),
    ),
    known("change_in_force_max_ms", "The same, the longest", "ms", 0, AtMost(250.0)),
    known(
        "change_in_force_from_start_ms",
        "From the start of the command to in force, median",
        "ms",
        0,
        Open,
    ),
    known("large_import_s", "Importing 1,000,000 changed mandates while serving", "s", 1, Open),
    known("large_import_in_force_s", "From the end of that command to in force", "s", 2, AtMost(5.0)),
    known("large_import_rss_mb", "Resident memory after it", "MB", 0, Open),
    known("guard_token_bytes", "An access token with three clients", "bytes", 0, Open),
    known("es256_verification_cpu_us", "Part: an ES256 verification, CPU", "us", 1, Open),
    known("guard_fresh_check_cpu_us", "A guard's check of a token it never saw, CPU", "us", 1, Open),
    known("guard_fresh_share", "The verification's share of that", "", 2, AtLeast(0.85)),
    known("guard_sha256_cpu_us", "Part: SHA-256 of the token's bytes, CPU", "us", 2, Open),
    known("guard_repeated_check_cpu_us", "A guard's check of a token it saw before, CPU", "us", 2, Open),
    known("guard_repeated_beyond_hash_us", "That beyond the SHA-256", "us", 2, AtMost(1.0)),
    known(
        "guard_bound_raw_pair_cpu_us",
        "Part: the ES256 verifications of a token and of its proof, CPU",
        "us",
        1,
        Open,
    ),
    known(
        "guard_bound_fresh_check_cpu_us",
        "A guard's check of a new token that is bound to a key, with a new proof, CPU",
        "us",
        1,
        Open,
    ),
    known("guard_bound_fresh_share", "The verifications' share of that", "", 2, AtLeast(0.80)),
    known(
        "guard_bound_repeated_check_cpu_us",
        "The same of a token that it saw before, with a new proof, CPU",
        "us",
        1,
        Open,
    ),
    known("guard_bound_repeated_share", "The proof's verification's share of that", "", 2, Open),
    known(
        "guard_resident_mb",
        "A guard with 100,000 marks and a full cache, resident",
        "MB",
        1,
        AtMost(10.0),
    ),
    known("guard_marks_resident_mb", "Of that the marks", "MB", 1, Open),
    known("guard_marks_table_mb", "Their table alone", "MB", 1, Open),
    known(
        "guard_delay_median_ms",
        "From the answer to /revoke to the guard's refusal, median",
        "ms",
        2,
        Open,
    ),
    known("guard_delay_longest_ms", "The same, the longest of 100", "ms", 2, AtMost(5_000.0)),
    known("axum_empty_cpu_us", "Part: an empty axum answer, CPU", "us", 1, Open),
    known("introspection_cpu_us", "/introspect, warm, CPU", "us", 1, Open),
    known("introspection_share", "The empty answer's share of that", "", 2, AtLeast(0.5)),
    known("forward_auth_cpu_us", "/forward-auth, warm, CPU", "us", 1, Open),
    known("forward_auth_share", "The empty answer's share of that", "", 2, AtLeast(0.5)),
    known("plain_token_cpu_us", "A contact token by secret, plain HTTP, CPU", "us", 1, Open),
    known("tls_token_cpu_us", "The same over a kept TLS connection, CPU", "us", 1, Open),
    known("tls_share_of_plain", "Its rate as a share of plain HTTP's", "", 2, AtLeast(0.75)),
    known("tls_tokens_per_core_s", "Contact tokens over TLS, one core", "/s", 0, Open),
    known("mutual_tls_token_cpu_us", "By certificate over a kept connection, CPU", "us", 1, Open),
    known("mutual_tls_share_of_plain", "Its rate as a share of plain HTTP's", "", 2, AtLeast(0.75)),
    known("mutual_tls_tokens_per_core_s", "Contact tokens by certificate, one core", "/s", 0, Open),
    known(
        "bare_mutual_handshake_cpu_us",
        "Part: a rustls handshake with certificates and one answer, CPU",
        "us",
        1,
        Open,
    ),
    known(
        "mutual_tls_new_connection_token_cpu_us",
        "A new connection by certificate and one token, CPU",
        "us",
        1,
        Open,
    ),
    known("mutual_tls_new_connection_share", "The handshake's share of that", "", 2, AtLeast(0.80)),
    known("mutual_tls_new_connection_tokens_per_core_s", "Such tokens, one core", "/s", 0, Open),
    known("assertion_verification_cpu_us", "Part: an ES256 verification, CPU", "us", 1, Open),
    known(
        "assertion_parts_cpu_us",
        "Answer, verification, two signatures, two records together, CPU",
        "us",
        1,
        Open,
    ),
    known("assertion_token_cpu_us", "A contact token by private_key_jwt, CPU", "us", 1, Open),
    known("assertion_share", "The parts' share of that", "", 2, AtLeast(0.60)),
    known("assertion_tokens_per_core_s", "Contact tokens by private_key_jwt, one core", "/s", 0, Open),
    known("attack_wrong_secrets_per_s", "Wrong secrets tried by an attack", "/s", 0, Open),
    known("p99_quiet_ms", "p99 of honest callers at 30 % of full load", "ms", 2, Open),
    known("p99_attacked_ms", "The same during the attack", "ms", 2, Open),
    known("p99_attacked_to_quiet", "The second over the first", "", 2, AtMost(2.0)),
    known("door_signature_cpu_us", "Part: an ES256 signature, CPU", "us", 1, Open),
    known("door_verification_cpu_us", "Part: an ES256 verification, CPU", "us", 1, Open),
    known("door_record_cpu_us", "Part: a journal record in the batches of this run, CPU", "us", 1, Open),
    known("door_mark_cpu_us", "Part: a mark for a proof that is used up, CPU", "us", 2, Open),
    known("own_token_parts_cpu_us", "Parts: own token, by secret, CPU", "us", 1, Open),
    known("own_token_cpu_us", "Own token, by secret, CPU", "us", 1, Open),
    known("own_token_share", "The parts' share of that", "", 2, AtLeast(0.60)),
    known("own_token_by_key_parts_cpu_us", "Parts: own token, by private_key_jwt, CPU", "us", 1, Open),
    known("own_token_by_key_cpu_us", "Own token, by private_key_jwt, CPU", "us", 1, Open),
    known("own_token_by_key_share", "The parts' share of that", "", 2, AtLeast(0.60)),
    known("jwt_bearer_parts_cpu_us", "Parts: JWT bearer grant, by secret, CPU", "us", 1, Open),
    known("jwt_bearer_cpu_us", "JWT bearer grant, by secret, CPU", "us", 1, Open),
    known("jwt_bearer_share", "The parts' share of that", "", 2, AtLeast(0.60)),
    known(
        "jwt_bearer_by_key_parts_cpu_us",
        "Parts: JWT bearer grant, by private_key_jwt, CPU",
        "us",
        1,
        Open,
    ),
    known("jwt_bearer_by_key_cpu_us", "JWT bearer grant, by private_key_jwt, CPU", "us", 1, Open),
    known("jwt_bearer_by_key_share", "The parts' share of that", "", 2, AtLeast(0.60)),
    known("token_exchange_parts_cpu_us", "Parts: token exchange, by secret, CPU", "us", 1, Open),
    known("token_exchange_cpu_us", "Token exchange, by secret, CPU", "us", 1, Open),
    known("token_exchange_share", "The parts' share of that", "", 2, AtLeast(0.60)),
    known(
        "token_exchange_by_key_parts_cpu_us",
        "Parts: token exchange, by private_key_jwt, CPU",
        "us",
        1,
        Open,
    ),
    known("token_exchange_by_key_cpu_us", "Token exchange, by private_key_jwt, CPU", "us", 1, Open),
    known("token_exchange_by_key_share", "The parts' share of that", "", 2, AtLeast(0.60)),
    known(
        "token_exchange_openid_parts_cpu_us",
        "Parts: token exchange with an ID token, by secret, CPU",
        "us",
        1,
        Open,
    ),
    known("token_exchange_openid_cpu_us", "Token exchange with an ID token, by secret, CPU", "us", 1, Open),
    known("token_exchange_openid_share", "The parts' share of that", "", 2, AtLeast(0.60)),
    known(
        "token_exchange_openid_by_key_parts_cpu_us",
        "Parts: token exchange with an ID token, by private_key_jwt, CPU",
        "us",
        1,
        Open,
    ),
    known(
        "token_exchange_openid_by_key_cpu_us",
        "Token exchange with an ID token, by private_key_jwt, CPU",
        "us",
        1,
        Open,
    ),
    known("token_exchange_openid_by_key_share", "The parts' share of that", "", 2, AtLeast(0.60)),
    known("dpop_token_parts_cpu_us", "Parts: /token/{contact_id} with DPoP, by secret, CPU", "us", 1, Open),
    known("dpop_token_cpu_us", "/token/{contact_id} with DPoP, by secret, CPU", "us", 1, Open),
    known("dpop_token_share", "The parts' share of that", "", 2, AtLeast(0.60)),
    known(
        "dpop_token_by_key_parts_cpu_us",
        "Parts: /token/{contact_id} with DPoP, by private_key_jwt, CPU",
        "us",
        1,
        Open,
    ),
    known(
        "dpop_token_by_key_cpu_us",
        "/token/{contact_id} with DPoP, by private_key_jwt, CPU",
        "us",
        1,
        Open,
    ),
    known("dpop_token_by_key_share", "The parts' share of that", "", 2, AtLeast(0.60)),
];

impl Known {
    fn show(&self, value: f64) -> String {
        let digits = self.digits;
        format!("{} {}", grouped(value, digits), self.unit).trim_end().to_owned()
    }

    fn goal(&self) -> String {
        match self.target {
            Target::None => String::new(),
            AtLeast(bound) => format!("at least {}", self.show(bound)),
            AtMost(bound) => format!("at most {}", self.show(bound)),
        }
    }

    fn verdict(&self, value: f64) -> &'static str {
        match self.target {
            Target::None => "",
            AtLeast(bound) if value >= bound => "reached",
            AtMost(bound) if value <= bound => "reached",
            AtLeast(_) | AtMost(_) => "MISSED",
        }
    }
}

/// What was measured.
#[derive(Default)]
pub(super) struct Figures(HashMap<&'static str, f64>);

impl Figures {
    /// Keeps a figure, whose name must be known.
    pub(super) fn set(&mut self, name: &'static str, value: f64) {
        debug_assert!(KNOWN.iter().any(|known| known.name == name), "{name}");
        self.0.insert(name, value);
    }

    fn measured(&self) -> impl Iterator<Item = (&'static Known, f64)> {
        KNOWN.iter().filter_map(|known| Some((known, *self.0.get(known.name)?)))
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let width = self.measured().map(|(known, _)| known.label.len()).max().unwrap_or(0);
        self.measured().fold(String::new(), |mut text, (known, value)| {
            let (shown, goal) = (known.show(value), known.goal());
            let line = format!("{:width$}  {shown:>14}  {goal:20}  {}", known.label, known.verdict(value));
            let _ = writeln!(text, "{}", line.trim_end());
            text
        })
    }

    /// For `docs/performance.md`.
    pub(super) fn markdown(&self) -> String {
        let head = "| what | measured | to reach |\n|---|---|---|\n".to_owned();
        self.measured().fold(head, |mut text, (known, value)| {
            let _ = writeln!(text, "| {} | {} | {} |", known.label, known.show(value), known.goal());
            text
        })
    }

    /// For programs: every figure under a name that ends in its unit.
    pub(super) fn json(&self) -> Value {
        let rounded = |value: f64| Value::from((value * 1e4).round() / 1e4);
        let members = self.measured().map(|(known, value)| (known.name.to_owned(), rounded(value)));
        Value::Object(members.collect::<Map<_, _>>())
    }
}

/// A number with commas between thousands.
fn grouped(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, rest) =
        text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let mut out = String::from(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(rest) = rest {
        out.push('.');
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        assert_eq!(grouped(17_500.4, 0), "17,500");
        assert_eq!(grouped(-1_234_567.89, 1), "-1,234,567.9");
        assert_eq!(grouped(42.0, 2), "42.00");
    }

    #[test]
    fn names_are_unique_and_a_missed_target_is_told() {
        let names: std::collections::HashSet<_> = KNOWN.iter().map(|known| known.name).collect();
        assert_eq!(names.len(), KNOWN.len());
        let mut figures = Figures::default();
        figures.set("share_of_floor", 0.5);
        assert!(figures.table().contains("MISSED"), "{}", figures.table());
        figures.set("share_of_floor", 0.7);
        assert!(figures.table().contains("reached"), "{}", figures.table());
        assert_eq!(figures.json()["share_of_floor"], 0.7);
    }
}
