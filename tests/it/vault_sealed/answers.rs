//! Known answers from the standards, and the bounds of a passphrase's cost.

use keywheel::kit::seal::{self, Cost, Key, SealError};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// draft-irtf-cfrg-xchacha-03, appendix A.3.1.
#[test]
fn xchacha20_poly1305_gives_the_answer_of_its_draft() {
    let key: [u8; 32] = std::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap());
    let nonce: [u8; 24] = std::array::from_fn(|at| 0x40 + u8::try_from(at).unwrap());
    let aad = bytes("50515253c0c1c2c3c4c5c6c7");
    let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                  sunscreen would be it.";
    let sealed = bytes(
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb
         731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452
         2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9
         21f9664c97637da9768812f615c68b13b52e
         c0875924c1c7987947deafd8780acf49",
    );
    let key = Key::new(key);
    assert_eq!(seal::seal_with(&key, &nonce, &aad, plain).unwrap(), sealed);
    let opened = seal::open(&key, &aad, &[nonce.to_vec(), sealed].concat()).unwrap();
    assert_eq!(*opened, plain);
}

/// RFC 9106, section 5.3.
#[test]
fn argon2id_gives_the_answer_of_its_rfc() {
    let cost = Cost::new(32, 3, 4).unwrap();
    let key = seal::argon2id(&[1; 32], &[2; 16], &[3; 8], &[4; 12], cost).unwrap();
    assert_eq!(key.bytes().to_vec(), bytes("0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"));
}

/// RFC 5869, appendix A.1; the first 32 of its 42 bytes.
#[test]
fn hkdf_sha256_gives_the_answer_of_its_rfc() {
    let (salt, info) = (bytes("000102030405060708090a0b0c"), bytes("f0f1f2f3f4f5f6f7f8f9"));
    let key = seal::derive(&[0x0b; 22], &salt, &info).unwrap();
    assert_eq!(key.bytes().to_vec(), bytes("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"));
}

#[test]
fn what_is_sealed_opens_only_with_its_key_and_its_associated_data() {
    let key = Key::random().unwrap();
    let sealed = seal::seal(&key, b"header", b"body").unwrap();
    assert_eq!(sealed.len(), 4 + seal::OVERHEAD);
    assert_eq!(*seal::open(&key, b"header", &sealed).unwrap(), b"body");
    assert_ne!(seal::seal(&key, b"header", b"body").unwrap(), sealed, "the nonce is drawn anew");
    let refused = |key: &Key, aad: &[u8], sealed: &[u8]| seal::open(key, aad, sealed) == Err(SealError::NotOpened);
    assert!(refused(&Key::random().unwrap(), b"header", &sealed));
    assert!(refused(&key, b"headers", &sealed));
    for at in 0..sealed.len() {
        assert!(refused(&key, b"header", &sealed[..at]), "cut at {at}");
        let mut flipped = sealed.clone();
        flipped[at] ^= 1;
        assert!(refused(&key, b"header", &flipped), "flipped at {at}");
    }
}

#[test]
fn a_passphrase_cost_out_of_bounds_is_refused_by_name() {
    let refused = |memory, passes, lanes| match Cost::new(memory, passes, lanes) {
        Err(SealError::Bounds(name, ..)) => name,
        other => panic!("{memory} {passes} {lanes}: {other:?}"),
    };
    assert_eq!(refused((1 << 20) + 1, 3, 4), "memory_kib");
    assert_eq!(refused(u32::MAX, 3, 4), "memory_kib");
    assert_eq!(refused(31, 3, 4), "memory_kib");
    assert_eq!(refused(0, 1, 1), "memory_kib");
    assert_eq!(refused(64, 17, 1), "passes");
    assert_eq!(refused(64, 0, 1), "passes");
    assert_eq!(refused(1 << 20, 1, 9), "lanes");
    assert_eq!(refused(64, 1, u32::MAX), "lanes");
    assert_eq!(refused(64, 1, 0), "lanes");
    assert!(Cost::new(1 << 20, 16, 8).is_ok());
    let standard = Cost::STANDARD;
    assert_eq!(Cost::new(standard.memory_kib(), standard.passes(), standard.lanes()), Ok(standard));
    assert_eq!((standard.memory_kib(), standard.passes()), (64 * 1024, 3));
}

#[test]
fn keys_for_two_purposes_have_nothing_in_common() {
    let key = Key::random().unwrap();
    let [one, two] = ["one", "two"].map(|purpose| *key.derive(purpose).unwrap().bytes());
    assert_eq!(*key.derive("one").unwrap().bytes(), one);
    assert_ne!(one, two);
    assert_ne!(one, *key.bytes());
}
