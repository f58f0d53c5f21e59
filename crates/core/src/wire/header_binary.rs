//! Binary meta (kind 1): 24 fixed bytes and four strings (`docs/wire.md`, "EIPC/2 data frames").
//!
//! The encoding of the hot path: strings are borrowed from the frame, nothing is allocated. Read only
//! behind a verified tag, from `session::envelope`.

use super::limits::{BINARY_META_LEN, MAX_META_LEN};
use crate::error::{Code, Error, Result};
pub use crate::message::Meta;
use crate::message::{PayloadFormat, Priority, check_age, is_clean};
use std::borrow::Cow;

/// Reads a binary meta; `bytes` are exactly the meta.
///
/// # Errors
/// [`Code::BadHeader`] for anything the wire text refuses: wrong lengths, a priority or format above 3, a
/// reserved field that is not zero, invalid UTF-8, control characters, a negative timestamp, an age limit
/// without a timestamp.
#[inline]
pub fn parse(bytes: &[u8]) -> Result<Meta<'_>> {
    fields(bytes, Text::Clean).map(Fields::into_meta)
}

/// As [`parse`], with any text in the strings: what a v1 header may say, in the layout that owners know.
///
/// # Errors
/// Those of [`parse`], without the one for control characters.
pub fn parse_any_text(bytes: &[u8]) -> Result<Meta<'_>> {
    fields(bytes, Text::Any).map(Fields::into_meta)
}

/// Checks a binary meta as [`parse`] does and returns its priority; what the sender needs to know.
///
/// # Errors
/// Those of [`parse`].
#[inline]
pub fn check(bytes: &[u8]) -> Result<Priority> {
    fields(bytes, Text::Clean).map(|fields| fields.priority)
}

/// What the strings may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    /// No control characters.
    Clean,
    Any,
}

/// A checked meta before it becomes a [`Meta`].
struct Fields<'a> {
    priority: Priority,
    payload_format: PayloadFormat,
    timestamp_ns: i64,
    max_age_ms: u32,
    strings: [&'a str; 4],
}

impl<'a> Fields<'a> {
    #[inline]
    fn into_meta(self) -> Meta<'a> {
        let Self { priority, payload_format, timestamp_ns, max_age_ms, strings } = self;
        let [source, request_id, capability, route] = strings.map(Cow::Borrowed);
        Meta { priority, payload_format, source, request_id, capability, route, timestamp_ns, max_age_ms }
    }
}

/// Reads and checks everything. The strings are checked together, which costs one pass instead of eight.
#[inline]
fn fields(bytes: &[u8], allowed: Text) -> Result<Fields<'_>> {
    const fn refused<T>(why: &'static str) -> Result<T> {
        Err(Error::new(Code::BadHeader, why))
    }
    let Some((fixed, strings)) = bytes.split_first_chunk::<BINARY_META_LEN>() else {
        return refused("binary meta shorter than 24 bytes");
    };
    let [
        priority,
        payload_format,
        source,
        request_id,
        capability,
        route,
        r0,
        r1,
        t0,
        t1,
        t2,
        t3,
        t4,
        t5,
        t6,
        t7,
        a0,
        a1,
        a2,
        a3,
        z0,
        z1,
        z2,
        z3,
    ] = *fixed;
    let Some(priority) = Priority::from_byte(priority) else {
        return refused("priority above 3");
    };
    let Some(payload_format) = PayloadFormat::from_byte(payload_format) else {
        return refused("payload_format above 3");
    };
    if [r0, r1, z0, z1, z2, z3] != [0; 6] {
        return refused("reserved field set");
    }
    let Ok(text) = core::str::from_utf8(strings) else {
        return refused("invalid UTF-8 in meta");
    };
    let Some(strings) = split(text, [source, request_id, capability, route]) else {
        return refused("the strings of the binary meta do not have their lengths");
    };
    if allowed == Text::Clean && !is_clean(text) {
        return refused("control character in a meta string");
    }
    let timestamp_ns = i64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7]);
    let max_age_ms = u32::from_be_bytes([a0, a1, a2, a3]);
    check_age(timestamp_ns, max_age_ms)?;
    Ok(Fields { priority, payload_format, timestamp_ns, max_age_ms, strings })
}

/// Cuts the four strings out. A cut inside a character would make two strings of invalid UTF-8.
fn split(text: &str, [source, request_id, capability, route]: [u8; 4]) -> Option<[&str; 4]> {
    let (source, rest) = text.split_at_checked(source.into())?;
    let (request_id, rest) = rest.split_at_checked(request_id.into())?;
    let (capability, rest) = rest.split_at_checked(capability.into())?;
    (rest.len() == usize::from(route)).then_some([source, request_id, capability, rest])
}

/// Returns how many bytes [`write()`] needs.
///
/// # Errors
/// [`Code::BadHeader`] when a string is longer than 255 bytes.
pub fn encoded_len(meta: &Meta<'_>) -> Result<usize> {
    let mut total = BINARY_META_LEN;
    for text in [&meta.source, &meta.request_id, &meta.capability, &meta.route] {
        total = total.saturating_add(usize::from(string_len(text)?));
    }
    debug_assert!(total <= MAX_META_LEN, "four strings of 255 bytes fit");
    Ok(total)
}

/// Writes a binary meta to the front of `out` and returns its length.
///
/// # Errors
/// [`Code::BadHeader`] when a peer would refuse the meta, or a string is longer than 255 bytes;
/// [`Code::MessageTooLarge`] when `out` is shorter than [`encoded_len`].
pub fn write(meta: &Meta<'_>, out: &mut [u8]) -> Result<usize> {
    meta.check()?;
    write_any_text(meta, out)
}

/// As [`write()`], without asking whether a peer would take the meta: for [`parse_any_text`].
///
/// # Errors
/// [`Code::BadHeader`] when a string is longer than 255 bytes, [`Code::MessageTooLarge`] when `out` is
/// shorter than [`encoded_len`].
pub fn write_any_text(meta: &Meta<'_>, out: &mut [u8]) -> Result<usize> {
    let length = encoded_len(meta)?;
    let lengths = [
        string_len(&meta.source)?,
        string_len(&meta.request_id)?,
        string_len(&meta.capability)?,
        string_len(&meta.route)?,
    ];
    put(meta, lengths, out).ok_or(Error::new(Code::MessageTooLarge, "no room for the meta"))?;
    Ok(length)
}

fn put(meta: &Meta<'_>, [n0, n1, n2, n3]: [u8; 4], out: &mut [u8]) -> Option<()> {
    let (fixed, mut rest) = out.split_first_chunk_mut::<BINARY_META_LEN>()?;
    let (priority, payload_format) = (meta.priority.byte(), meta.payload_format.byte());
    let [t0, t1, t2, t3, t4, t5, t6, t7] = meta.timestamp_ns.to_be_bytes();
    let [a0, a1, a2, a3] = meta.max_age_ms.to_be_bytes();
    *fixed = [
        priority,
        payload_format,
        n0,
        n1,
        n2,
        n3,
        0,
        0,
        t0,
        t1,
        t2,
        t3,
        t4,
        t5,
        t6,
        t7,
        a0,
        a1,
        a2,
        a3,
        0,
        0,
        0,
        0,
    ];
    for text in [&meta.source, &meta.request_id, &meta.capability, &meta.route] {
        let (place, behind) = rest.split_at_mut_checked(text.len())?;
        place.copy_from_slice(text.as_bytes());
        rest = behind;
    }
    Some(())
}

fn string_len(text: &str) -> Result<u8> {
    u8::try_from(text.len()).map_err(|_| Error::new(Code::BadHeader, "meta string above 255 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Meta<'static> {
        Meta {
            priority: Priority::P0,
            payload_format: PayloadFormat::Float32,
            source: "eni.min".into(),
            request_id: "🧠-1".into(),
            capability: "ui:control".into(),
            route: "a/b".into(),
            timestamp_ns: 1,
            max_age_ms: 50,
        }
    }

    #[test]
    fn what_is_written_is_read_back_without_an_allocation_per_string() {
        let mut out = [0; 256];
        let length = write(&sample(), &mut out).unwrap();
        assert_eq!(length, encoded_len(&sample()).unwrap());
        let meta = parse(&out[..length]).unwrap();
        assert_eq!(meta, sample());
        assert!(matches!(meta.route, Cow::Borrowed(_)));
        assert_eq!(write(&sample(), &mut out[..length - 1]).unwrap_err().code, Code::MessageTooLarge);
    }

    #[test]
    fn every_byte_beyond_the_rules_is_refused() {
        let mut out = [0; 256];
        let length = write(&sample(), &mut out).unwrap();
        let refused = |at: usize, value: u8| {
            let mut bytes = out[..length].to_vec();
            bytes[at] = value;
            parse(&bytes).is_err()
        };
        assert!(refused(0, 4) && refused(1, 4) && refused(6, 1) && refused(7, 1) && refused(8, 0x80));
        assert!((20..24).all(|at| refused(at, 1)));
        assert!((2..6).all(|at| refused(at, 255) && refused(at, 0)));
        assert!(refused(24, 0x1f) && refused(24, 0x7f) && refused(24, 0x00) && refused(24, 0xff));
        for cut in 0..length {
            assert!(parse(&out[..cut]).is_err() && check(&out[..cut]).is_err());
        }
        assert_eq!(check(&out[..length]), Ok(Priority::P0));
        // A character may not lie across two strings, even if all of them together are good UTF-8.
        let mut across = out[..length].to_vec();
        across[2] += 1;
        across[3] -= 1;
        assert!(parse(&across).is_err());
        let mut ageless = sample();
        ageless.timestamp_ns = 0;
        assert!(write(&ageless, &mut out).is_err());
        let mut long = sample();
        long.route = "x".repeat(256).into();
        assert_eq!(write(&long, &mut out).unwrap_err().code, Code::BadHeader);
    }

    #[test]
    fn random_bytes_are_refused_without_a_panic() {
        let mut out = [0; 256];
        let length = write(&sample(), &mut out).unwrap();
        let accepted = eipc_testkit::noise::feed(&out[..length], |bytes| {
            let is_good = parse(bytes).is_ok();
            assert_eq!(check(bytes).is_ok(), is_good);
            is_good
        });
        assert!(accepted > 0);
    }
}
