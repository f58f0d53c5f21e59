//! JSON meta (kind 0), for peers without binary meta and for control frames
//! (`docs/wire.md`, "EIPC/2 data frames").
//!
//! The slow encoding: strict reading is worth more here than speed. Read only behind a verified tag, from
//! `session::envelope`. The rules of the JSON itself are in `wire::json`.

use super::json::plain_digits;
use crate::error::{Code, Error, Result};
use crate::message::{Meta, PayloadFormat, Priority};

pub(crate) use super::json::{Refused, push_string, read_object};

/// The meta of every control frame and of SessionAccept.
pub const EMPTY: &[u8] = b"{}";

const KEYS: [&str; 8] = [
    "priority",
    "payload_format",
    "source",
    "request_id",
    "capability",
    "route",
    "timestamp_ns",
    "max_age_ms",
];

/// Reads a JSON meta; absent fields have their defaults.
///
/// # Errors
/// [`Code::BadHeader`] for anything the strict parser or the field rules refuse.
pub fn parse(bytes: &[u8]) -> Result<Meta<'_>> {
    let mut meta = Meta::default();
    if bytes == EMPTY {
        return Ok(meta);
    }
    read_object(bytes, &KEYS, &mut |name, parser| {
        match name {
            "priority" => {
                meta.priority = byte(parser.number()?)
                    .and_then(Priority::from_byte)
                    .ok_or(Refused("priority above 3"))?;
            }
            "payload_format" => {
                meta.payload_format = byte(parser.number()?)
                    .and_then(PayloadFormat::from_byte)
                    .ok_or(Refused("payload_format above 3"))?;
            }
            "source" => meta.source = parser.string()?,
            "request_id" => meta.request_id = parser.string()?,
            "capability" => meta.capability = parser.string()?,
            "route" => meta.route = parser.string()?,
            "timestamp_ns" => {
                meta.timestamp_ns = plain_digits(&parser.string()?)
                    .and_then(|nanoseconds| i64::try_from(nanoseconds).ok())
                    .ok_or(Refused("timestamp_ns is not a decimal string below 2^63"))?;
            }
            _ => {
                meta.max_age_ms =
                    u32::try_from(parser.number()?).map_err(|_| Refused("max_age_ms above 2^32 - 1"))?;
            }
        }
        Ok(())
    })
    .map_err(|Refused(why)| Error::new(Code::BadHeader, why))?;
    meta.check()?;
    Ok(meta)
}

/// Writes a JSON meta, without the fields that have their defaults.
///
/// # Errors
/// [`Code::BadHeader`] when a peer would refuse the meta.
pub fn write(meta: &Meta<'_>) -> Result<String> {
    meta.check()?;
    let mut out = String::from("{");
    let key = |out: &mut String, name: &str| {
        out.push_str(if out.len() > 1 { ",\"" } else { "\"" });
        out.push_str(name);
        out.push_str("\":");
    };
    let default = Meta::default();
    if meta.priority != default.priority {
        key(&mut out, "priority");
        out.push_str(&meta.priority.byte().to_string());
    }
    if meta.payload_format != default.payload_format {
        key(&mut out, "payload_format");
        out.push_str(&meta.payload_format.byte().to_string());
    }
    let strings = [
        ("source", &meta.source),
        ("request_id", &meta.request_id),
        ("capability", &meta.capability),
        ("route", &meta.route),
    ];
    for (name, text) in strings {
        if !text.is_empty() {
            key(&mut out, name);
            push_string(&mut out, text);
        }
    }
    if meta.timestamp_ns != 0 {
        key(&mut out, "timestamp_ns");
        push_string(&mut out, &meta.timestamp_ns.to_string());
    }
    if meta.max_age_ms != 0 {
        key(&mut out, "max_age_ms");
        out.push_str(&meta.max_age_ms.to_string());
    }
    out.push('}');
    Ok(out)
}

fn byte(number: u64) -> Option<u8> {
    u8::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_vectors_is_read() {
        let text = r#"{"priority":2,"request_id":"r-é","capability":"ai:chat","timestamp_ns":"1775217600123456789","max_age_ms":100}"#;
        let meta = parse(text.as_bytes()).unwrap();
        assert_eq!(meta.priority, Priority::P2);
        assert_eq!(meta.request_id, "r-é");
        assert_eq!(meta.timestamp_ns, 1_775_217_600_123_456_789);
        assert_eq!(write(&meta).unwrap(), text);
    }

    #[test]
    fn defaults_are_those_of_the_wire_text() {
        for text in ["{}", " { } "] {
            let meta = parse(text.as_bytes()).unwrap();
            assert_eq!((meta.priority, meta.payload_format), (Priority::P1, PayloadFormat::Json));
            assert_eq!(write(&meta).unwrap(), "{}");
        }
    }

    #[test]
    fn fields_outside_their_ranges_are_refused() {
        for text in [
            r#"{"priority":4}"#,
            r#"{"priority":257}"#,
            r#"{"priority":"1"}"#,
            r#"{"payload_format":4}"#,
            r#"{"timestamp_ns":1}"#,
            r#"{"timestamp_ns":"-1"}"#,
            r#"{"timestamp_ns":"01"}"#,
            r#"{"timestamp_ns":"+1"}"#,
            r#"{"timestamp_ns":"1a"}"#,
            r#"{"timestamp_ns":""}"#,
            r#"{"timestamp_ns":"9223372036854775808"}"#,
            r#"{"max_age_ms":5}"#,
            r#"{"timestamp_ns":"1","max_age_ms":4294967296}"#,
            r#"{"route":"a\u0001"}"#,
            r#"{"route":"a\u007f"}"#,
            r#"{"Priority":1}"#,
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err().code, Code::BadHeader, "{text}");
        }
    }

    #[test]
    fn nothing_is_written_that_a_peer_would_refuse() {
        let of = |length| Meta { route: "r".repeat(length).into(), ..Meta::default() };
        assert_eq!(parse(write(&of(255)).unwrap().as_bytes()), Ok(of(255)));
        let too_long = format!(r#"{{"route":"{}"}}"#, "r".repeat(256));
        assert_eq!(parse(too_long.as_bytes()).unwrap_err().code, Code::BadHeader);
        for refused in [
            of(256),
            Meta { source: "a\n".into(), ..Meta::default() },
            Meta { timestamp_ns: -1, ..Meta::default() },
            Meta { max_age_ms: 1, ..Meta::default() },
        ] {
            assert_eq!(write(&refused).unwrap_err().code, Code::BadHeader, "{refused:?}");
        }
    }

    #[test]
    fn random_bytes_are_refused_without_a_panic() {
        let text =
            br#"{"priority":2,"request_id":"r-\u00e9","x":[1,{"y":true}],"timestamp_ns":"1","max_age_ms":9}"#;
        let accepted = eipc_testkit::noise::feed(text, |bytes| parse(bytes).is_ok());
        assert!(accepted > 0);
    }
}
