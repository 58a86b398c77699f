//! The certificate of a caller, for tokens that are bound to one (RFC 8705 3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode;
use procura_jose::digest::sha256;
use procura_protocol::confirmation::CertificateThumbprint;
use thiserror::Error;

/// The certificate of which the caller proved, in the TLS handshake of this very connection, that it has the
/// private key. Known by its digest alone: whether it is valid, and who issued it, does not matter here (RFC
/// 8705 6.2), since the token names this one and no other.
///
/// Whoever ends the caller's TLS puts it into the request's extensions, one for each request, and an accept
/// loop of one's own knows it best: with rustls, from `ServerConnection::peer_certificates()`, the first.
///
/// ```
/// use http::Request;
/// use procura_guard::PeerCertificate;
///
/// /// For each request of a connection; `first` is the first certificate of the connection, if it has any.
/// fn with_certificate<B>(mut request: Request<B>, first: Option<&[u8]>) -> Request<B> {
///     if let Some(der) = first {
///         request.extensions_mut().insert(PeerCertificate::of_der(der));
///     }
///     request
/// }
/// # let request = with_certificate(Request::new(()), Some(b"0\0"));
/// # assert!(request.extensions().get::<PeerCertificate>().is_some());
/// ```
///
/// Where a proxy ends the TLS, [`crate::GuardLayer::certificate_in`] says in which header it passes the
/// certificate. Without either, tokens that are bound are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerCertificate(CertificateThumbprint);

impl PeerCertificate {
    /// The certificate with these bytes, DER. They are hashed and not read.
    pub fn of_der(der: &[u8]) -> PeerCertificate {
        PeerCertificate(sha256(der).into())
    }

    /// The certificate with this digest.
    pub fn of_thumbprint(thumbprint: CertificateThumbprint) -> PeerCertificate {
        PeerCertificate(thumbprint)
    }

    /// SHA-256 of its DER.
    pub fn thumbprint(self) -> CertificateThumbprint {
        self.0
    }
}

/// A header in which a proxy passes on the certificate of its caller.
///
/// It proves nothing by itself. Believe it only where nobody but that proxy can reach the service, and where
/// the proxy replaces or deletes whatever its callers send under this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateHeader {
    name: HeaderName,
    format: CertificateFormat,
}

/// How a certificate is written in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateFormat {
    /// A byte sequence of structured fields: the DER in base64 between two colons (RFC 9440 2.1).
    Rfc9440,
    /// PEM, percent-encoded: `$ssl_client_escaped_cert` of nginx.
    NginxEscapedPem,
}

impl CertificateFormat {
    /// All of them, with their names in a configuration.
    pub const ALL: [(&'static str, CertificateFormat); 2] =
        [("rfc9440", CertificateFormat::Rfc9440), ("nginx-escaped-pem", CertificateFormat::NginxEscapedPem)];
}

/// A text that can't be the name of a header with a certificate; completes "it ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be the name of a header that holds nothing else")]
pub struct InvalidCertificateHeader;

/// Headers that hold something else.
const TAKEN: [&str; 7] = [
    "authorization",
    "procura-authorization",
    "x-contact-id",
    "host",
    "connection",
    "content-length",
    "cookie",
];

/// No certificate is longer than this many bytes, whatever a header holds.
const LONGEST: usize = 16 * 1024;

impl CertificateHeader {
    /// A header of this name and format.
    pub fn new(name: HeaderName, format: CertificateFormat) -> CertificateHeader {
        CertificateHeader { name, format }
    }

    /// Reads the name.
    ///
    /// # Errors
    ///
    /// [`InvalidCertificateHeader`].
    pub fn parse(
        name: &str,
        format: CertificateFormat,
    ) -> Result<CertificateHeader, InvalidCertificateHeader> {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| InvalidCertificateHeader)?;
        let is_taken = TAKEN.contains(&name.as_str());
        if is_taken { Err(InvalidCertificateHeader) } else { Ok(CertificateHeader { name, format }) }
    }

    /// `Client-Cert` (RFC 9440 2.2).
    pub fn client_cert() -> CertificateHeader {
        CertificateHeader::new(HeaderName::from_static("client-cert"), CertificateFormat::Rfc9440)
    }

    /// Its name.
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// How the certificate is written in it.
    pub fn format(&self) -> CertificateFormat {
        self.format
    }

    /// The certificate of a request. `None` if the header is missing, empty, there twice or in another
    /// format: then a bound token is refused, and one that is not bound needs no certificate.
    pub fn read(&self, headers: &HeaderMap) -> Option<PeerCertificate> {
        let mut values = headers.get_all(&self.name).iter();
        let (value, None) = (values.next()?.as_bytes(), values.next()) else { return None };
        // Escapes take three bytes each at most, and so does base64 of one.
        if value.len() > 3 * LONGEST {
            return None;
        }
        let der = match self.format {
            CertificateFormat::Rfc9440 => byte_sequence(value)?,
            CertificateFormat::NginxEscapedPem => one_pem(&percent_decode(value).collect::<Vec<u8>>())?,
        };
        (1..=LONGEST).contains(&der.len()).then(|| PeerCertificate::of_der(&der))
    }
}

/// RFC 9651 3.3.5, without parameters.
fn byte_sequence(value: &[u8]) -> Option<Vec<u8>> {
    let base64 = value.strip_prefix(b":")?.strip_suffix(b":")?;
    STANDARD.decode(base64).ok()
}

/// The one certificate of a PEM text (RFC 7468 5); two or anything around it are none.
fn one_pem(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii().strip_prefix(b"-----BEGIN CERTIFICATE-----")?;
    let base64 = text.strip_suffix(b"-----END CERTIFICATE-----")?;
    // A tab before each line is how older versions of nginx fold.
    let base64: Vec<u8> = base64.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(base64).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const NAME: HeaderName = HeaderName::from_static("x-ssl-client-cert");

    fn read(format: CertificateFormat, values: &[&str]) -> Option<PeerCertificate> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(NAME, HeaderValue::from_str(value).unwrap());
        }
        CertificateHeader::new(NAME, format).read(&headers)
    }

    #[test]
    fn a_certificate_is_named_by_the_digest_of_its_bytes() {
        let certificate = PeerCertificate::of_der(b"abc");
        assert_eq!(certificate.thumbprint().to_string(), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
        assert_eq!(PeerCertificate::of_thumbprint(certificate.thumbprint()), certificate);
    }

    #[test]
    fn both_formats_give_the_same_certificate() {
        let certificate = Some(PeerCertificate::of_der(b"abc>?"));
        assert_eq!(read(CertificateFormat::Rfc9440, &[":YWJjPj8=:"]), certificate);
        for escaped in [
            "-----BEGIN%20CERTIFICATE-----%0AYWJjPj8%3D%0A-----END%20CERTIFICATE-----%0A",
            "-----BEGIN CERTIFICATE-----%0aYWJj%0aPj8=%0a-----END CERTIFICATE-----",
        ] {
            assert_eq!(read(CertificateFormat::NginxEscapedPem, &[escaped]), certificate, "{escaped}");
        }
    }

    #[test]
    fn what_is_missing_doubled_or_malformed_is_no_certificate() {
        let rfc9440 = [
            &[][..],
            &[":YWJj:", ":YWJj:"],
            &[":YWJj:, :YWJj:"],
            &[":YWJj:;a=1"],
            &[""],
            &[":"],
            &["::"],
            &["YWJj"],
            &[":YWJ:"],
            &[":YWJjPj8:"],
            &[":YWJj-_==:"],
            &[": YWJj:"],
        ];
        for values in rfc9440 {
            assert_eq!(read(CertificateFormat::Rfc9440, values), None, "{values:?}");
        }
        let one = "-----BEGIN%20CERTIFICATE-----%0AYWJj%0A-----END%20CERTIFICATE-----%0A";
        let two = format!("{one}{one}");
        let nginx = [
            &[][..],
            &[one, one],
            &[&two],
            &[""],
            &["YWJj"],
            &["-----BEGIN%20CERTIFICATE-----%0A%0A-----END%20CERTIFICATE-----"],
            &["-----BEGIN%20CERTIFICATE-----%0AYWJj%0A"],
            &["-----BEGIN%20PRIVATE%20KEY-----%0AYWJj%0A-----END%20PRIVATE%20KEY-----%0A"],
            &["-----BEGIN+CERTIFICATE-----%0AYWJj%0A-----END+CERTIFICATE-----%0A"],
        ];
        for values in nginx {
            assert_eq!(read(CertificateFormat::NginxEscapedPem, values), None, "{values:?}");
        }
    }

    #[test]
    fn what_is_longer_than_any_certificate_is_none() {
        let written = |bytes: usize| format!(":{}:", STANDARD.encode(vec![7; bytes]));
        assert!(read(CertificateFormat::Rfc9440, &[&written(LONGEST)]).is_some());
        assert!(read(CertificateFormat::Rfc9440, &[&written(LONGEST + 1)]).is_none());
        assert!(read(CertificateFormat::Rfc9440, &[&written(3 * LONGEST)]).is_none());
    }
}
