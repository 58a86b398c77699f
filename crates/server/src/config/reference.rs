//! Every setting, once: its name, what it may be, what it is when nobody says, and why one would change
//! it. The file's reader, the environment's reader, `config check` and `config reference` all read this
//! table, so a setting can't be documented wrongly or forgotten. [`super::reference_text`] writes it down.

use procura_protocol::client_assertion::LONGEST_ASSERTION_LIFETIME;

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Table and key, as in `server.listen`; of a setting outside tables the key alone.
    pub(crate) path: &'static str,
    /// What it may be.
    pub(crate) kind: Kind,
    /// What it is when nobody says.
    pub(crate) default: Default,
    /// What it does, in lines of a comment.
    pub(crate) about: &'static str,
}

/// What a setting may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An issuer URL.
    Issuer,
    /// A path; in a file, relative to that file's folder.
    Path,
    /// An address and a port.
    Address,
    /// An address and a port, or `none`.
    AddressOrNone,
    /// An address and a port, or `unix:` and the whole path of a socket.
    AddressOrUnix,
    /// A URL that paths are appended to.
    BaseUrl,
    /// A DNS name or an IP address.
    Name,
    /// A whole number.
    Whole {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// `true` or `false`.
    Boolean,
    /// A filter of the log.
    Filter,
    /// Addresses and networks, separated by spaces.
    Networks,
    /// Where an OpenTelemetry collector takes what it is sent.
    Endpoint,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// What a setting is when nobody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Default {
    /// This, as it would stand in the file.
    Toml(&'static str),
    /// Nothing; the text is an example to print in the reference.
    Absent(&'static str),
}

/// A table of the file.
#[derive(Debug)]
pub(crate) struct Table {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it is about.
    pub(crate) about: &'static str,
}

/// The tables that hold settings, in the order of the reference.
pub(crate) const TABLES: &[Table] = &[
    Table { name: "server", about: "Where and how the server listens." },
    Table { name: "tls", about: "A listener with TLS that asks nobody for a certificate." },
    Table {
        name: "mutual_tls",
        about: "A listener with TLS that asks every caller for a certificate, and what those of applications are\n\
                # judged by.",
    },
    Table {
        name: "proxy",
        about: "A listener for proxies that end TLS and tell their callers' certificates (RFC 9440: Client-Cert).\n\
                # Whoever reaches it can claim to be any application with a certificate: only the proxy may.",
    },
    Table { name: "tokens", about: "What tokens may be." },
    Table {
        name: "dpop",
        about: "Proofs of possession (RFC 9449): at the token endpoints, the server's own API and forward auth.",
    },
    Table { name: "keys", about: "The life of signing keys, and what they are sealed under." },
    Table { name: "application_keys", about: "How the keys are fetched that applications publish." },
    Table { name: "journal", about: "The record of every issue, refusal and change." },
    Table { name: "limits", about: "What one caller, and all together, may take." },
    Table { name: "log", about: "What is told on standard error." },
    Table { name: "metrics", about: "What is measured, for Prometheus." },
    Table { name: "tracing", about: "A span for each request, sent to an OpenTelemetry collector." },
];

/// The longest that `tokens.lifetime` may be, in seconds. Marks are kept for as long, whatever is set.
pub(crate) const LONGEST_LIFETIME: u64 = 14_400;

/// Every setting, tables together, in the order of the reference.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        path: "issuer",
        kind: Kind::Issuer,
        default: Default::Absent("https://token.example"),
        about: "The name of this server: `iss` of its tokens and the start of its URLs. An https URL; http\n\
                only on loopback. Without it: https:// (or http:// without TLS) and the bound address, if that is\n\
                loopback.",
    },
    Setting {
        path: "data",
        kind: Kind::Path,
        default: Default::Absent("/var/lib/procura"),
        about: "The data folder that `procura init` made: directory, journal, keys. --data says it too.",
    },
    Setting {
        path: "server.listen",
        kind: Kind::AddressOrNone,
        default: Default::Toml("\"127.0.0.1:8080\""),
        about: "Address and port of plain HTTP, or none. On anything but loopback, something in front must end TLS.",
    },
    Setting {
        path: "server.threads",
        kind: Kind::Whole { min: 1, max: 1024 },
        default: Default::Absent("4"),
        about: "Threads that answer requests. Without it: one for each core.",
    },
    Setting {
        path: "tls.listen",
        kind: Kind::Address,
        default: Default::Absent("127.0.0.1:8443"),
        about: "Address and port. Without it there is no such listener.",
    },
    Setting {
        path: "tls.certificate_file",
        kind: Kind::Path,
        default: Default::Absent("/etc/procura/certificate.pem"),
        about: "PEM: the server's certificate first, then those that issued it. Read again when it or the key\n\
                has changed, within seconds or at once at SIGHUP; a pair that does not fit is not taken.",
    },
    Setting {
        path: "tls.key_file",
        kind: Kind::Path,
        default: Default::Absent("/etc/procura/certificate.key"),
        about: "PEM: its private key, in a file that only the server's user can read.",
    },
    Setting {
        path: "mutual_tls.listen",
        kind: Kind::Address,
        default: Default::Absent("127.0.0.1:9443"),
        about: "Address and port. Without it there is no such listener.",
    },
    Setting {
        path: "mutual_tls.certificate_file",
        kind: Kind::Path,
        default: Default::Absent("/etc/procura/mutual.pem"),
        about: "As in [tls], whose pair is used without one here.",
    },
    Setting {
        path: "mutual_tls.key_file",
        kind: Kind::Path,
        default: Default::Absent("/etc/procura/mutual.key"),
        about: "As in [tls].",
    },
    Setting {
        path: "mutual_tls.base_url",
        kind: Kind::BaseUrl,
        default: Default::Absent("https://mtls.token.example"),
        about: "The https URL under which callers reach this listener, as the metadata tells it\n\
                (mtls_endpoint_aliases). Needed when an issuer is set.",
    },
    Setting {
        path: "mutual_tls.client_ca_file",
        kind: Kind::Path,
        default: Default::Absent("/etc/procura/partners-ca.pem"),
        about: "PEM: the CAs whose certificates prove applications that are registered for tls_client_auth. Each of\n\
                these CAs can issue a certificate for any registered application: name none that a partner runs;\n\
                register such a partner's certificate instead.",
    },
    Setting {
        path: "mutual_tls.client_crl_file",
        kind: Kind::Path,
        default: Default::Absent("/etc/procura/partners-crl.pem"),
        about: "PEM: the revocation lists of those CAs. One that is out of date refuses everybody it is about.",
    },
    Setting {
        path: "proxy.listen",
        kind: Kind::AddressOrUnix,
        default: Default::Absent("unix:/run/procura/proxy.sock"),
        about: "unix: and the whole path of a socket that is made for the user and the group of the server, or an\n\
                address and a port with TLS, where the proxy proves itself by the certificate described below.",
    },
    Setting {
        path: "proxy.client_ca_file",
        kind: Kind::Path,
        default: Default::Absent("/etc/procura/proxy-ca.pem"),
        about: "PEM: the CA of the proxy's certificate. Read at the start only.",
    },
    Setting {
        path: "proxy.subject",
        kind: Kind::Name,
        default: Default::Absent("proxy.internal.example"),
        about: "The DNS name or IP address that the proxy's certificate must be for.",
    },
    Setting {
        path: "tokens.lifetime",
        kind: Kind::Whole { min: 60, max: LONGEST_LIFETIME },
        default: Default::Toml("3600"),
        about: "Seconds from `iat` to `exp`, unless a mandate or a trust ends earlier.",
    },
    Setting {
        path: "tokens.assertion_lifetime",
        kind: Kind::Whole { min: 30, max: LONGEST_ASSERTION_LIFETIME as u64 },
        default: Default::Toml("300"),
        about: "Seconds that an application's signed assertions may live, client assertions and grants (grants 300 at\n\
                most): `exp` at most so far ahead, `iat` at most so long ago. Each is used once, and remembered for as\n\
                long.",
    },
    Setting {
        path: "tokens.max_access_token_bytes",
        kind: Kind::Whole { min: 1_024, max: 15_000 },
        default: Default::Toml("7000"),
        about: "Longest access token. It travels in a header, and many servers stop reading headers at 8 kB.",
    },
    Setting {
        path: "dpop.require_nonce",
        kind: Kind::Boolean,
        default: Default::Toml("false"),
        about: "Whether each proof must hold a nonce of this server's. A caller's first proof is then answered with\n\
                use_dpop_nonce and a nonce, and made again. Without it proofs can be made for any later time by whoever has\n\
                the key for a moment. Nonces are of one process: several behind one address need sticky routing.",
    },
    Setting {
        path: "keys.rotation_days",
        kind: Kind::Whole { min: 2, max: 3_650 },
        default: Default::Toml("90"),
        about: "Days that a key signs before its successor takes over.",
    },
    Setting {
        path: "keys.key_encryption_key_file",
        kind: Kind::Path,
        default: Default::Absent("/etc/procura/key-encryption.key"),
        about: "A file that only the server's user can read, with the base64 of the 32 bytes that private\n\
                keys are sealed under. Without it: PROCURA_KEY_ENCRYPTION_KEY from the environment, or\n\
                key-encryption.key in the data folder. Keep it apart from backups of the data folder.",
    },
    Setting {
        path: "application_keys.private_networks",
        kind: Kind::OneOf(&["refuse", "allow"]),
        default: Default::Toml("\"refuse\""),
        about: "Whether a jwks_uri may lead to this host or to a network that is not public. Whoever controls the\n\
                names of an application's host can make this server ask there.",
    },
    Setting {
        path: "application_keys.ca_file",
        kind: Kind::Path,
        default: Default::Absent("/etc/procura/partners-ca.pem"),
        about: "Certificates (PEM) of authorities that are believed beside the system's, for jwks_uri alone.",
    },
    Setting {
        path: "journal.segment_bytes",
        kind: Kind::Whole { min: 1 << 20, max: 1 << 32 },
        default: Default::Toml("16777216"),
        about: "Size of a segment file. The next is made ahead, so a small disk wants small segments.",
    },
    Setting {
        path: "journal.queue",
        kind: Kind::Whole { min: 16, max: 1 << 20 },
        default: Default::Toml("8192"),
        about: "Records that may wait for the disk. Requests beyond them are answered with 503.",
    },
    Setting {
        path: "limits.connections",
        kind: Kind::Whole { min: 1, max: 1_000_000 },
        default: Default::Toml("10000"),
        about: "Connections at once. More wait in the operating system's queue.",
    },
    Setting {
        path: "limits.header_bytes",
        kind: Kind::Whole { min: 8_192, max: 1 << 20 },
        default: Default::Toml("16384"),
        about: "Bytes of a request's line and headers together.",
    },
    Setting {
        path: "limits.headers",
        kind: Kind::Whole { min: 16, max: 1_000 },
        default: Default::Toml("100"),
        about: "Headers of a request.",
    },
    Setting {
        path: "limits.header_seconds",
        kind: Kind::Whole { min: 1, max: 300 },
        default: Default::Toml("10"),
        about: "Seconds that a caller may take to send them.",
    },
    Setting {
        path: "limits.body_bytes",
        kind: Kind::Whole { min: 1_024, max: 1 << 24 },
        default: Default::Toml("65536"),
        about: "Bytes of a request's body.",
    },
    Setting {
        path: "limits.body_seconds",
        kind: Kind::Whole { min: 1, max: 300 },
        default: Default::Toml("10"),
        about: "Seconds that a caller may take to send it.",
    },
    Setting {
        path: "limits.idle_seconds",
        kind: Kind::Whole { min: 1, max: 3_600 },
        default: Default::Toml("75"),
        about: "Seconds that a connection may stay open without a request.",
    },
    Setting {
        path: "limits.drain_seconds",
        kind: Kind::Whole { min: 1, max: 3_600 },
        default: Default::Toml("30"),
        about: "Seconds that requests under way have to finish when the server stops.",
    },
    Setting {
        path: "limits.handshakes",
        kind: Kind::Whole { min: 1, max: 100_000 },
        default: Default::Toml("4000"),
        about: "TLS handshakes at once. Each may hold 64 KiB; more wait their turn.",
    },
    Setting {
        path: "limits.handshake_seconds",
        kind: Kind::Whole { min: 1, max: 300 },
        default: Default::Toml("10"),
        about: "Seconds from the begin of a connection to the end of its TLS handshake.",
    },
    Setting {
        path: "limits.token_marks_per_application",
        kind: Kind::Whole { min: 1, max: 100_000 },
        default: Default::Toml("10000"),
        about: "Marks on single tokens that one application may have. Beyond them they become one mark on the\n\
                application: all of its tokens of before are dead, and nobody else's.",
    },
    Setting {
        path: "limits.revocations_per_minute",
        kind: Kind::Whole { min: 1, max: 1_000_000 },
        default: Default::Toml("600"),
        about: "Tokens that one application may revoke in a minute. Requests beyond them are answered with 429.",
    },
    Setting {
        path: "limits.requests_per_address_per_minute",
        kind: Kind::Whole { min: 0, max: 100_000_000 },
        default: Default::Toml("60000"),
        about: "Requests that one address may make in a minute, evenly, and as many at once after a quiet minute.\n\
                An IPv6 address counts with its /64. Requests beyond are answered with 429 before they are read.\n\
                Health and forward auth are not counted. 0 is no limit.",
    },
    Setting {
        path: "limits.failed_proofs_per_address_per_minute",
        kind: Kind::Whole { min: 0, max: 100_000_000 },
        default: Default::Toml("60"),
        about: "Wrong credentials that one address may send in a minute. Beyond them its credentials are not looked\n\
                at, right ones neither: 429. Other addresses do not notice. 0 is no limit.",
    },
    Setting {
        path: "limits.requests_per_application_per_minute",
        kind: Kind::Whole { min: 0, max: 100_000_000 },
        default: Default::Toml("60000"),
        about: "Requests that one application may make in a minute, from wherever, once its credentials were right.\n\
                0 is no limit.",
    },
    Setting {
        path: "limits.contacts_per_application_per_hour",
        kind: Kind::Whole { min: 0, max: 1_000_000 },
        default: Default::Toml("10000"),
        about: "Contacts that one application may ask for in an hour. Then those of this hour go on, others are\n\
                answered with 429 until it is over, and the log tells it. It takes about 20 bytes for each. 0 is no\n\
                limit.",
    },
    Setting {
        path: "limits.held_back_seconds",
        kind: Kind::Whole { min: 0, max: 10 },
        default: Default::Toml("1"),
        about: "How long an address that is beyond a limit waits for the answer that says so. It keeps whoever tries\n\
                on without a pause from taking the server's time from others. 0 answers at once.",
    },
    Setting {
        path: "limits.trusted_proxies",
        kind: Kind::Networks,
        default: Default::Absent("10.0.0.0/8 192.0.2.1"),
        about: "Addresses and networks of proxies whose Forwarded or X-Forwarded-For is believed, separated by\n\
                spaces. The rightmost address that is none of them is the caller. Behind a proxy that is not named\n\
                here all callers count as one. The listener of [proxy] needs none.",
    },
    Setting {
        path: "log.level",
        kind: Kind::Filter,
        default: Default::Toml("\"info\""),
        about: "error, warn, info, debug or trace; also by module: \"info,procura_storage=debug\".",
    },
    Setting {
        path: "log.format",
        kind: Kind::OneOf(&["text", "json"]),
        default: Default::Toml("\"text\""),
        about: "text for people, json for programs: one object a line.",
    },
    Setting {
        path: "metrics.listen",
        kind: Kind::Address,
        default: Default::Absent("127.0.0.1:9464"),
        about: "Where /metrics is answered, to anyone and in plain HTTP: keep it away from callers. Without it\n\
                nothing listens.",
    },
    Setting {
        path: "tracing.otlp_endpoint",
        kind: Kind::Endpoint,
        default: Default::Absent("http://127.0.0.1:4318/v1/traces"),
        about: "Where spans are sent, as OTLP over HTTP in protobuf: an https URL, or http on loopback. Without it\n\
                nothing is sent.",
    },
    Setting {
        path: "tracing.one_in",
        kind: Kind::Whole { min: 1, max: 1_000_000 },
        default: Default::Toml("1"),
        about: "Of so many requests one is traced.",
    },
];

/// The setting of that path.
pub(crate) fn setting(path: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.path == path)
}

/// The name nearest to a wrong one, if one is near enough to be what was meant.
pub(crate) fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = |name| (strsim::jaro_winkler(&wrong.to_lowercase(), &str::to_lowercase(name)), name);
    let best = names.map(near).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness > 0.7).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_a_setting_is_described() {
        for setting in SETTINGS {
            if let Some((table, _)) = setting.path.split_once('.') {
                assert!(TABLES.iter().any(|known| known.name == table), "{table}");
            }
        }
    }

    #[test]
    fn a_slip_finds_what_was_meant_and_nonsense_finds_nothing() {
        let names = || SETTINGS.iter().map(|setting| setting.path);
        assert_eq!(nearest("server.listn", names()), Some("server.listen"));
        assert_eq!(nearest("tokens.life_time", names()), Some("tokens.lifetime"));
        assert_eq!(nearest("zzz", names()), None);
    }
}
