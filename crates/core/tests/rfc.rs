//! The test cases of RFC 4231 (HMAC-SHA256) and RFC 5869 (HKDF-SHA256), all of them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use eipc_core::crypto::kdf;
use eipc_core::crypto::mac::MacKey;
use eipc_testkit::vectors::hex;

#[test]
fn rfc_4231() {
    let up_to_25: Vec<u8> = (1..=25).collect();
    let cases: [(&[u8], &[u8], &str); 7] = [
        (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (&up_to_25, &[0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        (&[0x0c; 20], b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
        (
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            &[0xaa; 131],
            b"This is a test using a larger than block-size key and a larger than block-size data. \
              The key needs to be hashed before being used by the HMAC algorithm.",
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ];
    for (at, (key, message, expected)) in cases.into_iter().enumerate() {
        let expected = hex(expected);
        let key = MacKey::new(key);
        assert_eq!(key.sign(message)[..expected.len()], expected, "case {}", at + 1);
        // Case 5 is truncated; a shorter tag verifies nowhere here.
        assert_eq!(key.verify(message, &expected), expected.len() == 32, "case {}", at + 1);
    }
    println!("RFC 4231: {} cases", cases.len());
}

#[test]
fn rfc_5869() {
    let bytes = |range: std::ops::RangeInclusive<u8>| range.collect::<Vec<u8>>();
    let cases = [
        (
            vec![0x0b; 22],
            bytes(0x00..=0x0c),
            bytes(0xf0..=0xf9),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            bytes(0x00..=0x4f),
            bytes(0x60..=0xaf),
            bytes(0xb0..=0xff),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09\
             da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            vec![0x0b; 22],
            vec![],
            vec![],
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ];
    for (at, (input, salt, info, expected)) in cases.iter().enumerate() {
        let mut output = vec![0; expected.len() / 2];
        kdf::expand_into(&kdf::extract(salt, input).unwrap(), &[info], &mut output).unwrap();
        assert_eq!(output, hex(expected), "case {}", at + 1);
    }
    println!("RFC 5869: {} cases", cases.len());
}
