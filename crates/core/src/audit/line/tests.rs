//! What is a line, and what only resembles one.

use super::*;

fn body(text: &str) -> String {
    format!(
        r#""t":"2026-11-05T12:34:56.789Z","peer":"{text}","action":"ui.click","decision":"allow","result":"ok","request_id":"c1","frame":"{}""#,
        "a0".repeat(32)
    )
}

fn line(number: &str, text: &str) -> String {
    let (prev, hash) = ("b1".repeat(32), "c2".repeat(32));
    format!(r#"{{"i":{number},{},"prev":"{prev}","h":"{hash}"}}"#, body(text))
}

fn fault(line: &str) -> Option<&'static str> {
    Line::parse(line.as_bytes()).err()
}

#[test]
fn a_line_is_taken_apart() {
    let text = line("17", "eni.min");
    let line = Line::parse(text.as_bytes()).unwrap();
    assert_eq!((line.number, line.action, line.result), (17, "ui.click", "ok"));
    assert_eq!((line.prev, line.hash), ([0xb1; 32], [0xc2; 32]));
    assert!(line.covered.ends_with(b"b1b1\"") && text.as_bytes().starts_with(line.covered));
}

#[test]
fn numbers_have_one_spelling_and_an_end() {
    for number in ["1", "10", "9007199254740991"] {
        assert_eq!(fault(&line(number, "")), None, "{number}");
    }
    for number in ["", "0", "01", "-1", " 1", "99999999999999999", "x"] {
        assert_eq!(fault(&line(number, "")), Some("its number is none"), "{number}");
    }
    for number in ["1.0", "1e3", "1 "] {
        assert_eq!(fault(&line(number, "")), Some("it is not the line of one entry"), "{number}");
    }
    for number in ["9007199254740992", "9999999999999999"] {
        assert_eq!(fault(&line(number, "")), Some("its number is too large"), "{number}");
    }
}

#[test]
fn a_text_has_one_spelling() {
    for text in
        ["", "a b~", r"\\", r#"\""#, r"\u000a", r"\u007f", r"\u202e", r"\ud83d\ude00", r"\ud83d\ude00x"]
    {
        assert_eq!(fault(&line("1", text)), None, "{text}");
    }
    for (text, why) in [
        (r"\n", "an escape is not canonical"),
        (r"\/", "an escape is not canonical"),
        (r"\u000A", "an escape is not canonical"),
        (r"\u0041", "an escape is not canonical"),
        (r"\u0020", "an escape is not canonical"),
        (r"\u007e", "an escape is not canonical"),
        (r"\u12", "an escape is not canonical"),
        (r"\ud83d", "a text has half of a surrogate pair"),
        (r"\ud83dx", "a text has half of a surrogate pair"),
        (r"\ud83d\ud83d\ude00", "a text has half of a surrogate pair"),
        (r"\ude00", "a text has half of a surrogate pair"),
        (r"\ud83d\u202e", "a text has half of a surrogate pair"),
        ("\u{e9}", "a text has a byte that is not printable ASCII"),
        ("\t", "a text has a byte that is not printable ASCII"),
        ("\u{7f}", "a text has a byte that is not printable ASCII"),
        ("\u{1b}[2J", "a text has a byte that is not printable ASCII"),
    ] {
        assert_eq!(fault(&line("1", text)), Some(why), "{text:?}");
    }
}

#[test]
fn a_text_is_cut_by_whoever_writes_it() {
    assert_eq!(fault(&line("1", &"x".repeat(256))), None);
    assert_eq!(fault(&line("1", &"x".repeat(257))), Some("a text is too long"));
    assert_eq!(fault(&line("1", &"x".repeat(MAX_LINE))), Some("it is longer than a line can be"));
    let just = MAX_LINE - line("1", "").len();
    assert_eq!(fault(&line("1", &"x".repeat(just))), Some("a text is too long"));
    assert_eq!(fault(&line("1", &"x".repeat(just + 1))), Some("it is longer than a line can be"));
    // Every text as long as it may be.
    let longest = line("9007199254740991", &"x".repeat(256))
        .replace("ui.click", &"x".repeat(256))
        .replace("\"allow\"", &format!("\"{}\"", "x".repeat(256)))
        .replace("\"ok\"", &format!("\"{}\"", "x".repeat(256)))
        .replace("\"c1\"", &format!("\"{}\"", "x".repeat(256)));
    assert_eq!(fault(&longest), None);
    assert!(longest.len() < MAX_LINE, "{}", longest.len());
}

#[test]
fn times_and_hashes_have_their_form() {
    let good = line("1", "");
    for (from, to, why) in [
        ("2026-11-05T12:34:56.789Z", "2026-11-05 12:34:56.789Z", "its time is none"),
        ("2026-11-05T12:34:56.789Z", "2026-11-05T12:34:56.78xZ", "its time is none"),
        ("2026-11-05T12:34:56.789Z", "2026-11-05T12:34:56Z", "its time is none"),
        ("a0a0\"", "a0A0\"", "a hash has another digit than 0-9 and a-f"),
        ("a0a0\"", "a0g0\"", "a hash has another digit than 0-9 and a-f"),
        ("a0a0\"", "a0a\"", "a hash has another digit than 0-9 and a-f"),
        ("a0a0\"", "a0a0a\"", "it is not the line of one entry"),
        ("b1b1\",\"h", "b1b1\" ,\"h", "it is not the line of one entry"),
        ("\"}", "\"} ", "something stands behind its end"),
        ("\"}", "\",\"x\":1}", "it is not the line of one entry"),
        ("\"peer\"", "\"Peer\"", "it is not the line of one entry"),
        ("{\"i\"", " {\"i\"", "it is not the line of one entry"),
    ] {
        assert_eq!(fault(&good.replacen(from, to, 1)), Some(why), "{from} {to}");
    }
    assert_eq!(fault(&good.replace(&"a0".repeat(32), "")), None, "no frame");
}

#[test]
fn every_part_has_its_place() {
    let good = line("1", "eni.min");
    for (whole, without) in [
        ("{\"i\":", ""),
        ("1,\"t\"", "1\"t\""),
        ("\"t\":\"", ""),
        ("\",\"peer\":\"", ""),
        ("\",\"action\":\"", ""),
        ("\",\"decision\":\"", ""),
        ("\",\"result\":\"", ""),
        ("\",\"request_id\":\"", ""),
        ("\",\"frame\":\"", ""),
        ("a0\",\"prev\"", "a0,\"prev\""),
        (",\"prev\":\"", ""),
        ("b1\",\"h\"", "b1,\"h\""),
        ("\",\"h\":\"", ""),
        ("\"}", ""),
    ] {
        assert!(good.contains(whole), "{whole}");
        assert_eq!(
            fault(&good.replacen(whole, without, 1)),
            Some("it is not the line of one entry"),
            "{whole}"
        );
    }
}

#[test]
fn every_text_is_read_as_one() {
    let good = line("1", "eni.min");
    for text in ["\"eni.min\"", "\"ui.click\"", "\"allow\"", "\"ok\"", "\"c1\""] {
        let long = format!("\"{}\"", "x".repeat(257));
        assert_eq!(fault(&good.replacen(text, &long, 1)), Some("a text is too long"), "{text}");
    }
}

#[test]
fn no_part_of_a_line_is_one() {
    let good = line("1", "eni.min");
    for length in 0..good.len() {
        assert!(fault(&good[..length]).is_some(), "{length}");
    }
}

#[test]
fn a_body_is_nothing_more() {
    assert_eq!(check_body(body("x").as_bytes()), Ok(()));
    for wrong in [format!("{} ", body("x")), format!("{}\n", body("x")), format!("{},\"prev\":\"", body("x"))]
    {
        assert_eq!(check_body(wrong.as_bytes()), Err("something stands behind its end"));
    }
}

#[test]
fn random_changes_are_read_without_a_panic() {
    let good = line("1", "eni.min").into_bytes();
    let mut noise = eipc_testkit::noise::Noise(0x6c69_6e65);
    let mut accepted = 0;
    for _ in 0..1_000_000 {
        let mut bytes = good.clone();
        for _ in 0..=noise.below(2) {
            let at = noise.below(bytes.len());
            match noise.below(4) {
                0 => bytes[at] ^= 1 << noise.below(8),
                1 => bytes.truncate(at),
                2 => bytes.insert(at, b"\\\"u0d{,\xff"[noise.below(8)]),
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                break;
            }
        }
        // What is accepted says what it says in one way only: it is the line it was, with other texts.
        if let Ok(read) = Line::parse(&bytes) {
            accepted += 1;
            assert!(bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) && read.number > 0);
        }
    }
    println!("1000000 inputs, {accepted} accepted");
}
