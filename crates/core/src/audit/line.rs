//! One line in its canonical form (`docs/audit.md`, "The line"): read strictly, so that one entry has one
//! spelling and nothing in it can end the line or reach a terminal as anything but text.

use super::MAX_NUMBER;

/// The most bytes of a line, without its end. Five texts of 256 bytes and everything around them are fewer.
pub const MAX_LINE: usize = 2_048;
/// The action of a chain's first line.
pub const ACTION_BEGIN: &str = "audit.begin";
/// The action of the first line of a file that goes on where another ended.
pub const ACTION_ROTATE: &str = "audit.rotate";
/// The action of a line that tells of bytes cut off after a crash.
pub(super) const ACTION_RECOVERED: &str = "audit.recovered";

/// The most bytes of a text as it is written.
const MAX_TEXT: usize = 256;

/// A line, taken apart. Nothing of it is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) number: u64,
    pub(super) action: &'a str,
    pub(super) result: &'a str,
    pub(super) prev: [u8; 32],
    pub(super) hash: [u8; 32],
    /// The line up to and including `prev`.
    pub(super) covered: &'a [u8],
}

impl<'a> Line<'a> {
    /// Reads a line without its end. The error says what is wrong with its form.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, &'static str> {
        if bytes.len() > MAX_LINE {
            return Err("it is longer than a line can be");
        }
        let mut reader = Reader { bytes, at: 0 };
        reader.literal(b"{\"i\":")?;
        let number = reader.number()?;
        reader.literal(b",")?;
        let Body { action, result } = reader.body()?;
        reader.literal(b",\"prev\":\"")?;
        let prev = reader.hash()?;
        reader.literal(b"\"")?;
        let covered = bytes.get(..reader.at).unwrap_or_default();
        reader.literal(b",\"h\":\"")?;
        let hash = reader.hash()?;
        reader.literal(b"\"}")?;
        reader.end()?;
        Ok(Self { number, action, result, prev, hash, covered })
    }
}

/// Checks what an owner wants to record: the line from `t` to `frame`.
pub(super) fn check_body(bytes: &[u8]) -> Result<(), &'static str> {
    let mut reader = Reader { bytes, at: 0 };
    reader.body()?;
    reader.end()
}

/// What of a body means something here.
struct Body<'a> {
    action: &'a str,
    result: &'a str,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn literal(&mut self, expected: &[u8]) -> Result<(), &'static str> {
        if !self.rest().starts_with(expected) {
            return Err("it is not the line of one entry");
        }
        self.at += expected.len();
        Ok(())
    }

    fn end(&self) -> Result<(), &'static str> {
        if self.rest().is_empty() { Ok(()) } else { Err("something stands behind its end") }
    }

    fn number(&mut self) -> Result<u64, &'static str> {
        let length = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = self.rest().get(..length).unwrap_or_default();
        if digits.is_empty() || length > 16 || digits.starts_with(b"0") {
            return Err("its number is none");
        }
        self.at += length;
        let number = digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
        if number > MAX_NUMBER { Err("its number is too large") } else { Ok(number) }
    }

    fn body(&mut self) -> Result<Body<'a>, &'static str> {
        self.literal(b"\"t\":\"")?;
        self.time()?;
        self.literal(b"\",\"peer\":\"")?;
        self.text()?;
        self.literal(b"\",\"action\":\"")?;
        let action = self.text()?;
        self.literal(b"\",\"decision\":\"")?;
        self.text()?;
        self.literal(b"\",\"result\":\"")?;
        let result = self.text()?;
        self.literal(b"\",\"request_id\":\"")?;
        self.text()?;
        self.literal(b"\",\"frame\":\"")?;
        if !self.rest().starts_with(b"\"") {
            self.hash()?;
        }
        self.literal(b"\"")?;
        Ok(Body { action, result })
    }

    /// `2026-11-05T12:34:56.789Z`. Whether there is such a day is for people.
    fn time(&mut self) -> Result<(), &'static str> {
        let form = b"dddd-dd-ddTdd:dd:dd.dddZ";
        let time = self.rest().get(..form.len()).ok_or("its time is none")?;
        let fits =
            |(byte, form): (&u8, &u8)| if *form == b'd' { byte.is_ascii_digit() } else { byte == form };
        if !time.iter().zip(form).all(fits) {
            return Err("its time is none");
        }
        self.at += form.len();
        Ok(())
    }

    /// Reads a text up to the quote that ends it: printable ASCII, everything else as one escape only.
    fn text(&mut self) -> Result<&'a str, &'static str> {
        let start = self.at;
        let mut awaits_low = false;
        loop {
            let &[first, ..] = self.rest() else { return Err("a text does not end") };
            let unit = match first {
                b'\\' => self.escape()?,
                b'"' => break,
                b' '..=b'~' => {
                    self.at += 1;
                    None
                }
                _ => return Err("a text has a byte that is not printable ASCII"),
            };
            let is_low = unit.is_some_and(|unit| matches!(unit, 0xdc00..=0xdfff));
            if is_low != awaits_low {
                return Err("a text has half of a surrogate pair");
            }
            awaits_low = unit.is_some_and(|unit| matches!(unit, 0xd800..=0xdbff));
        }
        if awaits_low {
            return Err("a text has half of a surrogate pair");
        }
        let text = self.bytes.get(start..self.at).unwrap_or_default();
        if text.len() > MAX_TEXT {
            return Err("a text is too long");
        }
        core::str::from_utf8(text).map_err(|_| "a text is not ASCII")
    }

    /// Reads an escape; returns the UTF-16 unit of one with digits.
    fn escape(&mut self) -> Result<Option<u16>, &'static str> {
        match *self.rest() {
            [_, b'"' | b'\\', ..] => {
                self.at += 2;
                Ok(None)
            }
            [_, b'u', a, b, c, d, ..] => {
                let mut unit = 0;
                for digit in [a, b, c, d] {
                    unit = unit << 4 | u16::from(hex_digit(digit).ok_or("an escape is not canonical")?);
                }
                if matches!(unit, 0x20..=0x7e) {
                    return Err("an escape is not canonical");
                }
                self.at += 6;
                Ok(Some(unit))
            }
            _ => Err("an escape is not canonical"),
        }
    }

    fn hash(&mut self) -> Result<[u8; 32], &'static str> {
        let digits = self.rest().first_chunk::<64>().ok_or("a hash has not 64 digits")?;
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.as_chunks::<2>().0) {
            let [high, low] = pair.map(hex_digit);
            let wrong = "a hash has another digit than 0-9 and a-f";
            *byte = high.ok_or(wrong)? << 4 | low.ok_or(wrong)?;
        }
        self.at += 64;
        Ok(hash)
    }
}

/// Small letters only: one spelling for one hash.
const fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
