//! Reading a v1 header. Two ways to one result: a header exactly as the original writes it is scanned
//! without allocating; everything else goes through the strict parser of `wire::json`.
//!
//! The scan accepts nothing the parser would not read in the same way, which a test compares.

use super::{HeaderV1, TimestampRule};
use crate::error::{Code, Error, Result};
use crate::message::{PayloadFormat, Priority};
use crate::wire::json::{Refused, plain_digits, read_object};
use crate::wire::timestamp::Timestamp;
use std::borrow::Cow;

const KEYS: [&str; 9] = [
    "service_id",
    "session_id",
    "request_id",
    "sequence",
    "timestamp",
    "priority",
    "capability",
    "route",
    "payload_format",
];

/// Reads a header; absent fields that are not required have their defaults.
///
/// # Errors
/// [`Code::BadHeader`] for anything the wire text refuses.
#[inline]
pub fn parse(bytes: &[u8], rule: TimestampRule) -> Result<HeaderV1<'_>> {
    let fields = match core::str::from_utf8(bytes).ok().and_then(scan) {
        Some(fields) => Ok(fields),
        None => read(bytes),
    };
    fields.and_then(|fields| fields.check(rule)).map_err(|Refused(why)| Error::new(Code::BadHeader, why))
}

/// What a text says, before the fields are compared with their rules.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fields<'a> {
    service_id: Option<Cow<'a, str>>,
    session_id: Cow<'a, str>,
    request_id: Cow<'a, str>,
    sequence: Option<u64>,
    timestamp: Option<Cow<'a, str>>,
    priority: Option<u64>,
    capability: Cow<'a, str>,
    route: Cow<'a, str>,
    payload_format: u64,
}

impl<'a> Fields<'a> {
    fn check(self, rule: TimestampRule) -> core::result::Result<HeaderV1<'a>, Refused> {
        let timestamp = self.timestamp.ok_or(Refused("timestamp is missing"))?;
        let timestamp = match (Timestamp::parse(&timestamp), rule) {
            (Some(timestamp), _) => timestamp,
            (None, TimestampRule::AnyString) => Timestamp::default(),
            (None, TimestampRule::Strict) => return Err(Refused("timestamp is no time")),
        };
        let priority = self.priority.ok_or(Refused("priority is missing"))?;
        Ok(HeaderV1 {
            service_id: self.service_id.ok_or(Refused("service_id is missing"))?,
            session_id: self.session_id,
            request_id: self.request_id,
            sequence: self.sequence.ok_or(Refused("sequence is missing"))?,
            timestamp,
            priority: byte(priority).and_then(Priority::from_byte).ok_or(Refused("priority above 3"))?,
            capability: self.capability,
            route: self.route,
            payload_format: match self.payload_format {
                0 => PayloadFormat::Json,
                1 => PayloadFormat::MessagePack,
                _ => return Err(Refused("payload_format above 1")),
            },
        })
    }
}

fn byte(number: u64) -> Option<u8> {
    u8::try_from(number).ok()
}

/// Reads any header the rules allow.
fn read(bytes: &[u8]) -> core::result::Result<Fields<'_>, Refused> {
    let mut fields = Fields::default();
    read_object(bytes, &KEYS, &mut |name, parser| {
        match name {
            "service_id" => fields.service_id = Some(parser.string()?),
            "session_id" => fields.session_id = parser.string()?,
            "request_id" => fields.request_id = parser.string()?,
            "sequence" => fields.sequence = Some(parser.number()?),
            "timestamp" => fields.timestamp = Some(parser.string()?),
            "priority" => fields.priority = Some(parser.number()?),
            "capability" => fields.capability = parser.string()?,
            "route" => fields.route = parser.string()?,
            _ => fields.payload_format = parser.number()?,
        }
        Ok(())
    })?;
    Ok(fields)
}

/// Reads a header that has only known keys, in the order they are written, without blanks and escapes;
/// `None` for any other, which is not to say that it is wrong.
#[inline]
fn scan(text: &str) -> Option<Fields<'_>> {
    let mut scan = Scan(text);
    let fields = Fields {
        service_id: scan.string("{\"service_id\":\"")?,
        session_id: scan.string(",\"session_id\":\"")?.unwrap_or_default(),
        request_id: scan.string(",\"request_id\":\"")?.unwrap_or_default(),
        sequence: scan.number(",\"sequence\":")?,
        timestamp: scan.string(",\"timestamp\":\"")?,
        priority: scan.number(",\"priority\":")?,
        capability: scan.string(",\"capability\":\"")?.unwrap_or_default(),
        route: scan.string(",\"route\":\"")?.unwrap_or_default(),
        payload_format: scan.number(",\"payload_format\":")?.unwrap_or_default(),
    };
    // Without the first key the text may begin with a comma: leave that to the parser.
    (scan.0 == "}" && fields.service_id.is_some()).then_some(fields)
}

/// What is left of the text.
struct Scan<'a>(&'a str);

impl<'a> Scan<'a> {
    /// Reads a string if `key` is next; `None` when it is one for the parser.
    #[inline]
    fn string(&mut self, key: &str) -> Option<Option<Cow<'a, str>>> {
        let Some(rest) = self.0.strip_prefix(key) else { return Some(None) };
        let end = rest.bytes().position(|byte| byte == b'"' || byte == b'\\' || byte < b' ')?;
        let (value, rest) = rest.split_at_checked(end)?;
        self.0 = rest.strip_prefix('"')?;
        Some(Some(Cow::Borrowed(value)))
    }

    /// Reads a number if `key` is next; `None` when it is one for the parser.
    #[inline]
    fn number(&mut self, key: &str) -> Option<Option<u64>> {
        let Some(rest) = self.0.strip_prefix(key) else { return Some(None) };
        let end = rest.bytes().position(|byte| !byte.is_ascii_digit())?;
        let (digits, rest) = rest.split_at_checked(end)?;
        self.0 = rest;
        plain_digits(digits).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"service_id":"nia.min","session_id":"","request_id":"req-1","sequence":7,"timestamp":"2026-04-03T12:00:00.123456789Z","priority":0,"capability":"ui:control","route":"eai.tools","payload_format":1}"#;

    fn strict(text: &str) -> Result<HeaderV1<'_>> {
        parse(text.as_bytes(), TimestampRule::Strict)
    }

    #[test]
    fn a_header_as_the_original_writes_it_is_scanned_and_borrowed() {
        let header = strict(GOOD).unwrap();
        assert_eq!((header.service_id.as_ref(), header.request_id.as_ref()), ("nia.min", "req-1"));
        assert_eq!((header.sequence, header.priority), (7, Priority::P0));
        assert_eq!((header.capability.as_ref(), header.route.as_ref()), ("ui:control", "eai.tools"));
        assert_eq!(header.payload_format, PayloadFormat::MessagePack);
        assert_eq!(header.timestamp.unix_ns(), 1_775_217_600_123_456_789);
        assert!(scan(GOOD).is_some());
        assert!(scan(&edit("req-1", "a request")).is_some());
        for text in [&header.service_id, &header.session_id, &header.capability, &header.route] {
            assert!(matches!(text, Cow::Borrowed(_)));
        }
    }

    #[test]
    fn order_blanks_escapes_and_unknown_keys_are_free() {
        let text = r#" { "priority" : 3 , "more":[1,{"x":{"y":true}}], "timestamp":"1775217600",
            "sequence":18446744073709551615, "service_\u0069d":"\u00e9\ud83e\udde0", "request_id":"a\/b" } "#;
        let header = strict(text).unwrap();
        assert_eq!((header.service_id.as_ref(), header.request_id.as_ref()), ("é🧠", "a/b"));
        assert_eq!((header.sequence, header.priority), (u64::MAX, Priority::P3));
        assert_eq!((header.session_id.as_ref(), header.payload_format), ("", PayloadFormat::Json));
    }

    /// Replaces a part of the good header, which must be there.
    fn edit(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "{from}");
        GOOD.replacen(from, to, 1)
    }

    #[test]
    fn required_keys_are_required_and_the_others_are_not() {
        for member in [
            r#""service_id":"nia.min","#,
            r#""sequence":7,"#,
            r#""timestamp":"2026-04-03T12:00:00.123456789Z","#,
            r#""priority":0,"#,
        ] {
            assert_eq!(strict(&edit(member, "")).unwrap_err().code, Code::BadHeader, "{member}");
        }
        for member in [
            r#""session_id":"","#,
            r#""request_id":"req-1","#,
            r#""capability":"ui:control","#,
            r#""route":"eai.tools","#,
            r#","payload_format":1"#,
        ] {
            assert!(strict(&edit(member, "")).is_ok(), "{member}");
        }
    }

    #[test]
    fn what_two_readers_could_understand_differently_is_refused() {
        let cases = [
            // A key that is there twice after folding, or resembles a known one.
            ("\"route\":", "\"service_id\":\"x\",\"route\":"),
            ("\"route\":", "\"Service_ID\":\"x\",\"route\":"),
            ("\"route\":", "\"\u{17f}ervice_id\":\"x\",\"route\":"),
            ("\"service_id\"", "\"SERVICE_ID\""),
            ("\"session_id\"", "\"se\u{17f}sion_id\""),
            ("\"session_id\"", "\"\\u017fession_id\""),
            ("\"route\":", "\"\u{212a}\":1,\"k\":2,\"route\":"),
            ("\"route\":", "\"x\":1,\"X\":2,\"route\":"),
            ("\"route\":", "\"x\":{\"v\":1,\"V\":1},\"route\":"),
            // Numbers that are not plain digits.
            (":7,", ":07,"),
            (":7,", ":-7,"),
            (":7,", ":+7,"),
            (":7,", ":7.0,"),
            (":7,", ":7e0,"),
            (":7,", ":\"7\","),
            (":7,", ":,"),
            (":7,", ":18446744073709551616,"),
            ("\"priority\":0", "\"priority\":4"),
            ("\"priority\":0", "\"priority\":256"),
            ("\"priority\":0", "\"priority\":00"),
            ("\"payload_format\":1", "\"payload_format\":2"),
            ("\"payload_format\":1", "\"payload_format\":true"),
            ("\"route\":", "\"x\":1.5,\"route\":"),
            // Strings.
            ("req-1", "\\ud800"),
            ("req-1", "\\udc00\\ud800"),
            ("req-1", "\\u0000"),
            ("req-1", "\0"),
            ("req-1", "\n"),
            ("req-1", "\\x41"),
            ("\"req-1\"", "1"),
            ("\"req-1\"", "null"),
            ("\"route\":", "\"x\":null,\"route\":"),
            // Depth and what is around the object.
            ("\"route\":", "\"x\":[[[[]]]],\"route\":"),
            ("{", ""),
            ("{", "[{"),
            ("{", "{{"),
            ("{", "{,"),
            ("{", "\u{feff}{"),
            ("}", ""),
            ("}", "}}"),
            ("}", "} {}"),
            ("}", "},"),
            ("}", ",}"),
            ("}", "}\0"),
            // Time.
            ("2026-04-03", "2026-02-30"),
            ("\"2026-04-03T12:00:00.123456789Z\"", "1775217600"),
            ("2026-04-03T12:00:00.123456789Z", "123456789012"),
            ("2026-04-03T12:00:00.123456789Z", ""),
        ];
        for (from, to) in cases {
            let text = edit(from, to);
            assert_eq!(strict(&text).map(drop).map_err(|error| error.code), Err(Code::BadHeader), "{text}");
        }
        for bytes in [&b""[..], b"\xff", b"{\"service_id\":\"\xff\"}", b"\xed\xa0\x80"] {
            assert_eq!(parse(bytes, TimestampRule::Strict).unwrap_err().code, Code::BadHeader);
        }
        assert!(strict(&edit("\"route\":", "\"x\":[[[]]],\"route\":")).is_ok(), "depth 4");
    }

    #[test]
    fn any_string_is_a_time_for_who_says_so() {
        for text in ["", "yesterday", "2026-02-30T00:00:00Z"] {
            let text = edit("2026-04-03T12:00:00.123456789Z", text);
            let header = parse(text.as_bytes(), TimestampRule::AnyString).unwrap();
            assert_eq!(header.timestamp, Timestamp::default());
        }
        assert_eq!(parse(GOOD.as_bytes(), TimestampRule::AnyString), strict(GOOD));
        let number = edit("\"2026-04-03T12:00:00.123456789Z\"", "1");
        assert!(parse(number.as_bytes(), TimestampRule::AnyString).is_err());
    }

    #[test]
    fn the_scan_reads_only_what_the_parser_reads_in_the_same_way() {
        let (mut scanned, mut tried) = (0, 0);
        let mut compare = |text: &str| {
            tried += 1;
            if let Some(fields) = scan(text) {
                scanned += 1;
                assert_eq!(read(text.as_bytes()).as_ref(), Ok(&fields), "{text}");
            }
        };
        let alphabet = b"\0\n \"\\,:{}[]0129aA.-\x7f";
        for at in 0..GOOD.len() {
            for &byte in alphabet {
                for skip in 0..=1 {
                    let mut bytes = GOOD.as_bytes().to_vec();
                    bytes.splice(at..at + skip, [byte]);
                    compare(core::str::from_utf8(&bytes).unwrap());
                }
            }
            for end in at..=GOOD.len() {
                compare(&[&GOOD[..at], &GOOD[end..]].concat());
                compare(&[&GOOD[..end], &GOOD[at..]].concat());
            }
        }
        assert!(tried > 40_000 && scanned > 1_000, "{tried} {scanned}");
    }

    #[test]
    fn random_bytes_are_refused_without_a_panic() {
        for rule in [TimestampRule::Strict, TimestampRule::AnyString] {
            let accepted = eipc_testkit::noise::feed(GOOD.as_bytes(), |bytes| parse(bytes, rule).is_ok());
            assert!(accepted > 0);
        }
    }
}
