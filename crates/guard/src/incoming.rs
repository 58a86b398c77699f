//! What is known of a request whose token is checked.

use http::request::Parts;
use http::{HeaderMap, Request, Uri};

use crate::certificate::PeerCertificate;

/// A request whose token is checked. It has no `Debug`: its headers hold the token.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Incoming<'r> {
    /// Its method, by its name. A proof of possession must name it.
    pub method: &'r str,
    /// Its target. A proof of possession must name its path, behind a URL at which the resource is reached.
    pub uri: &'r Uri,
    /// Its headers.
    pub headers: &'r HeaderMap,
    /// The certificate that the caller proved to hold on this connection, if any: without it a token that is bound
    /// to one is refused.
    pub certificate: Option<PeerCertificate>,
}

impl<'r> Incoming<'r> {
    /// One with these, and without a certificate.
    pub fn new(method: &'r str, uri: &'r Uri, headers: &'r HeaderMap) -> Incoming<'r> {
        Incoming { method, uri, headers, certificate: None }
    }

    /// This request, with the certificate in its extensions if there is one.
    pub fn of<B>(request: &'r Request<B>) -> Incoming<'r> {
        let certificate = request.extensions().get::<PeerCertificate>().copied();
        let incoming = Incoming::new(request.method().as_str(), request.uri(), request.headers());
        incoming.with_certificate(certificate)
    }

    /// A request with this head, likewise.
    pub fn of_head(head: &'r Parts) -> Incoming<'r> {
        let certificate = head.extensions.get::<PeerCertificate>().copied();
        Incoming::new(head.method.as_str(), &head.uri, &head.headers).with_certificate(certificate)
    }

    /// The same with this certificate, or with none.
    #[must_use]
    pub fn with_certificate(self, certificate: Option<PeerCertificate>) -> Incoming<'r> {
        Incoming { certificate, ..self }
    }
}
