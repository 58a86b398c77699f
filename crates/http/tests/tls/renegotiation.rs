//! A second handshake on a connection of TLS 1.2, which no library of today begins: a caller whose encrypter
//! sends one as what it is.

use procura_http::tls::Callers;
use rustls::crypto::aws_lc_rs::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
use rustls::crypto::cipher::{
    AeadKey, KeyBlockShape, MessageDecrypter, MessageEncrypter, OutboundOpaqueMessage, OutboundPlainMessage,
    Tls12AeadAlgorithm, UnsupportedOperationError,
};
use rustls::{
    ConnectionTrafficSecrets, ContentType, Error, HandshakeKind, SupportedCipherSuite, Tls12CipherSuite,
};

use super::Server;
use super::caller::{Caller, TLS12};
use super::made::Ca;

/// AES-GCM, but data that looks like a ClientHello goes out as a message of a handshake.
struct Renegotiating(&'static dyn Tls12AeadAlgorithm);

struct Encrypter(Box<dyn MessageEncrypter>);

impl Tls12AeadAlgorithm for Renegotiating {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn MessageEncrypter> {
        Box::new(Encrypter(self.0.encrypter(key, iv, extra)))
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        self.0.decrypter(key, iv)
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        self.0.key_block_shape()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: &[u8],
        explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv, explicit)
    }
}

impl MessageEncrypter for Encrypter {
    fn encrypt(
        &mut self,
        mut message: OutboundPlainMessage<'_>,
        seq: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let hello = hello();
        if message.typ == ContentType::ApplicationData && message.payload.to_vec() == hello {
            message.typ = ContentType::Handshake;
        }
        self.0.encrypt(message, seq)
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        self.0.encrypted_payload_len(payload_len)
    }
}

/// A ClientHello of TLS 1.2 without extensions.
fn hello() -> Vec<u8> {
    let mut hello = vec![1, 0, 0, 41, 3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    hello
}

fn suite() -> SupportedCipherSuite {
    let SupportedCipherSuite::Tls12(real) = TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 else {
        panic!("a suite of TLS 1.2");
    };
    let aead_alg: &'static Renegotiating = Box::leak(Box::new(Renegotiating(real.aead_alg)));
    let suite = Tls12CipherSuite {
        common: rustls::crypto::CipherSuiteCommon {
            suite: real.common.suite,
            hash_provider: real.common.hash_provider,
            confidentiality_limit: real.common.confidentiality_limit,
        },
        prf_provider: real.prf_provider,
        kx: real.kx,
        sign: real.sign,
        aead_alg,
    };
    SupportedCipherSuite::Tls12(Box::leak(Box::new(suite)))
}

#[tokio::test]
async fn a_second_handshake_on_a_connection_is_never_made() {
    let ca = Ca::new();
    let server = Server::start(&ca, Callers::Asked).await;
    let caller = Caller::with(&ca, Some(&ca.caller("erp.example")), TLS12, Some(suite()));
    let mut connection = caller.connect(server.address).await.unwrap();
    assert_eq!(connection.kind(), HandshakeKind::Full);
    let before = connection.ask("localhost").await.unwrap().body;
    // The first is declined, and the connection is what it was.
    connection.send_bytes(&hello()).await.unwrap();
    assert_eq!(connection.ask("localhost").await.unwrap().body, before);
    // Whoever insists is cut off.
    let mut insisted = false;
    for _ in 0..10 {
        if connection.send_bytes(&hello()).await.is_err() || connection.ask("localhost").await.is_err() {
            insisted = true;
            break;
        }
    }
    assert!(insisted, "ten further handshakes were asked for, and the connection went on");
    assert_eq!(caller.wallet.asked.lock().unwrap().len(), 1);
}
