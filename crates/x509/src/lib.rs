//! Reads certificates and judges them: whose they are, who issued them, and whether they hold now.
//!
//! * [`Certificate`]: one X.509 v3 certificate, read strictly and bounded: what it says about its subject, its
//!   window, and its SHA-256, which is what tokens are bound to (RFC 8705 3.1).
//! * [`DistinguishedName`] and [`Certificate::matches`]: whether a certificate is the one that a registration
//!   for `tls_client_auth` describes (RFC 8705 2.1.2).
//! * [`Authorities::judge`]: whether a chain leads to one of the [`TrustAnchors`] now, for a TLS client, and
//!   nothing of it is on one of the [`Crls`] (RFC 5280 6). [`judge_registered`]: whether a certificate is one
//!   of those that stand in a registration (RFC 8705 2.2).
//! * [`CertificateProblem`]: every reason why not, each with a name for logs and counters.
//!
//! Paths are found and verified by `rustls-webpki`, which also verifies the certificates of the connections
//! that we open; `x509-cert` reads names and windows. Both are named here and nowhere else.
//!
//! # What it must never know
//!
//! Applications, HTTP, files and the clock: `now` is an argument. That whoever presents a certificate has its
//! private key is proved by the TLS handshake and nothing here.
//!
//! # How to add the next thing
//!
//! * A **problem**: a variant of [`CertificateProblem`]; the compiler shows where it needs a name.
//! * A **kind of subject**: a variant of [`CertificateSubject`] in `protocol`, an arm in `subject.rs`.
//! * A **signature algorithm**: a line in `judge.rs`, and its key in `key_strength.rs`.

mod bundle;
mod certificate;
mod judge;
mod key_strength;
mod name;
mod problem;
mod subject;

pub use bundle::{Crls, TrustAnchors};
pub use certificate::Certificate;
pub use judge::{Authorities, judge_registered, own_certificate};
pub use name::{DistinguishedName, InvalidName};
pub use problem::{CertificateProblem, InvalidBundle, InvalidCertificate};
pub use procura_protocol::application_auth::CertificateSubject;
pub use subject::{InvalidSubject, check_subject};

/// The largest certificate that is read, in bytes of DER.
pub const MAX_CERTIFICATE_BYTES: usize = 16 * 1024;

/// The longest chain that is read, the caller's own certificate included.
pub const MAX_CHAIN: usize = 5;

/// The largest file of authorities or revocation lists that is read, in bytes.
pub const MAX_BUNDLE_BYTES: usize = 16 * 1024 * 1024;
