//! The two forms of time in a v1 header (`docs/wire.md`, "v1, hardened"): RFC 3339 as Go writes it, and
//! decimal Unix seconds as the C SDK writes them.
//!
//! Text ↔ value only; no clock. The value decides nothing here: whether a message is too old is the
//! owner's question.

use super::Reader;

/// A moment as a v1 header can say it: the years 0..=9999, wider than 64-bit nanoseconds reach, because
/// a Go program that sets no time sends the year 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    seconds: i64,
    nanoseconds: u32,
}

const NANOSECONDS: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// The longest string that is read as decimal seconds.
const MAX_SECONDS_DIGITS: usize = 11;

impl Timestamp {
    /// Makes a timestamp of Unix nanoseconds.
    #[must_use]
    pub fn from_unix_ns(unix_ns: i64) -> Self {
        let nanoseconds = u32::try_from(unix_ns.rem_euclid(NANOSECONDS)).unwrap_or_default();
        Self { seconds: unix_ns.div_euclid(NANOSECONDS), nanoseconds }
    }

    /// Returns Unix nanoseconds; the nearest there are when the years 1677..=2262 are left.
    #[must_use]
    pub const fn unix_ns(self) -> i64 {
        let nanoseconds = self.nanoseconds as i64;
        if self.seconds < 0 {
            // Towards zero first: the second that the earliest moment is in begins outside of 64 bits.
            (self.seconds + 1).saturating_mul(NANOSECONDS).saturating_add(nanoseconds - NANOSECONDS)
        } else {
            self.seconds.saturating_mul(NANOSECONDS).saturating_add(nanoseconds)
        }
    }

    /// Reads either form; `None` for anything else and for a date that does not exist. Leap seconds are
    /// not read: neither Go nor Unix time has them. Digits behind the ninth of a fraction are dropped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() <= MAX_SECONDS_DIGITS {
            let is_number = bytes.iter().all(u8::is_ascii_digit);
            return Some(Self {
                seconds: if is_number { text.parse().ok()? } else { return None },
                nanoseconds: 0,
            });
        }
        let mut reader = Reader::new(bytes);
        let date = Date {
            year: digits::<4>(&mut reader)?,
            month: follows(&mut reader, b"-").and_then(digits::<2>)?,
            day: follows(&mut reader, b"-").and_then(digits::<2>)?,
        };
        let hour = follows(&mut reader, b"Tt").and_then(digits::<2>)?;
        let minute = follows(&mut reader, b":").and_then(digits::<2>)?;
        let second = follows(&mut reader, b":").and_then(digits::<2>)?;
        if !date.exists() || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let (nanoseconds, sign) = fraction(&mut reader)?;
        let east = match sign {
            b'Z' | b'z' => 0,
            _ => offset(sign, &mut reader)?,
        };
        let day_seconds = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
        let seconds = date.days() * SECONDS_PER_DAY + day_seconds - east;
        reader.is_done().then_some(Self { seconds, nanoseconds })
    }

    /// Appends the form Go writes, in UTC; `None` outside of the years 0..=9999.
    pub(crate) fn write(self, out: &mut Vec<u8>) -> Option<()> {
        let date = Date::of_days(self.seconds.div_euclid(SECONDS_PER_DAY))?;
        let second = u32::try_from(self.seconds.rem_euclid(SECONDS_PER_DAY)).ok()?;
        let mut text = *b"0000-00-00T00:00:00";
        let [y0, y1, y2, y3, _, m0, m1, _, d0, d1, _, h0, h1, _, n0, n1, _, s0, s1] = &mut text;
        put([y0, y1, y2, y3], date.year);
        put([m0, m1], date.month);
        put([d0, d1], date.day);
        put([h0, h1], second / 3_600);
        put([n0, n1], second / 60 % 60);
        put([s0, s1], second % 60);
        out.extend_from_slice(&text);
        if self.nanoseconds != 0 {
            let mut fraction = *b".000000000";
            let [_, places @ ..] = &mut fraction;
            put(places.each_mut(), self.nanoseconds);
            let zeros = fraction.iter().rev().take_while(|&&digit| digit == b'0').count();
            out.extend_from_slice(fraction.get(..fraction.len() - zeros)?);
        }
        out.push(b'Z');
        Some(())
    }
}

/// A day of the Gregorian calendar, also before there was one.
struct Date {
    year: u32,
    month: u32,
    day: u32,
}

impl Date {
    const fn exists(&self) -> bool {
        let is_leap =
            self.year.is_multiple_of(4) && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let last = match self.month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if is_leap => 29,
            2 => 28,
            _ => 0,
        };
        1 <= self.day && self.day <= last
    }

    /// Days since 1970-01-01. Years begin in March here, so that the leap day is the last of its year;
    /// months then begin on day (153 m + 2) / 5.
    fn days(&self) -> i64 {
        let (year, month) = (i64::from(self.year), i64::from(self.month));
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        year * 365 + leap_days + (153 * month + 2) / 5 + i64::from(self.day) - 1 - DAYS_TO_1970
    }

    /// The inverse of [`Date::days`]; `None` outside of the years 0..=9999.
    fn of_days(days: i64) -> Option<Self> {
        let days = days.checked_add(DAYS_TO_1970)?;
        let (era, day) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (next_year, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
        let year = u32::try_from(era * 400 + year + next_year).ok().filter(|year| *year <= 9_999)?;
        Some(Self { year, month: u32::try_from(month).ok()?, day: u32::try_from(day).ok()? })
    }
}

/// Days from 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;
/// Days of 400 years, after which the calendar repeats.
const DAYS_PER_ERA: i64 = 146_097;

/// Reads exactly `N` digits.
fn digits<const N: usize>(reader: &mut Reader<'_>) -> Option<u32> {
    reader
        .array::<N>()?
        .into_iter()
        .try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
}

/// Steps over one byte, which must be one of `expected`.
fn follows<'r, 'a>(reader: &'r mut Reader<'a>, expected: &[u8]) -> Option<&'r mut Reader<'a>> {
    expected.contains(&reader.u8()?).then_some(reader)
}

/// Reads a fraction, if there is one; returns the nanoseconds and the byte behind it.
fn fraction(reader: &mut Reader<'_>) -> Option<(u32, u8)> {
    let first = reader.u8()?;
    if first != b'.' {
        return Some((0, first));
    }
    let (mut nanoseconds, mut place, mut count) = (0, 100_000_000, 0_usize);
    loop {
        let byte = reader.u8()?;
        if !byte.is_ascii_digit() {
            return (count > 0).then_some((nanoseconds, byte));
        }
        nanoseconds += u32::from(byte - b'0') * place;
        place /= 10;
        count += 1;
    }
}

/// Reads an offset behind its sign; returns seconds east.
fn offset(sign: u8, reader: &mut Reader<'_>) -> Option<i64> {
    let sign = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = digits::<2>(reader).filter(|hours| *hours <= 23)?;
    let minutes = follows(reader, b":").and_then(digits::<2>).filter(|minutes| *minutes <= 59)?;
    Some(sign * i64::from(hours * 3_600 + minutes * 60))
}

/// Puts a number's last digits into `places`.
fn put<const N: usize>(places: [&mut u8; N], mut value: u32) {
    for place in places.into_iter().rev() {
        *place = b"0123456789".get((value % 10) as usize).copied().unwrap_or(b'0');
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(timestamp: Timestamp) -> Option<String> {
        let mut out = Vec::new();
        timestamp.write(&mut out)?;
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn both_forms_are_read() {
        for (text, seconds, nanoseconds) in [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("2026-04-03T12:00:00.123456789Z", 1_775_217_600, 123_456_789),
            ("2026-04-03T14:30:00.5+02:30", 1_775_217_600, 500_000_000),
            ("2026-04-03T00:00:00-12:00", 1_775_217_600, 0),
            ("2026-04-04T11:59:00+23:59", 1_775_217_600, 0),
            ("2026-04-03T12:00:00.1234567899Z", 1_775_217_600, 123_456_789),
            ("2024-02-29t00:00:00z", 1_709_164_800, 0),
            ("2000-02-29T23:59:59-00:00", 951_868_799, 0),
            ("0001-01-01T00:00:00Z", -62_135_596_800, 0),
            ("0000-01-01T00:00:00Z", -62_167_219_200, 0),
            ("9999-12-31T23:59:59.999999999Z", 253_402_300_799, 999_999_999),
            ("0", 0, 0),
            ("1775217600", 1_775_217_600, 0),
            ("99999999999", 99_999_999_999, 0),
        ] {
            assert_eq!(Timestamp::parse(text), Some(Timestamp { seconds, nanoseconds }), "{text}");
        }
    }

    #[test]
    fn other_forms_and_dates_that_do_not_exist_are_refused() {
        for text in [
            "",
            "-1",
            "+1",
            "1.5",
            "123456789012",
            "now",
            "2026-04-03",
            "2026-04-03 12:00:00Z",
            "2026-04-03T12:00:00",
            "2026-04-03T12:00:00.Z",
            "2026-04-03T12:00:00.5",
            "2026-04-03T12:00:00,5Z",
            "2026-04-03T12:00Z",
            "2026-04-03T12:00:00ZZ",
            "2026-04-03T12:00:00Z ",
            " 2026-04-03T12:00:00Z",
            "2026-04-03T12:00:00+24:00",
            "2026-04-03T12:00:00+02:60",
            "2026-04-03T12:00:00+0200",
            "2026-04-03T12:00:00+02",
            "2026-04-03T12:00:00 02:00",
            "2026-00-03T12:00:00Z",
            "2026-13-03T12:00:00Z",
            "2026-04-00T12:00:00Z",
            "2026-04-31T12:00:00Z",
            "2026-02-29T12:00:00Z",
            "1900-02-29T12:00:00Z",
            "2026-01-32T12:00:00Z",
            "2026-04-03T24:00:00Z",
            "2026-04-03T12:60:00Z",
            "2016-12-31T23:59:60Z",
            "026-04-003T12:00:00Z",
            "+026-04-03T12:00:00Z",
            "２026-04-03T12:00:00Z",
            "Fri, 03 Apr 2026 12:00:00 GMT",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_as_go_writes_it_and_is_read_back() {
        for text in [
            "2026-04-03T12:00:00.123456789Z",
            "2026-04-03T12:00:00.12Z",
            "2026-04-03T12:00:00.000000001Z",
            "2026-04-03T12:00:00Z",
            "0000-01-01T00:00:00Z",
            "1969-12-31T23:59:59.9Z",
            "9999-12-31T23:59:59Z",
        ] {
            assert_eq!(written(Timestamp::parse(text).unwrap()).unwrap(), text);
        }
        let day = |day: i64| Timestamp { seconds: day * SECONDS_PER_DAY, nanoseconds: 0 };
        for days in (-719_528..2_932_897).step_by(13) {
            assert_eq!(Timestamp::parse(&written(day(days)).unwrap()), Some(day(days)));
        }
        assert_eq!((written(day(-719_529)), written(day(2_932_897))), (None, None));
        assert_eq!(written(Timestamp { seconds: i64::MIN, nanoseconds: 0 }), None);
        assert_eq!(written(Timestamp { seconds: i64::MAX, nanoseconds: 0 }), None);
    }

    #[test]
    fn unix_nanoseconds_are_the_nearest_there_are() {
        for unix_ns in [0, 1, -1, -1_000_000_000, 1_775_217_600_123_456_789, i64::MAX, i64::MIN, i64::MIN + 1]
        {
            assert_eq!(Timestamp::from_unix_ns(unix_ns).unix_ns(), unix_ns);
        }
        for before in
            ["0001-01-01T00:00:00Z", "1677-09-21T00:12:43.145224191Z", "1677-09-21T00:12:42.999999999Z"]
        {
            assert_eq!(Timestamp::parse(before).unwrap().unix_ns(), i64::MIN, "{before}");
        }
        assert_eq!(Timestamp::parse("9999-01-01T00:00:00Z").unwrap().unix_ns(), i64::MAX);
    }

    #[test]
    fn random_bytes_are_refused_without_a_panic() {
        for sample in ["2026-04-03T12:00:00.123456789+02:30", "1775217600"] {
            let accepted = eipc_testkit::noise::feed(sample.as_bytes(), |bytes| {
                core::str::from_utf8(bytes).ok().and_then(Timestamp::parse).is_some()
            });
            assert!(accepted > 0);
        }
    }
}
