//! The key that tokens are bound to.

use std::fmt;
use std::sync::Arc;

use http::header::HeaderValue;
use http::{Method, Uri};
use procura_jose::digest::sha256;
use procura_jose::{Algorithm, CryptoError, Jwk, KeyId, Random, base64url};
use procura_protocol::dpop::{DPOP_ALGORITHMS, DPOP_TYPE};
use procura_protocol::secret::Secret;
use procura_protocol::time::UnixSeconds;
use serde::Serialize;
use thiserror::Error;

use super::nonces::Nonces;
use super::sensitive;
use crate::assertion::{AssertionKey, InvalidAssertionKey, JwtSigner, Signer, SigningError, new_name};
use crate::response::Token;

/// A key that an application's tokens are bound to (RFC 9449): with each request it proves that it holds the key, so a
/// token that was stolen without it is worth nothing.
///
/// It needs no registration: the proofs bring the public half. Make a new one as often as you like; tokens that were
/// bound to another are then used with that one. It may also be the key of the application's assertions, but a key of
/// its own can be thrown away with the process.
///
/// It remembers the nonces that servers give, for as long as it lives. A clone is the same key.
///
/// ```
/// use procura_client::{Algorithm, DpopKey};
///
/// // In memory only: it ends with the process, and the tokens with it.
/// let (key, _) = DpopKey::generate(Algorithm::Es256)?;
/// assert_eq!(key.thumbprint().as_str().len(), 43);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct DpopKey(Arc<Inner>);

struct Inner {
    key: JwtSigner,
    thumbprint: KeyId,
    nonces: Nonces,
}

/// What is no key to prove the possession of. Holds nothing of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidDpopKey {
    /// RS256 signs no proofs.
    #[error("proofs of possession are signed with ES256, PS256 or EdDSA")]
    Algorithm,
    /// Completes "the public key ...".
    #[error("the public key must be a JWK of the signer's algorithm, without private members")]
    PublicKey,
    /// The text is no key.
    #[error("it {0}")]
    Private(#[from] InvalidAssertionKey),
    /// The crypto library failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// What a proof is of: one request, which a token or a nonce may go with.
#[derive(Debug, Clone, Copy)]
pub struct ProofOf<'a> {
    method: &'a Method,
    url: &'a Uri,
    token: Option<&'a Token>,
    nonce: Option<&'a str>,
}

impl<'a> ProofOf<'a> {
    /// A request with this method to this URL. Its query may be there; it is not part of the proof.
    pub fn request(method: &'a Method, url: &'a Uri) -> ProofOf<'a> {
        ProofOf { method, url, token: None, nonce: None }
    }

    /// The same with the access token that goes with it (`ath`, RFC 9449 4.2), as every resource asks for.
    #[must_use]
    pub fn with_token(self, token: &'a Token) -> ProofOf<'a> {
        ProofOf { token: Some(token), ..self }
    }

    /// The same with the nonce that the server gave last (`DPoP-Nonce`).
    #[must_use]
    pub fn with_nonce(self, nonce: &'a str) -> ProofOf<'a> {
        ProofOf { nonce: Some(nonce), ..self }
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    jti: String,
    htm: &'a str,
    htu: String,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

impl DpopKey {
    /// A new key for ES256, PS256 or EdDSA, and its PKCS#8 (DER) for those who keep it.
    ///
    /// # Errors
    ///
    /// [`InvalidDpopKey`] for RS256, and when the crypto library fails.
    pub fn generate(algorithm: Algorithm) -> Result<(DpopKey, Secret), InvalidDpopKey> {
        if !DPOP_ALGORITHMS.contains(&algorithm) {
            return Err(InvalidDpopKey::Algorithm);
        }
        let (key, pkcs8) = AssertionKey::generate(algorithm)?;
        Ok((DpopKey::from_key(key)?, pkcs8))
    }

    /// Reads PEM, as [`AssertionKey::from_pem`] does. The key says what it signs with: ES256, EdDSA, or of RSA PS256.
    ///
    /// # Errors
    ///
    /// [`InvalidDpopKey`].
    pub fn from_pem(pem: &Secret) -> Result<DpopKey, InvalidDpopKey> {
        DpopKey::from_key(AssertionKey::from_pem(pem)?)
    }

    /// A key that is there already.
    ///
    /// # Errors
    ///
    /// [`InvalidDpopKey::Algorithm`] for one that signs with RS256.
    pub fn from_key(key: AssertionKey) -> Result<DpopKey, InvalidDpopKey> {
        let public = key.jwk();
        DpopKey::of(Arc::new(key), &public)
    }

    /// A key that never leaves an HSM or a KMS, and its public half as a JWK.
    ///
    /// # Errors
    ///
    /// [`InvalidDpopKey`] for RS256 and for a JWK that is no public key of the signer's algorithm. Whether it is the
    /// public half of the very key that signs is found out by the first server.
    pub fn by_signer(signer: Arc<dyn Signer>, public_jwk: &str) -> Result<DpopKey, InvalidDpopKey> {
        let public: Jwk = serde_json::from_str(public_jwk).map_err(|_| InvalidDpopKey::PublicKey)?;
        DpopKey::of(signer, &public)
    }

    fn of(signer: Arc<dyn Signer>, public: &Jwk) -> Result<DpopKey, InvalidDpopKey> {
        if !DPOP_ALGORITHMS.contains(&signer.algorithm()) {
            return Err(InvalidDpopKey::Algorithm);
        }
        if public.algorithm() != signer.algorithm() {
            return Err(InvalidDpopKey::PublicKey);
        }
        let key = JwtSigner::bringing_its_key(signer, public, DPOP_TYPE);
        Ok(DpopKey(Arc::new(Inner { key, thumbprint: public.thumbprint(), nonces: Nonces::default() })))
    }

    /// What names the key in the tokens that are bound to it (`cnf.jkt`): its RFC 7638 thumbprint.
    pub fn thumbprint(&self) -> &KeyId {
        &self.0.thumbprint
    }

    /// A proof for one request, to go into its `DPoP` header, marked sensitive so that `http` does not print it. It is
    /// good once, and for a minute.
    ///
    /// [`crate::Procura`] makes its own; [`crate::Procura::prove_for_resource`] proves a request of yours and remembers
    /// nonces, which this does not.
    ///
    /// # Errors
    ///
    /// [`SigningError`] for a URL that is not absolute, and when the key can't sign.
    pub async fn proof(
        &self,
        of: &ProofOf<'_>,
        now: UnixSeconds,
        random: &dyn Random,
    ) -> Result<HeaderValue, SigningError> {
        let digest = of.token.map(digest);
        self.sign((of.method, of.url), (digest.as_deref(), of.nonce), now, random).await
    }

    pub(super) async fn sign(
        &self,
        (method, url): (&Method, &Uri),
        (ath, nonce): (Option<&str>, Option<&str>),
        now: UnixSeconds,
        random: &dyn Random,
    ) -> Result<HeaderValue, SigningError> {
        let htu =
            target(url).ok_or_else(|| SigningError::new("a proof is of an absolute http or https URL"))?;
        let claims = Claims { jti: new_name(random), htm: method.as_str(), htu, iat: now.0, ath, nonce };
        sensitive(&self.0.key.sign(&claims).await?)
    }

    pub(super) fn nonces(&self) -> &Nonces {
        &self.0.nonces
    }
}

impl fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DpopKey({} {})", self.0.key.signer().algorithm(), self.0.thumbprint)
    }
}

/// `ath`: what names a token in a proof.
pub(super) fn digest(token: &Token) -> String {
    base64url::encode(&sha256(token.expose().as_bytes()))
}

/// `htu`: the URL as it is, without its query.
fn target(url: &Uri) -> Option<String> {
    let (scheme, authority) = (url.scheme_str()?, url.authority()?);
    if !matches!(scheme, "http" | "https") || authority.as_str().contains('@') {
        return None;
    }
    Some(format!("{scheme}://{authority}{}", url.path()))
}

#[cfg(test)]
mod tests {
    use procura_jose::{Expect, SystemRandom, verify_self_signed};
    use procura_protocol::dpop::{DpopClaims, DpopTerms};
    use procura_protocol::target_uri::TargetUri;

    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn uri(text: &str) -> Uri {
        text.parse().unwrap()
    }

    async fn proved(key: &DpopKey, of: &ProofOf<'_>) -> (String, DpopClaims) {
        let proof = key.proof(of, NOW, &SystemRandom).await.unwrap();
        assert!(proof.is_sensitive());
        let expect = Expect { typ: DPOP_TYPE, algorithms: &DPOP_ALGORITHMS };
        let read = verify_self_signed::<DpopClaims>(proof.to_str().unwrap(), &expect).unwrap();
        (read.key().to_string(), read.claims().clone())
    }

    #[tokio::test]
    async fn whoever_judges_a_proof_takes_it_of_any_key() {
        for algorithm in DPOP_ALGORITHMS {
            let (key, _) = DpopKey::generate(algorithm).unwrap();
            let (url, token) = (uri("https://api.example/a%2Fb?c=d"), Token::from(String::from("a.b.c")));
            let of = ProofOf::request(&Method::PATCH, &url).with_token(&token).with_nonce("n");
            let (thumbprint, claims) = proved(&key, &of).await;
            assert_eq!(thumbprint, key.thumbprint().as_str(), "{algorithm}");
            let targets = [TargetUri::parse("https://api.example/a%2Fb").unwrap()];
            let terms =
                DpopTerms { method: "PATCH", targets: &targets, now: NOW, token: Some(sha256(b"a.b.c")) };
            assert_eq!(claims.check(&terms), Ok(()));
            assert_eq!((&*claims.target, claims.nonce.as_deref()), ("https://api.example/a%2Fb", Some("n")));
        }
    }

    #[tokio::test]
    async fn what_does_not_go_with_a_request_is_not_in_its_proof() {
        let (key, _) = DpopKey::generate(Algorithm::EdDsa).unwrap();
        let (_, claims) = proved(&key, &ProofOf::request(&Method::GET, &uri("http://127.0.0.1:8080"))).await;
        assert_eq!((claims.token, claims.nonce), (None, None));
        assert_eq!(&*claims.target, "http://127.0.0.1:8080/");
    }

    #[tokio::test]
    async fn two_proofs_of_one_request_are_two() {
        let (key, _) = DpopKey::generate(Algorithm::Es256).unwrap();
        let url = uri("https://token.example/token");
        let of = ProofOf::request(&Method::POST, &url);
        assert_ne!(proved(&key, &of).await.1.id, proved(&key, &of).await.1.id);
    }

    #[tokio::test]
    async fn a_url_that_leads_nowhere_is_not_proved() {
        let (key, _) = DpopKey::generate(Algorithm::Es256).unwrap();
        for bad in ["/token", "ftp://token.example/", "https://user@token.example/", "token.example:80"] {
            let url = uri(bad);
            assert!(
                key.proof(&ProofOf::request(&Method::GET, &url), NOW, &SystemRandom).await.is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_key_for_another_algorithm_or_with_its_private_half_is_refused() {
        let refused = |made: Result<DpopKey, InvalidDpopKey>| made.map(|_| ()).unwrap_err();
        assert_eq!(
            refused(DpopKey::generate(Algorithm::Rs256).map(|(key, _)| key)),
            InvalidDpopKey::Algorithm
        );
        let (rs256, _) = AssertionKey::generate(Algorithm::Rs256).unwrap();
        assert_eq!(refused(DpopKey::from_key(rs256)), InvalidDpopKey::Algorithm);
        let made = |algorithm| Arc::new(AssertionKey::generate(algorithm).unwrap().0);
        let (es256, eddsa) = (made(Algorithm::Es256), made(Algorithm::EdDsa));
        let public = eddsa.public_jwk().unwrap();
        for bad in [&*public, "{}", "hunter2", &es256.public_jwk().unwrap().replace('}', ",\"d\":\"AA\"}")] {
            let error = refused(DpopKey::by_signer(es256.clone(), bad));
            assert_eq!(error, InvalidDpopKey::PublicKey);
            assert!(!error.to_string().contains("hunter2"));
        }
        let key = DpopKey::by_signer(eddsa.clone(), &public).unwrap();
        assert_eq!(key.thumbprint(), eddsa.kid());
    }

    #[test]
    fn debug_output_holds_nothing_but_the_name() {
        let (key, pkcs8) = DpopKey::generate(Algorithm::EdDsa).unwrap();
        let printed = format!("{key:?}");
        assert!(printed.contains(key.thumbprint().as_str()));
        assert!(!printed.contains(&base64url::encode(&pkcs8.expose()[16..48])), "{printed}");
    }
}
