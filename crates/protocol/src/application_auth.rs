//! The ways in which an application may prove who it is, and what its registration says of them
//! (contract, chapter 6; RFC 6749 2.3, RFC 7523 2.2, RFC 8705 2).

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;

use crate::algorithm::Algorithm;
use crate::coded;

/// `client_assertion_type` of an assertion (RFC 7523 2.2), the only one that is taken.
pub const CLIENT_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

coded! {
    /// One way to authenticate, by its name of RFC 8414's `token_endpoint_auth_methods_supported`. The
    /// number is its bit in [`AuthMethods`].
    AuthMethod {
        /// Id and secret by HTTP Basic (RFC 6749 2.3.1).
        ClientSecretBasic = 0 "client_secret_basic",
        /// Id and secret in the form (RFC 6749 2.3.1).
        ClientSecretPost = 1 "client_secret_post",
        /// A signed assertion (RFC 7523 2.2).
        PrivateKeyJwt = 2 "private_key_jwt",
        /// A certificate that a configured CA issued (RFC 8705 2.1).
        TlsClientAuth = 3 "tls_client_auth",
        /// A certificate that stands in the registration (RFC 8705 2.2).
        SelfSignedTlsClientAuth = 4 "self_signed_tls_client_auth",
    }
}

/// The methods that an application is registered for; never none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AuthMethods(u8);

/// A text that is no list of methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "must be one or more of client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth and \
     self_signed_tls_client_auth, separated by spaces"
)]
pub struct InvalidAuthMethods;

impl AuthMethods {
    /// What a registration has when nobody says: a secret, sent in either way.
    pub const SECRET: AuthMethods =
        AuthMethods(AuthMethod::ClientSecretBasic.bit() | AuthMethod::ClientSecretPost.bit());

    const EVERY: u8 = (1 << AuthMethod::ALL.len()) - 1;

    /// Reads names separated by single spaces, in any order, each once.
    ///
    /// # Errors
    ///
    /// [`InvalidAuthMethods`] for anything else, an empty text among it.
    pub fn parse(text: &str) -> Result<AuthMethods, InvalidAuthMethods> {
        let mut bits = 0;
        for name in text.split(' ') {
            let method = AuthMethod::ALL.iter().find(|method| method.name() == name);
            let bit = method.ok_or(InvalidAuthMethods)?.bit();
            if bits & bit != 0 {
                return Err(InvalidAuthMethods);
            }
            bits |= bit;
        }
        Ok(AuthMethods(bits))
    }

    /// The bits, as tables hold them: 1 shifted by the number of each method.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The methods of these bits; `None` for none and for bits that stand for nothing.
    pub const fn from_bits(bits: u8) -> Option<AuthMethods> {
        if bits != 0 && bits & !AuthMethods::EVERY == 0 { Some(AuthMethods(bits)) } else { None }
    }

    /// Whether the method is among them.
    pub const fn contains(self, method: AuthMethod) -> bool {
        self.0 & method.bit() != 0
    }
}

impl AuthMethod {
    /// Whether what it proves is that the application knows a secret which the server knows too.
    pub const fn is_secret(self) -> bool {
        matches!(self, AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for AuthMethods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = AuthMethod::ALL.iter().filter(|method| self.contains(**method));
        if let Some(first) = names.next() {
            f.write_str(first.name())?;
        }
        names.try_for_each(|method| write!(f, " {method}"))
    }
}

coded! {
    /// What a certificate means that comes beside a secret or an assertion.
    SecondFactor {
        /// Nothing: it is not even looked at.
        Ignored = 1 "ignored",
        /// It must be there and be right.
        Required = 2 "required",
    }
}

coded! {
    /// What `aud` of an application's assertions must be, as one string (RFC 7523 3).
    AssertionAudience {
        /// The issuer.
        Issuer = 1 "issuer",
        /// The URL of the endpoint that is asked.
        Endpoint = 2 "endpoint",
    }
}

coded! {
    /// What an application may never do less than.
    Profile {
        /// What its registration says, and no more.
        Standard = 1 "standard",
        /// The FAPI 2.0 Security Profile: no secrets, bound tokens only, and no RS256.
        Fapi2 = 2 "fapi2",
    }
}

impl Profile {
    /// Whether an application of this profile may prove itself so (FAPI 2.0 Security Profile, 5.3.2.1).
    pub const fn takes_method(self, method: AuthMethod) -> bool {
        match self {
            Profile::Standard => true,
            Profile::Fapi2 => !method.is_secret(),
        }
    }

    /// Whether anything may be signed so, by an application of this profile or for it (5.4.1 there).
    pub const fn takes_algorithm(self, algorithm: Algorithm) -> bool {
        match self {
            Profile::Standard => true,
            Profile::Fapi2 => !matches!(algorithm, Algorithm::Rs256),
        }
    }

    /// Whether its assertions may be addressed so: to an endpoint, another server could pass them on.
    pub const fn takes_audience(self, audience: AssertionAudience) -> bool {
        match self {
            Profile::Standard => true,
            Profile::Fapi2 => matches!(audience, AssertionAudience::Issuer),
        }
    }
}

/// What a certificate must say for `tls_client_auth`: exactly one of these (RFC 8705 2.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CertificateSubject {
    /// `tls_client_auth_subject_dn`: the subject's distinguished name as RFC 4514 writes it.
    Dn(Box<str>),
    /// `tls_client_auth_san_dns`: a dNSName.
    Dns(Box<str>),
    /// `tls_client_auth_san_uri`: a uniformResourceIdentifier.
    Uri(Box<str>),
    /// `tls_client_auth_san_ip`: an iPAddress.
    Ip(IpAddr),
    /// `tls_client_auth_san_email`: an rfc822Name.
    Email(Box<str>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_read_back_in_one_order() {
        let methods = AuthMethods::parse("tls_client_auth client_secret_basic").unwrap();
        assert_eq!(methods.to_string(), "client_secret_basic tls_client_auth");
        assert_eq!(AuthMethods::parse(&methods.to_string()), Ok(methods));
        assert!(methods.contains(AuthMethod::TlsClientAuth));
        assert!(!methods.contains(AuthMethod::ClientSecretPost));
        assert_eq!(AuthMethods::SECRET.to_string(), "client_secret_basic client_secret_post");
    }

    #[test]
    fn every_set_of_bits_but_none_reads_back() {
        for bits in 0..=u8::MAX {
            let methods = AuthMethods::from_bits(bits);
            assert_eq!(methods.is_some(), (1..32).contains(&bits), "{bits}");
            if let Some(methods) = methods {
                assert_eq!((methods.bits(), AuthMethods::parse(&methods.to_string())), (bits, Ok(methods)));
            }
        }
    }

    #[test]
    fn what_is_no_list_of_methods_is_refused() {
        for bad in [
            "",
            " ",
            "none",
            "client_secret_jwt",
            "CLIENT_SECRET_BASIC",
            "private_key_jwt  tls_client_auth",
            "private_key_jwt private_key_jwt",
            "private_key_jwt ",
            "private_key_jwt,tls_client_auth",
        ] {
            assert_eq!(AuthMethods::parse(bad), Err(InvalidAuthMethods), "{bad}");
        }
    }
}
