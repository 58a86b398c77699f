//! The parts that applications, contacts, clients and resources play, and what the world may be made to do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where an attack goes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// A path of its own for each contact.
    ContactToken,
    /// RFC 7523 2.1.
    JwtBearer,
    /// RFC 8693.
    TokenExchange,
    /// RFC 6749 4.4.
    ClientCredentials,
    /// RFC 7662.
    Introspection,
    /// RFC 7009.
    Revocation,
    /// An API that takes the tokens.
    Resource,
    /// The documents that anybody may read.
    Documents,
}

impl Door {
    /// The doors that give a token for a contact.
    pub const FOR_CONTACTS: [Door; 3] = [Door::ContactToken, Door::JwtBearer, Door::TokenExchange];

    /// All of them.
    pub const ALL: [Door; 8] = [
        Door::ContactToken,
        Door::JwtBearer,
        Door::TokenExchange,
        Door::ClientCredentials,
        Door::Introspection,
        Door::Revocation,
        Door::Resource,
        Door::Documents,
    ];

    /// As it stands in adapters and reports.
    pub fn name(self) -> &'static str {
        match self {
            Door::ContactToken => "contact_token",
            Door::JwtBearer => "jwt_bearer",
            Door::TokenExchange => "token_exchange",
            Door::ClientCredentials => "client_credentials",
            Door::Introspection => "introspection",
            Door::Revocation => "revocation",
            Door::Resource => "resource",
            Door::Documents => "documents",
        }
    }

    /// As it stands in the ids of cases.
    pub fn suffix(self) -> &'static str {
        match self {
            Door::ContactToken => "contact-token",
            Door::JwtBearer => "jwt-bearer",
            Door::TokenExchange => "token-exchange",
            Door::ClientCredentials => "client-credentials",
            other => other.name(),
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How an application proves itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// `Authorization: Basic`.
    #[default]
    ClientSecretBasic,
    /// `client_id` and `client_secret` in the form.
    ClientSecretPost,
    /// A signed assertion (RFC 7523 2.2).
    PrivateKeyJwt,
    /// A certificate that an authority issued (RFC 8705 2.1).
    TlsClientAuth,
    /// A certificate that is registered itself (RFC 8705 2.2).
    SelfSignedTlsClientAuth,
    /// `client_id` alone.
    None,
}

impl Method {
    /// Whether the connection itself proves the application.
    pub fn is_by_certificate(self) -> bool {
        matches!(self, Method::TlsClientAuth | Method::SelfSignedTlsClientAuth)
    }
}

macro_rules! named {
    ($(#[$about:meta])* $kind:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
        pub enum $kind {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl $kind {
            /// All of them.
            pub const ALL: &'static [$kind] = &[$($kind::$variant,)*];

            /// As it stands in adapters.
            pub fn name(self) -> &'static str {
                match self { $($kind::$variant => $name,)* }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

named! {
    /// The part that an application plays.
    ApplicationRole {
        /// Trusted, with a secret; may act for `allowed`. Has a key too where doors need one.
        Main = "main",
        /// Trusted, proves itself by assertions, and signs grants; may act for `allowed`.
        Signing = "signing",
        /// Trusted, proves itself by a certificate of an authority; may act for `allowed`.
        Certificate = "certificate",
        /// The same by a certificate that is registered itself.
        SelfSigned = "self_signed",
        /// Trusted, with a secret, and with a certificate as second factor that its tokens are bound to.
        TwoFactors = "two_factors",
        /// Trusted, with a secret, and tokens bound by DPoP; may act for `allowed`.
        Dpop = "dpop",
        /// Trusted, by assertions or a certificate alone, tokens always bound; may act for `allowed`.
        Fapi2 = "fapi2",
        /// Of another partner: may act for `other_allowed`, and not for `allowed`.
        Other = "other",
        /// Would be trusted, and is switched off.
        Disabled = "disabled",
        /// Active, with a secret, and not trusted to act for anybody.
        Untrusted = "untrusted",
    }
}

named! {
    /// The part that a contact plays.
    ContactRole {
        /// `main`, `signing`, `certificate`, `self_signed`, `two_factors`, `dpop`, `fapi2` may act for them.
        Allowed = "allowed",
        /// Another one that `main` may act for.
        SecondAllowed = "second_allowed",
        /// Only `other` may act for them.
        OtherAllowed = "other_allowed",
        /// There is no such contact.
        Unknown = "unknown",
        /// Has authority over a client that does not trust the application.
        NoTrust = "no_trust",
        /// Has authority over no client.
        NoMandate = "no_mandate",
        /// Switched off.
        Disabled = "disabled",
        /// Its authority is suspended.
        SuspendedMandate = "suspended_mandate",
        /// Its authority ended.
        EndedWindow = "ended_window",
        /// Its authority has not begun.
        NotBegun = "not_begun",
        /// Its client's trust was withdrawn.
        WithdrawnTrust = "withdrawn_trust",
        /// Its client's trust ended.
        EndedTrust = "ended_trust",
        /// Its client is not active.
        InactiveClient = "inactive_client",
        /// Its client trusts the application for other contacts.
        NotCovered = "not_covered",
        /// `main` may act for them, but for ten minutes more at most.
        EndingSoon = "ending_soon",
        /// Has more permissions than the trust's ceiling lets through.
        AboveCeiling = "above_ceiling",
    }
}

named! {
    /// The part that a client company plays.
    ClientRole {
        /// One of those of `allowed`.
        Listed = "listed",
        /// There is such a client, and `allowed` has no authority over it.
        Foreign = "foreign",
        /// `allowed` has authority over it, and it does not trust the application.
        Untrusting = "untrusting",
        /// There is no such client.
        Unknown = "unknown",
    }
}

named! {
    /// The part that a resource plays.
    ResourceRole {
        /// What tokens are for when none is named.
        Default = "default",
        /// Another one that the applications may ask tokens for.
        Second = "second",
        /// There is such a resource, and no application may ask tokens for it.
        Unregistered = "unregistered",
        /// There is no such resource.
        Unknown = "unknown",
    }
}

named! {
    /// A change of the world while the server runs.
    ChangeName {
        /// The application `main` is switched off.
        DisableApplication = "disable_application",
        /// `main` is no longer trusted.
        DistrustApplication = "distrust_application",
        /// The contact `allowed` is switched off.
        DisableContact = "disable_contact",
        /// Every client of `allowed` is switched off.
        DisableClient = "disable_client",
        /// Every client of `allowed` withdraws its trust in `main`.
        WithdrawTrust = "withdraw_trust",
        /// Every mandate of `allowed` is suspended.
        SuspendMandate = "suspend_mandate",
        /// Every mandate of `allowed` loses all permissions.
        NarrowMandate = "narrow_mandate",
        /// Every trust in `main` loses all permissions in its ceiling.
        NarrowTrust = "narrow_trust",
        /// The windows of all mandates of `allowed` end now.
        EndWindow = "end_window",
        /// `main` loses the resource `second`.
        RemoveResource = "remove_resource",
        /// The key that `signing` signs with is no longer registered.
        RetireKey = "retire_key",
    }
}

named! {
    /// A certificate with the subject that `applications.certificate` is registered with, or nearly, that the same
    /// authority issued and that proves nothing.
    CertificateRole {
        /// It has expired.
        Expired = "expired",
        /// It is not in force yet.
        NotYet = "not_yet",
        /// It is for servers.
        ForServers = "for_servers",
        /// It has another subject.
        OtherSubject = "other_subject",
        /// It was revoked.
        Revoked = "revoked",
    }
}
