//! Project Wycheproof against the wrappers of `crypto`: the edge cases at which implementations have
//! failed before. Every case must have its outcome; `--nocapture` prints how many there were.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use eipc_core::crypto::aead::{AeadKey, Cipher};
use eipc_core::crypto::agreement::EphemeralKey;
use eipc_core::crypto::kdf;
use eipc_core::crypto::mac::MacKey;
use eipc_core::crypto::random::Random;
use wycheproof::{TestResult, aead, hkdf, mac, xdh};

/// Prints and checks how many cases there were, so that an empty file does not pass.
fn tested(name: &str, cases: usize, expected: usize) {
    println!("Wycheproof {name}: {cases} cases");
    assert_eq!(cases, expected, "{name}");
}

#[test]
fn hmac_sha256() {
    let mut cases = 0;
    for group in mac::TestSet::load(mac::TestName::HmacSha256).unwrap().test_groups {
        for test in group.tests {
            let key = MacKey::new(&test.key);
            let is_right = match group.tag_size {
                256 => key.verify(&test.msg, &test.tag),
                // Nothing here makes or takes a shorter tag.
                bits => {
                    assert!(!key.verify(&test.msg, &test.tag), "a truncated tag, case {}", test.tc_id);
                    key.sign(&test.msg)[..bits / 8] == test.tag[..]
                }
            };
            assert_eq!(is_right, test.result == TestResult::Valid, "case {}: {}", test.tc_id, test.comment);
            cases += 1;
        }
    }
    tested("HMAC-SHA256", cases, 174);
}

#[test]
fn hkdf_sha256() {
    let mut cases = 0;
    for group in hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap().test_groups {
        for test in group.tests {
            let key = kdf::extract(&test.salt, &test.ikm).unwrap();
            let mut okm = vec![0; test.size];
            let expanded = kdf::expand_into(&key, &[&test.info], &mut okm).map(|()| okm);
            match test.result {
                TestResult::Invalid => assert!(expanded.is_err(), "case {}: {}", test.tc_id, test.comment),
                _ => assert_eq!(expanded.unwrap(), test.okm[..], "case {}: {}", test.tc_id, test.comment),
            }
            cases += 1;
        }
    }
    tested("HKDF-SHA256", cases, 86);
}

#[test]
fn aes_256_gcm() {
    let (cases, others) = aead(Cipher::Aes256Gcm, aead::TestName::AesGcm);
    tested("AES-256-GCM", cases, 66);
    println!("AES-GCM: {others} cases of other key, nonce and tag lengths, which the types rule out");
}

#[test]
fn chacha20_poly1305() {
    let (cases, others) = aead(Cipher::ChaCha20Poly1305, aead::TestName::ChaCha20Poly1305);
    tested("ChaCha20-Poly1305", cases, 316);
    println!("ChaCha20-Poly1305: {others} cases of other nonce lengths, which the types rule out");
}

/// Seals and opens every case whose lengths exist here; frame number 0 leaves the iv as the nonce.
fn aead(cipher: Cipher, name: aead::TestName) -> (usize, usize) {
    let (mut cases, mut others) = (0, 0);
    for group in aead::TestSet::load(name).unwrap().test_groups {
        for test in &group.tests {
            let (Ok(key), Ok(iv), 128) =
                ((&test.key[..]).try_into(), (&test.nonce[..]).try_into(), group.tag_size)
            else {
                others += 1;
                continue;
            };
            let key = AeadKey::new(cipher, key, iv).unwrap();
            let case = format!("case {}: {}", test.tc_id, test.comment);
            let mut text = test.ct.to_vec();
            let opened = key.open_in_place(0, &test.aad, &mut text, &test.tag);
            assert_eq!(opened.is_ok(), test.result == TestResult::Valid, "{case}");
            if opened.is_ok() {
                assert_eq!(text, test.pt[..], "{case}");
                let mut tag = [0; 16];
                key.seal_in_place(0, &test.aad, &mut text, &mut tag).unwrap();
                assert_eq!((&text[..], &tag[..]), (&test.ct[..], &test.tag[..]), "{case}");
            }
            cases += 1;
        }
    }
    (cases, others)
}

#[test]
fn x25519() {
    let (mut cases, mut zeros) = (0, 0);
    for group in xdh::TestSet::load(xdh::TestName::X25519).unwrap().test_groups {
        for test in group.tests {
            let case = format!("case {}: {}", test.tc_id, test.comment);
            cases += 1;
            let Ok(public) = (&test.public_key[..]).try_into() else {
                panic!("{case}: a public key of another length does not get here");
            };
            let private = EphemeralKey::generate(&Random::fixed(&test.private_key)).unwrap();
            let agreed = private.agree(public);
            if test.shared_secret.iter().all(|byte| *byte == 0) {
                // docs/wire.md: an all-zero result aborts; elsewhere it is merely acceptable.
                assert!(agreed.is_err(), "{case}");
                zeros += 1;
                continue;
            }
            // A secret shows its bytes to nobody; what it expands to does not depend on anything else.
            let mut expanded = [0; 32];
            kdf::expand_into(&agreed.expect(&case), &[b"x25519"], &mut expanded).unwrap();
            assert_eq!(expanded, MacKey::new(&test.shared_secret).sign(b"x25519\x01"), "{case}");
        }
    }
    tested("X25519", cases, 518);
    assert!(zeros > 0);
}
