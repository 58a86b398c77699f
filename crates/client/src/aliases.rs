//! Where a server asks for certificates: `mtls_endpoint_aliases` of its metadata (RFC 8705 5).
//!
//! A secret or a token may travel there, so the place must be over TLS and of the issuer's own host. Another
//! port is another listener of the same server; another host could be anybody's, and then whoever configures
//! the application says that it is right ([`crate::Application::mutual_tls_at`]).

use http::Uri;
use http::uri::Scheme;
use procura_protocol::paths;
use serde::Deserialize;

use crate::error::ProtocolError;
use crate::issuer::Issuer;

const NAME: &str = "mtls_endpoint_aliases";

/// What of them this crate uses, each as it may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Aliases {
    base: Result<Option<Box<str>>, ProtocolError>,
    token: Result<Option<Uri>, ProtocolError>,
    introspection: Result<Option<Uri>, ProtocolError>,
    revocation: Result<Option<Uri>, ProtocolError>,
}

/// The member as it stands in the document.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct TheirAliases {
    token_endpoint: Option<String>,
    contact_token_endpoint: Option<String>,
    introspection_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
}

impl Aliases {
    pub(crate) fn read(theirs: TheirAliases, issuer: &Issuer) -> Aliases {
        let place = |text: Option<String>| text.map(|text| place(&text, issuer)).transpose();
        Aliases {
            base: theirs.contact_token_endpoint.map(|template| base(&template, issuer)).transpose(),
            token: place(theirs.token_endpoint),
            introspection: place(theirs.introspection_endpoint),
            revocation: place(theirs.revocation_endpoint),
        }
    }

    pub(crate) fn base(&self) -> Result<Option<&str>, ProtocolError> {
        self.base.as_ref().map(Option::as_deref).map_err(Clone::clone)
    }

    pub(crate) fn token(&self) -> Result<Option<&Uri>, ProtocolError> {
        self.token.as_ref().map(Option::as_ref).map_err(Clone::clone)
    }

    pub(crate) fn introspection(&self) -> Result<Option<&Uri>, ProtocolError> {
        self.introspection.as_ref().map(Option::as_ref).map_err(Clone::clone)
    }

    pub(crate) fn revocation(&self) -> Result<Option<&Uri>, ProtocolError> {
        self.revocation.as_ref().map(Option::as_ref).map_err(Clone::clone)
    }
}

/// What stands before the path of the one endpoint whose path is known to be a template.
fn base(template: &str, issuer: &Issuer) -> Result<Box<str>, ProtocolError> {
    let base = template.strip_suffix(paths::TOKEN_FOR_CONTACT).ok_or_else(|| bad("is no contact token's"))?;
    let url = place(base, issuer)?;
    // What is put before paths must have no query, and reads back as it was written.
    if url.query().is_some() || base.ends_with('/') {
        return Err(bad("is no base of endpoints"));
    }
    Ok(base.into())
}

fn place(text: &str, issuer: &Issuer) -> Result<Uri, ProtocolError> {
    if text.contains(['#', '@']) {
        return Err(bad("has a user or a fragment"));
    }
    let url: Uri = text.parse().map_err(|_| bad("is not a URL"))?;
    if url.scheme() != Some(&Scheme::HTTPS) {
        return Err(bad("is not https"));
    }
    if issuer.has_host_of(&url) { Ok(url) } else { Err(bad("has another host than the issuer")) }
}

fn bad(why: &'static str) -> ProtocolError {
    ProtocolError::Value { name: NAME, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(issuer: &str, base: &str) -> Aliases {
        let theirs = TheirAliases {
            token_endpoint: Some(format!("{base}/token")),
            contact_token_endpoint: Some(format!("{base}/token/{{contact_id}}")),
            introspection_endpoint: Some(format!("{base}/introspect")),
            revocation_endpoint: Some(format!("{base}/revoke")),
        };
        Aliases::read(theirs, &Issuer::parse(issuer).unwrap())
    }

    #[test]
    fn another_port_of_the_issuers_host_is_taken() {
        for (issuer, base) in [
            ("https://token.example", "https://token.example:9443"),
            ("https://token.example/bank", "https://TOKEN.example:9443/bank"),
            ("http://127.0.0.1:8080", "https://127.0.0.1:9443"),
        ] {
            let aliases = read(issuer, base);
            assert_eq!(aliases.base(), Ok(Some(base)));
            assert_eq!(
                aliases.introspection().unwrap().unwrap().path(),
                format!("{}/introspect", path(base))
            );
            assert_eq!(aliases.revocation().unwrap().unwrap().path(), format!("{}/revoke", path(base)));
            assert_eq!(aliases.token().unwrap().unwrap().path(), format!("{}/token", path(base)));
        }
    }

    fn path(base: &str) -> String {
        base.parse::<Uri>().unwrap().path().trim_end_matches('/').to_owned()
    }

    #[test]
    fn another_host_or_no_tls_is_told_when_it_is_asked_for() {
        for base in [
            "https://mtls.token.example",
            "https://token.example.evil.example",
            "https://evil.example",
            "http://token.example:9443",
            "https://token.example@evil.example",
            "https://token.example/#",
            "//token.example",
            "token.example",
            "",
        ] {
            let aliases = read("https://token.example", base);
            assert!(matches!(aliases.base(), Err(ProtocolError::Value { name: NAME, .. })), "{base}");
            assert!(aliases.introspection().is_err() && aliases.revocation().is_err(), "{base}");
            assert!(aliases.token().is_err(), "{base}");
        }
        for template in
            ["https://token.example/token/{contact}", "https://token.example/?/token/{contact_id}"]
        {
            let theirs =
                TheirAliases { contact_token_endpoint: Some(template.into()), ..TheirAliases::default() };
            let aliases = Aliases::read(theirs, &Issuer::parse("https://token.example").unwrap());
            assert!(aliases.base().is_err(), "{template}");
        }
    }

    #[test]
    fn a_server_without_another_place_has_none() {
        let aliases =
            Aliases::read(TheirAliases::default(), &Issuer::parse("https://token.example").unwrap());
        assert_eq!((aliases.base(), aliases.token()), (Ok(None), Ok(None)));
        assert_eq!((aliases.introspection(), aliases.revocation()), (Ok(None), Ok(None)));
    }
}
