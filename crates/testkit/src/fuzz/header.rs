//! Headers and metas: what is accepted is written again as the same, and nothing else is accepted.

use eipc_core::wire::header_v1::{self, TimestampRule};
use eipc_core::wire::{header_binary, header_json};

/// The first byte chooses the kind.
pub fn header(input: &[u8]) {
    let [kind, bytes @ ..] = input else { return };
    match kind % 4 {
        0 => json_v1(bytes, TimestampRule::Strict),
        1 => json_v1(bytes, TimestampRule::AnyString),
        2 => binary(bytes),
        _ => json_v2(bytes),
    }
}

fn json_v1(bytes: &[u8], rule: TimestampRule) {
    let Ok(header) = header_v1::parse(bytes, rule) else { return };
    let mut written = Vec::new();
    // What was read may be longer than what may be sent: escapes, and strings above our own limit.
    if header_v1::write(&header, &mut written).is_ok() {
        let again = header_v1::parse(&written, rule).expect("what was written is read");
        assert_eq!(header, again);
    }
}

fn binary(bytes: &[u8]) {
    let checked = header_binary::check(bytes);
    let any_text = header_binary::parse_any_text(bytes);
    match header_binary::parse(bytes) {
        Ok(meta) => {
            assert_eq!(checked.ok(), Some(meta.priority));
            assert_eq!(any_text.as_ref().ok(), Some(&meta));
            let mut written = vec![0; header_binary::encoded_len(&meta).unwrap()];
            assert_eq!(header_binary::write(&meta, &mut written).unwrap(), bytes.len());
            assert_eq!(written, bytes, "one meta has one encoding");
        }
        Err(error) => assert_eq!(checked.err().map(|error| error.code), Some(error.code)),
    }
}

fn json_v2(bytes: &[u8]) {
    let Ok(meta) = header_json::parse(bytes) else { return };
    if let Ok(written) = header_json::write(&meta) {
        assert_eq!(header_json::parse(written.as_bytes()).expect("what was written is read"), meta);
    }
}
