//! Signing as the server does it.

use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use procura_jose::{
    Algorithm, CompactPrefix, PrivateKey, RsaPool, SignError, Signer, SigningKey, compact_input,
};
use serde_json::json;

use crate::support::{TYP, verify};

fn pool() -> RsaPool {
    RsaPool::new(NonZeroUsize::MIN)
}

/// A signing key, and a token of it that [`verify`] would take if it knew the key.
fn made(algorithm: Algorithm) -> (SigningKey, Vec<u8>) {
    let (key, _) = PrivateKey::generate(algorithm).unwrap();
    let key = SigningKey::new(key, &pool());
    let input = compact_input(&CompactPrefix::of(&key, TYP), br#"{"sub":"c1"}"#);
    (key, input)
}

fn check(key: &SigningKey, token: Vec<u8>) {
    let token = String::from_utf8(token).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = procura_jose::base64url::decode(signature).unwrap();
    assert!(key.public_key().verify(signed.as_bytes(), &signature).is_ok());
}

#[test]
fn elliptic_curves_sign_at_the_first_poll_without_any_runtime() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let (key, input) = made(algorithm);
        let signing = pin!(key.sign(input));
        match signing.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(signed) => check(&key, signed.unwrap()),
            Poll::Pending => panic!("{algorithm} had to wait"),
        }
    }
}

#[test]
fn rsa_signs_on_the_blocking_pool() {
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
            // The pool's only thread is kept busy, so the signature can't be there before it is let go.
            let (let_go, busy) = std::sync::mpsc::channel::<()>();
            let occupied = tokio::task::spawn_blocking(move || busy.recv().is_err());
            let (key, input) = made(algorithm);
            let mut signing = pin!(key.sign(input));
            let first = signing.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(first.is_pending(), "{algorithm} was signed by the thread that polls");
            drop(let_go);
            assert!(occupied.await.unwrap());
            check(&key, signing.await.unwrap());
        }
    });
}

#[tokio::test]
async fn who_no_longer_waits_does_not_keep_a_turn() {
    let (key, input) = made(Algorithm::Rs256);
    for _ in 0..20 {
        let mut signing = pin!(key.sign(input.clone()));
        let _ = signing.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    check(&key, key.sign(input).await.unwrap());
}

#[tokio::test]
async fn many_at_once_share_one_turn_and_all_finish() {
    let (key, input) = made(Algorithm::Ps256);
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (key, input) = (key.clone(), input.clone());
            tokio::spawn(async move { key.sign(input).await })
        })
        .collect();
    for task in tasks {
        check(&key, task.await.unwrap().unwrap());
    }
}

/// A key somewhere else, as a module for one would be written.
struct Elsewhere(PrivateKey);

impl Signer for Elsewhere {
    fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }

    fn kid(&self) -> &procura_jose::KeyId {
        self.0.kid()
    }

    async fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>, SignError> {
        let signature = self.0.sign(&message)?;
        Ok(procura_jose::append_signature(message, signature.as_ref()))
    }
}

#[tokio::test]
async fn a_signer_of_another_kind_makes_tokens_that_verify() {
    let (key, _) = PrivateKey::generate(Algorithm::Es256).unwrap();
    let jwks = procura_jose::Jwks::new([key.public_jwk()]);
    let signer = Elsewhere(key);
    let input = compact_input(&CompactPrefix::of(&signer, TYP), br#"{"sub":"c1"}"#);
    let token = String::from_utf8(signer.sign(input).await.unwrap()).unwrap();
    let expect = procura_jose::Expect { typ: TYP, algorithms: &[Algorithm::Es256] };
    let verified = procura_jose::verify_jwt::<serde_json::Value>(&token, &jwks, &expect).unwrap();
    assert_eq!(verified.into_claims(), json!({"sub": "c1"}));
    assert!(verify(&token).is_err(), "the key is in no other set");
}

#[test]
fn debug_output_of_a_signing_key_is_its_name_alone() {
    let (key, _) = made(Algorithm::Es256);
    assert_eq!(format!("{key:?}"), format!("SigningKey(ES256 {})", key.kid()));
}
