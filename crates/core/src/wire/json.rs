//! A strict reader for one JSON object, pull by pull, without a tree.
//!
//! Used for JSON meta (`wire::header_json`) and for the payload of SessionAccept. It accepts only what
//! two different JSON readers would understand in the same way: no duplicate keys, also none that differ
//! in case only; no key that merely resembles a known one; plain digits; no null, NUL or lone surrogates;
//! depth ≤ 4; nothing behind the object (`docs/wire.md`, "v1, hardened": the same rules). Unknown keys
//! are read as strictly and then ignored. What the fields mean is deliberately not here.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// Why a text was refused; the caller knows which code that is in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) &'static str);

type Result<T> = core::result::Result<T, Refused>;

/// The deepest nesting; the outer object is 1.
const MAX_DEPTH: u8 = 4;

/// Reads the object in `bytes` and calls `visit` with each key that is in `known`. The visitor must read
/// exactly one value from the parser.
pub(crate) fn read_object<'a>(
    bytes: &'a [u8],
    known: &[&'static str],
    visit: &mut dyn FnMut(&'static str, &mut Parser<'a>) -> Result<()>,
) -> Result<()> {
    let text = core::str::from_utf8(bytes).map_err(|_| Refused("invalid UTF-8"))?;
    let mut parser = Parser { rest: text, depth: 0 };
    parser.blanks();
    parser.object(known, visit)?;
    parser.blanks();
    if parser.rest.is_empty() { Ok(()) } else { Err(Refused("text behind the JSON object")) }
}

/// Where the reader stands.
pub(crate) struct Parser<'a> {
    rest: &'a str,
    depth: u8,
}

impl<'a> Parser<'a> {
    /// Reads a string; borrowed if it holds no escapes.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>> {
        self.expect('"', "a string was expected")?;
        let mut owned = String::new();
        loop {
            let end = self
                .rest
                .find(|c: char| c == '"' || c == '\\' || c < ' ')
                .ok_or(Refused("a string does not end"))?;
            let (plain, rest) = self.rest.split_at_checked(end).ok_or(Refused("a string does not end"))?;
            self.rest = rest;
            if self.eat('"') {
                if owned.is_empty() {
                    return Ok(Cow::Borrowed(plain));
                }
                owned.push_str(plain);
                return Ok(Cow::Owned(owned));
            }
            owned.push_str(plain);
            self.expect('\\', "a control character in a string")?;
            owned.push(self.escape()?);
        }
    }

    /// Reads a number: plain digits without sign, point, exponent or leading zero.
    pub(crate) fn number(&mut self) -> Result<u64> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at_checked(end).ok_or(Refused("a number was expected"))?;
        self.rest = rest;
        plain_digits(digits).ok_or(Refused("a number of plain digits was expected"))
    }

    /// Reads an array and calls `item` for each of its values, of which it must read exactly one.
    pub(crate) fn array(&mut self, item: &mut dyn FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.enter()?;
        self.expect('[', "an array was expected")?;
        self.blanks();
        if !self.eat(']') {
            loop {
                self.blanks();
                item(self)?;
                self.blanks();
                if self.eat(',') {
                    continue;
                }
                self.expect(']', "an array does not end")?;
                break;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn object(
        &mut self,
        known: &[&'static str],
        visit: &mut dyn FnMut(&'static str, &mut Self) -> Result<()>,
    ) -> Result<()> {
        self.enter()?;
        self.expect('{', "an object was expected")?;
        self.blanks();
        let mut seen = BTreeSet::new();
        if !self.eat('}') {
            loop {
                self.blanks();
                let key = self.string()?;
                let folded = fold(&key);
                let name = known.iter().find(|name| **name == key);
                if name.is_none() && known.contains(&folded.as_str()) {
                    return Err(Refused("a key resembles a known one"));
                }
                if !seen.insert(folded) {
                    return Err(Refused("a key occurs twice"));
                }
                self.blanks();
                self.expect(':', "a colon was expected")?;
                self.blanks();
                match name {
                    Some(name) => visit(name, self)?,
                    None => self.skip()?,
                }
                self.blanks();
                if self.eat(',') {
                    continue;
                }
                self.expect('}', "an object does not end")?;
                break;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads any value, as strictly as a known one, and forgets it.
    fn skip(&mut self) -> Result<()> {
        match self.rest.as_bytes().first() {
            Some(b'"') => self.string().map(drop),
            Some(b'{') => self.object(&[], &mut |_, parser| parser.skip()),
            Some(b'[') => self.array(&mut |parser| parser.skip()),
            Some(b'0'..=b'9') => self.number().map(drop),
            _ => match self.rest.strip_prefix("true").or_else(|| self.rest.strip_prefix("false")) {
                Some(rest) => {
                    self.rest = rest;
                    Ok(())
                }
                None => Err(Refused("a value that is not allowed here")),
            },
        }
    }

    fn escape(&mut self) -> Result<char> {
        const BAD: Refused = Refused("an invalid escape in a string");
        let mut rest = self.rest.chars();
        let letter = rest.next().ok_or(BAD)?;
        self.rest = rest.as_str();
        Ok(match letter {
            '"' | '\\' | '/' => letter,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.four_hex()?;
                // Either half begins a pair; what begins with the second half is above all characters.
                let scalar = if (0xd800..0xe000).contains(&first) {
                    self.expect('\\', "a lone surrogate")?;
                    self.expect('u', "a lone surrogate")?;
                    let second = self.four_hex()?;
                    if !(0xdc00..0xe000).contains(&second) {
                        return Err(Refused("a lone surrogate"));
                    }
                    0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                } else {
                    first
                };
                match char::from_u32(scalar) {
                    None => return Err(Refused("a lone surrogate")),
                    Some('\0') => return Err(Refused("NUL in a string")),
                    Some(scalar) => scalar,
                }
            }
            _ => return Err(BAD),
        })
    }

    fn four_hex(&mut self) -> Result<u32> {
        const BAD: Refused = Refused("an invalid escape in a string");
        let (digits, rest) = self.rest.split_at_checked(4).ok_or(BAD)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BAD);
        }
        self.rest = rest;
        u32::from_str_radix(digits, 16).map_err(|_| BAD)
    }

    const fn enter(&mut self) -> Result<()> {
        if self.depth == MAX_DEPTH {
            return Err(Refused("nested too deeply"));
        }
        self.depth += 1;
        Ok(())
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn eat(&mut self, expected: char) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, expected: char, otherwise: &'static str) -> Result<()> {
        if self.eat(expected) { Ok(()) } else { Err(Refused(otherwise)) }
    }
}

/// Reads digits as numbers are written here: no sign, no leading zero, below 2^64.
pub(crate) fn plain_digits(digits: &str) -> Option<u64> {
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    let plain = !leading_zero && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// Folds the case as Unicode's simple folding does: ſ = s, K = k, and no others reach ASCII. The dotless
/// ı and the dotted İ fold in Turkish only, therefore they stay.
fn fold(text: &str) -> String {
    let single = |folded: &mut dyn Iterator<Item = char>, original: char| match (folded.next(), folded.next())
    {
        (Some(one), None) => one,
        _ => original,
    };
    text.chars()
        .map(|c| {
            if c == 'ı' {
                return c;
            }
            let upper = single(&mut c.to_uppercase(), c);
            single(&mut upper.to_lowercase(), upper)
        })
        .collect()
}

/// Appends `text` to `out` as a JSON string.
pub(crate) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => {
                let digit = |nibble: u32| char::from_digit(nibble, 16).unwrap_or('0');
                out.push_str("\\u00");
                out.push(digit(u32::from(c) >> 4));
                out.push(digit(u32::from(c) & 15));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests;
