//! Secrets at rest.

use procura_jose::seal::{OVERHEAD, context};
use procura_jose::{KeyEncryptionKey, SealError};

fn fixed() -> KeyEncryptionKey {
    KeyEncryptionKey::from_base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap()
}

#[test]
fn what_is_sealed_opens_again_under_the_same_key_and_context() {
    for plaintext in [&b""[..], b"x", &[7; 1300]] {
        let sealed = fixed().seal(&context(&["signing key", "kid"]), plaintext).unwrap();
        assert_eq!(sealed.len(), plaintext.len() + OVERHEAD);
        assert_eq!(fixed().open(&context(&["signing key", "kid"]), &sealed).unwrap().expose(), plaintext);
    }
}

#[test]
fn another_context_or_another_key_does_not_open_it() {
    let sealed = fixed().seal(&context(&["signing key", "kid"]), b"secret").unwrap();
    for other in [context(&["journal key", "kid"]), context(&["signing key", "kie"]), context(&[]), vec![]] {
        assert_eq!(fixed().open(&other, &sealed).unwrap_err(), SealError::Open);
    }
    let other = KeyEncryptionKey::generate().unwrap();
    assert_eq!(other.open(&context(&["signing key", "kid"]), &sealed).unwrap_err(), SealError::Open);
}

#[test]
fn parts_of_a_context_cannot_run_into_each_other() {
    assert_ne!(context(&["ab", "c"]), context(&["a", "bc"]));
    assert_ne!(context(&["abc"]), context(&["abc", ""]));
}

#[test]
fn every_changed_or_missing_byte_is_noticed() {
    let sealed = fixed().seal(b"context", b"secret").unwrap();
    for position in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[position] ^= 1;
        assert!(fixed().open(b"context", &changed).is_err(), "byte {position}");
        assert!(fixed().open(b"context", &sealed[..position]).is_err(), "length {position}");
    }
    assert!(fixed().open(b"context", &[sealed.as_slice(), &[0]].concat()).is_err());
    assert_eq!(fixed().open(b"context", &sealed[..28]).unwrap_err(), SealError::Format);
}

#[test]
fn sealing_twice_gives_different_bytes_that_do_not_show_the_plaintext() {
    let plaintext = b"a private key of some length";
    let (one, two) = (fixed().seal(b"c", plaintext).unwrap(), fixed().seal(b"c", plaintext).unwrap());
    assert_ne!(one, two);
    assert!(!one.windows(8).any(|window| plaintext.windows(8).any(|part| part == window)));
}

#[test]
fn the_key_is_base64_of_exactly_32_bytes() {
    let key = KeyEncryptionKey::generate().unwrap();
    let text = key.to_base64();
    let text = text.expose_str().unwrap();
    assert_eq!(text.len(), 44);
    let read = KeyEncryptionKey::from_base64(&format!(" {text}\r\n")).unwrap();
    let sealed = key.seal(b"c", b"secret").unwrap();
    assert_eq!(read.open(b"c", &sealed).unwrap().expose(), b"secret");
    for wrong in
        ["", "AAAA", &text[..43], &format!("{text}{text}"), "not base64 at all, but 44 characters long!!!"]
    {
        assert_eq!(KeyEncryptionKey::from_base64(wrong).unwrap_err(), SealError::NotAKey, "{wrong}");
    }
}

#[test]
fn debug_output_shows_no_key() {
    assert_eq!(format!("{:?}", fixed()), "KeyEncryptionKey(..)");
}
