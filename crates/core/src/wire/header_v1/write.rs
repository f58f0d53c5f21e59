//! Writing a v1 header as the original's JSON encoder does, byte for byte: order of keys, escapes,
//! omitted fields.

use super::HeaderV1;
use crate::error::{Code, Error, Result};
use crate::message::PayloadFormat;
use crate::wire::limits::MAX_HEADER_LEN;

/// Appends a header to `out`, which is left as it was on failure. Allocates only what `out` lacks.
///
/// # Errors
/// [`Code::BadHeader`] for what a peer would refuse: a NUL in a string, a payload format v1 does not have,
/// a year outside of 0..=9999, more than 4 096 bytes.
pub fn write(header: &HeaderV1<'_>, out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    let result = append(header, out).and_then(|()| {
        if out.len() - start > MAX_HEADER_LEN {
            return Err(Error::with(Code::BadHeader, format!("header of {} bytes", out.len() - start)));
        }
        Ok(())
    });
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn append(header: &HeaderV1<'_>, out: &mut Vec<u8>) -> Result<()> {
    const YEAR: Error = Error::new(Code::BadHeader, "a time outside of the years 0..=9999");
    string(out, b"{\"service_id\":\"", &header.service_id)?;
    string(out, b",\"session_id\":\"", &header.session_id)?;
    string(out, b",\"request_id\":\"", &header.request_id)?;
    out.extend_from_slice(b",\"sequence\":");
    number(out, header.sequence);
    out.extend_from_slice(b",\"timestamp\":\"");
    header.timestamp.write(out).ok_or(YEAR)?;
    out.extend_from_slice(b"\",\"priority\":");
    number(out, header.priority.byte().into());
    if !header.capability.is_empty() {
        string(out, b",\"capability\":\"", &header.capability)?;
    }
    if !header.route.is_empty() {
        string(out, b",\"route\":\"", &header.route)?;
    }
    if header.payload_format.byte() > PayloadFormat::MessagePack.byte() {
        return Err(Error::new(Code::BadHeader, "v1 has JSON and MessagePack payloads only"));
    }
    out.extend_from_slice(b",\"payload_format\":");
    number(out, header.payload_format.byte().into());
    out.push(b'}');
    Ok(())
}

/// Writes a member up to the quote behind its value.
fn string(out: &mut Vec<u8>, key: &[u8], text: &str) -> Result<()> {
    out.extend_from_slice(key);
    let bytes = text.as_bytes();
    let mut plain_from = 0;
    let mut plain = |out: &mut Vec<u8>, to: usize, next: usize| {
        out.extend_from_slice(bytes.get(plain_from..to).unwrap_or_default());
        plain_from = next;
    };
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= b' ' && !matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&' | 0xe2) {
            continue;
        }
        let (escape, width): (&[u8], usize) = match byte {
            0 => return Err(Error::new(Code::BadHeader, "NUL in a string")),
            b'"' => (b"\\\"", 1),
            b'\\' => (b"\\\\", 1),
            b'\n' => (b"\\n", 1),
            b'\r' => (b"\\r", 1),
            b'\t' => (b"\\t", 1),
            8 => (b"\\b", 1),
            12 => (b"\\f", 1),
            // The two characters that end a line in JavaScript but not in JSON.
            0xe2 => match bytes.get(at..at + 3) {
                Some([_, 0x80, 0xa8]) => (b"\\u2028", 3),
                Some([_, 0x80, 0xa9]) => (b"\\u2029", 3),
                _ => continue,
            },
            _ => {
                plain(out, at, at + 1);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]);
                continue;
            }
        };
        plain(out, at, at + width);
        out.extend_from_slice(escape);
    }
    plain(out, bytes.len(), bytes.len());
    out.push(b'"');
    Ok(())
}

const fn hex(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'a' + nibble - 10,
    }
}

fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut count = 0;
    for place in digits.iter_mut().rev() {
        *place = hex((value % 10).try_into().unwrap_or_default());
        count += 1;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - count..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::header_v1::{Timestamp, TimestampRule, parse};

    fn written(header: &HeaderV1<'_>) -> Result<String> {
        let mut out = Vec::new();
        write(header, &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn keys_are_in_the_originals_order_and_empty_ones_omitted() {
        let mut header = HeaderV1 { service_id: "nia.min".into(), sequence: u64::MAX, ..HeaderV1::default() };
        let least = r#"{"service_id":"nia.min","session_id":"","request_id":"","sequence":18446744073709551615,"timestamp":"1970-01-01T00:00:00Z","priority":1,"payload_format":0}"#;
        assert_eq!(written(&header).unwrap(), least);
        header.capability = "ui:control".into();
        header.route = "eai".into();
        let both = least.replace(r#"1,"p"#, r#"1,"capability":"ui:control","route":"eai","p"#);
        assert_eq!(written(&header).unwrap(), both);
    }

    #[test]
    fn strings_are_escaped_as_the_original_does_and_read_back() {
        let text = "< a&b>\u{2028}\u{2029}\u{2027}€\"\\/\u{8}\u{c}\n\r\t\u{1}\u{1f}\u{7f}é🧠";
        let escaped =
            "\\u003c a\\u0026b\\u003e\\u2028\\u2029\u{2027}€\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\u{7f}é🧠";
        let header = HeaderV1 { request_id: text.into(), ..HeaderV1::default() };
        let json = written(&header).unwrap();
        assert!(json.contains(escaped), "{json}");
        assert_eq!(parse(json.as_bytes(), TimestampRule::Strict).unwrap(), header);
    }

    #[test]
    fn nothing_is_written_that_a_peer_would_refuse() {
        let default = HeaderV1::default();
        let year_10_000 = Timestamp::parse("99999999999").unwrap();
        assert!(written(&HeaderV1 { timestamp: year_10_000, ..default.clone() }).is_ok(), "year 5138");
        let time = |text| Timestamp::parse(text).unwrap();
        for header in [
            HeaderV1 { service_id: "a\0".into(), ..default.clone() },
            HeaderV1 { session_id: "a\0".into(), ..default.clone() },
            HeaderV1 { request_id: "a\0".into(), ..default.clone() },
            HeaderV1 { capability: "a\0".into(), ..default.clone() },
            HeaderV1 { route: "a\0".into(), ..default.clone() },
            HeaderV1 { timestamp: time("9999-12-31T23:59:59-01:00"), ..default.clone() },
            HeaderV1 { timestamp: time("0000-01-01T00:00:00+01:00"), ..default.clone() },
            HeaderV1 { payload_format: PayloadFormat::Bytes, ..default.clone() },
            HeaderV1 { payload_format: PayloadFormat::Float32, ..default.clone() },
            HeaderV1 { route: "r".repeat(4_096).into(), ..default.clone() },
        ] {
            let mut out = b"before".to_vec();
            assert_eq!(write(&header, &mut out).unwrap_err().code, Code::BadHeader);
            assert_eq!(out, b"before");
        }
        let room =
            MAX_HEADER_LEN - written(&HeaderV1 { route: "r".into(), ..default.clone() }).unwrap().len();
        let longest = HeaderV1 { route: "r".repeat(room + 1).into(), ..default };
        assert_eq!(written(&longest).unwrap().len(), MAX_HEADER_LEN);
    }
}
