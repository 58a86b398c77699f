//! What stands in the directory, as far as decisions need it.
//!
//! Every record has a number that is never used twice. Numbers are what the journal holds, so that a
//! person can be forgotten by forgetting which number was theirs.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use procura_protocol::algorithm::Algorithm;
use procura_protocol::application_auth::{
    AssertionAudience, AuthMethod, AuthMethods, CertificateSubject, Profile, SecondFactor,
};
use procura_protocol::ids::{ApplicationId, ClientId, ContactId, ResourceId};
use procura_protocol::permission::Permissions;
use procura_protocol::time::{UnixSeconds, Window};
use thiserror::Error;

macro_rules! number {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

number! {
    /// Number of an application.
    ApplicationNo;
    /// Number of a client company.
    ClientNo;
    /// Number of a contact.
    ContactNo;
    /// Number of a resource.
    ResourceNo;
    /// Number of a signing key.
    KeyNo;
    /// Number of a secret, a certificate or a key of an application or a resource. They are counted together,
    /// and none is ever used twice.
    CredentialNo;
}

/// The directory's version: one higher with every committed change. Given under the write lock, so
/// commit order is version order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(pub u64);

/// 16 random bytes that name a token (`jti`, RFC 7519 4.1.7) or a journal record (`Procura-Reference`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RandomId(pub [u8; 16]);

/// A text that is not 22 characters of base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be 22 characters of base64url, as in the Procura-Reference header")]
pub struct InvalidRandomId;

impl RandomId {
    /// Reads the 22 characters of base64url.
    pub fn parse(text: &str) -> Result<RandomId, InvalidRandomId> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidRandomId)?;
        bytes.try_into().map(RandomId).map_err(|_| InvalidRandomId)
    }

    /// The 22 characters, without going to the heap.
    pub fn text(&self) -> RandomIdText {
        let mut text = [0; 22];
        let written = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text);
        debug_assert_eq!(written.ok(), Some(22));
        RandomIdText(text)
    }
}

impl fmt::Display for RandomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

/// A [`RandomId`] as it stands on the wire.
#[derive(Clone, Copy)]
pub struct RandomIdText([u8; 22]);

impl RandomIdText {
    /// 22 characters of base64url.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// A [`Window`] in eight bytes: Unix seconds from 1970 to 2106, 0 and `u32::MAX` for open ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    from: u32,
    until: u32,
}

impl Span {
    /// Open at both ends.
    pub const ALWAYS: Span = Span { from: 0, until: u32::MAX };

    /// The latest time a window may name: 2106-02-07T06:28:14Z.
    pub const LATEST: UnixSeconds = UnixSeconds(u32::MAX as i64 - 1);

    /// Whether `now` is inside.
    pub fn contains(self, now: UnixSeconds) -> bool {
        now.0 >= i64::from(self.from) && !self.is_over(now)
    }

    /// Whether the span has not begun at `now`.
    pub fn is_before(self, now: UnixSeconds) -> bool {
        now.0 < i64::from(self.from)
    }

    /// Whether the span has ended at `now`.
    pub fn is_over(self, now: UnixSeconds) -> bool {
        self.until != u32::MAX && now.0 >= i64::from(self.until)
    }

    /// The first second after, if there is one.
    pub fn until(self) -> Option<UnixSeconds> {
        (self.until != u32::MAX).then_some(UnixSeconds(i64::from(self.until)))
    }
}

impl From<Window> for Span {
    /// Ends outside 1970 to 2106 are moved to the nearest that can be kept; [`crate::fields`] refuses
    /// them before they come here.
    fn from(window: Window) -> Span {
        let clamp = |at: UnixSeconds| at.0.clamp(0, Span::LATEST.0) as u32;
        Span { from: window.from.map_or(0, clamp), until: window.until.map_or(u32::MAX, clamp) }
    }
}

impl From<Span> for Window {
    fn from(span: Span) -> Window {
        Window { from: (span.from != 0).then_some(UnixSeconds(i64::from(span.from))), until: span.until() }
    }
}

/// SHA-256 of a random secret of 256 bits. The secret itself is shown once and kept nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

/// A live secret of an application or a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RegisteredSecret {
    /// Its number.
    pub no: CredentialNo,
    /// What is known of it.
    pub hash: SecretHash,
    /// The first second in which it proves nothing any more.
    pub expires_at: Option<UnixSeconds>,
}

impl From<SecretHash> for RegisteredSecret {
    /// One that does not expire, without a number.
    fn from(hash: SecretHash) -> RegisteredSecret {
        RegisteredSecret { no: CredentialNo::default(), hash, expires_at: None }
    }
}

/// A certificate that stands in a registration (RFC 8705 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RegisteredCertificate {
    /// Its number.
    pub no: CredentialNo,
    /// SHA-256 of its DER.
    pub thumbprint: [u8; 32],
    /// The first second in which it proves nothing any more: set by an operator, or its own end.
    pub expires_at: Option<UnixSeconds>,
}

/// A public key that verifies an application's assertions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RegisteredKey {
    /// Its number.
    pub no: CredentialNo,
    /// A JWK (RFC 7517), public half only; was read as one before.
    pub jwk: Box<str>,
    /// The first second in which it proves nothing any more.
    pub expires_at: Option<UnixSeconds>,
}

/// How an application may prove who it is (contract, chapter 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The methods, any one of which is enough.
    pub methods: AuthMethods,
    /// What a certificate beside a secret or an assertion means.
    pub second_factor: SecondFactor,
    /// Whether tokens are bound to the certificate, where the application must have one.
    pub bound_tokens: bool,
    /// What a certificate must say that a configured CA issued; there when `tls_client_auth` is among the
    /// methods.
    pub subject: Option<CertificateSubject>,
    /// Its own certificates, two at most.
    pub certificates: Box<[RegisteredCertificate]>,
    /// Its keys, two at most.
    pub keys: Box<[RegisteredKey]>,
    /// Where its keys are published.
    pub jwks_uri: Option<Box<str>>,
    /// `aud` of its assertions.
    pub assertion_audience: AssertionAudience,
    /// The one algorithm of its assertions; without it ES256, PS256 and EdDSA.
    pub assertion_algorithm: Option<Algorithm>,
    /// Whether its tokens are bound to a key of which it sends a proof (RFC 9449 5.2).
    pub proof_of_key: bool,
    /// What it may never do less than.
    pub profile: Profile,
}

impl Registration {
    /// Whether the application may prove itself so. Its profile is asked too: a row that contradicts it was not
    /// written by this program, and lets nobody in.
    pub fn takes(&self, method: AuthMethod) -> bool {
        self.methods.contains(method) && self.profile.takes_method(method)
    }

    /// What its assertions must be addressed to.
    pub fn audience(&self) -> AssertionAudience {
        if self.profile.takes_audience(self.assertion_audience) {
            self.assertion_audience
        } else {
            AssertionAudience::Issuer
        }
    }
}

impl Default for Registration {
    /// A secret, in either way, and no certificate.
    fn default() -> Registration {
        Registration {
            methods: AuthMethods::SECRET,
            second_factor: SecondFactor::Ignored,
            bound_tokens: true,
            subject: None,
            certificates: Box::default(),
            keys: Box::default(),
            jwks_uri: None,
            assertion_audience: AssertionAudience::Issuer,
            assertion_algorithm: None,
            proof_of_key: false,
            profile: Profile::Standard,
        }
    }
}

/// A partner's program, with the trusts that clients gave it.
#[derive(Debug, Clone)]
pub struct Application {
    /// Its number.
    pub no: ApplicationNo,
    /// Its id on the wire.
    pub id: ApplicationId,
    /// Whether it may do anything at all.
    pub active: bool,
    /// Whether it may ask for contact tokens.
    pub trusted: bool,
    /// How it proves who it is.
    pub registration: Arc<Registration>,
    /// Its live secrets, two at most.
    pub secrets: Vec<RegisteredSecret>,
    /// The resources it may ask tokens for; the first is its default.
    pub resources: Vec<ResourceNo>,
    /// What signs its ID tokens.
    pub id_token_algorithm: Algorithm,
    /// The trusts, ordered by client.
    pub trusts: Arc<Vec<Trust>>,
}

impl Application {
    /// The trust of that client in this application, in force or not.
    pub fn trust(&self, client: ClientNo) -> Option<&Trust> {
        let at = self.trusts.binary_search_by_key(&client, |trust| trust.client).ok()?;
        self.trusts.get(at)
    }
}

/// A client's leave for one application to act for its contacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Who gave it.
    pub client: ClientNo,
    /// When it holds.
    pub span: Span,
    /// The most that it lets through.
    pub ceiling: Permissions,
    /// Active, not withdrawn.
    pub active: bool,
    /// For which contacts.
    pub contacts: Coverage,
}

/// The contacts that a trust is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coverage {
    /// Every contact of the client.
    All,
    /// These, ordered by number.
    Named(Box<[ContactNo]>),
}

impl Coverage {
    /// Whether the contact is among them.
    pub fn covers(&self, contact: ContactNo) -> bool {
        match self {
            Coverage::All => true,
            Coverage::Named(contacts) => contacts.binary_search(&contact).is_ok(),
        }
    }

    /// Whether every contact of `self` is among those of `other`.
    pub fn is_within(&self, other: &Coverage) -> bool {
        match (self, other) {
            (_, Coverage::All) => true,
            (Coverage::All, Coverage::Named(_)) => false,
            (Coverage::Named(contacts), other) => contacts.iter().all(|contact| other.covers(*contact)),
        }
    }
}

/// A person who may act for clients, with their mandates.
#[derive(Debug, Clone)]
pub struct Contact {
    /// Their id on the wire.
    pub id: ContactId,
    /// Whether they may act at all.
    pub active: bool,
    /// Their authority over clients, ordered by client.
    pub mandates: Box<[Mandate]>,
}

/// A contact's authority over one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mandate {
    /// Over whom.
    pub client: ClientNo,
    /// When it holds.
    pub span: Span,
    /// To do what.
    pub permissions: Permissions,
    /// Active, not suspended.
    pub active: bool,
}

/// A customer company.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its id on the wire.
    pub id: ClientId,
    /// Its name, as ID tokens show it.
    pub name: Box<str>,
    /// Whether its status is `Active`.
    pub active: bool,
}

/// An API that takes tokens.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its number.
    pub no: ResourceNo,
    /// Its id: `aud` of its access tokens.
    pub id: ResourceId,
    /// Whether tokens are issued for it.
    pub active: bool,
    /// Its live secrets, two at most.
    pub secrets: Vec<RegisteredSecret>,
    /// What signs its access tokens.
    pub access_token_algorithm: Algorithm,
}

/// Whether a change takes something away that a token may have been given: then it needs a mark.
pub trait Shrinks {
    /// `self` is what was, `new` what will be.
    fn shrinks_to(&self, new: &Self) -> bool;
}

impl Shrinks for Trust {
    fn shrinks_to(&self, new: &Trust) -> bool {
        self.active
            && (!new.active
                || !self.ceiling.is_within(new.ceiling)
                || !Window::from(self.span).is_within(new.span.into())
                || !self.contacts.is_within(&new.contacts))
    }
}

impl Shrinks for Mandate {
    fn shrinks_to(&self, new: &Mandate) -> bool {
        self.active
            && (!new.active
                || !self.permissions.is_within(new.permissions)
                || !Window::from(self.span).is_within(new.span.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_says_what_its_window_says() {
        let ends = [None, Some(UnixSeconds(10)), Some(UnixSeconds(20))];
        for from in ends {
            for until in ends {
                let window = Window { from, until };
                let span = Span::from(window);
                assert_eq!(Window::from(span), window);
                for now in (0..30).map(UnixSeconds) {
                    assert_eq!(span.contains(now), window.contains(now), "{window:?} at {now:?}");
                    assert_eq!(span.is_before(now), window.is_before(now));
                    assert_eq!(span.is_over(now), window.is_over(now));
                }
            }
        }
        assert!(Span::ALWAYS.contains(UnixSeconds(i64::MAX)));
    }

    #[test]
    fn a_reference_reads_back() {
        let id = RandomId(*b"0123456789abcdef");
        assert_eq!(RandomId::parse(&id.to_string()), Ok(id));
        assert_eq!(id.text().as_str(), URL_SAFE_NO_PAD.encode(id.0));
        assert_eq!(RandomId::parse("short"), Err(InvalidRandomId));
    }

    #[test]
    fn whatever_narrows_a_trust_shrinks_it() {
        let wide = Trust {
            client: ClientNo(1),
            span: Span::ALWAYS,
            ceiling: Permissions::ALL,
            active: true,
            contacts: Coverage::All,
        };
        let until = Window { from: None, until: Some(UnixSeconds(9)) };
        for narrow in [
            Trust { active: false, ..wide.clone() },
            Trust { ceiling: Permissions::NONE, ..wide.clone() },
            Trust { span: until.into(), ..wide.clone() },
            Trust { contacts: Coverage::Named([ContactNo(1)].into()), ..wide.clone() },
        ] {
            assert!(wide.shrinks_to(&narrow), "{narrow:?}");
            assert!(!narrow.shrinks_to(&wide), "{narrow:?}");
        }
        assert!(!wide.shrinks_to(&wide));
    }
}
