use super::*;

fn read(text: &[u8]) -> Result<Vec<(&'static str, String)>> {
    let mut fields = Vec::new();
    read_object(text, &["kind", "size", "list", "s"], &mut |name, parser| {
        let value = match name {
            "size" => parser.number()?.to_string(),
            "list" => {
                let mut items = Vec::new();
                parser.array(&mut |parser| parser.string().map(|item| items.push(item.into_owned())))?;
                items.join("|")
            }
            _ => parser.string()?.into_owned(),
        };
        fields.push((name, value));
        Ok(())
    })?;
    Ok(fields)
}

#[test]
fn known_keys_are_read_and_unknown_ones_skipped() {
    let text = br#" { "kind" : "a\n\u00e9\ud83e\udde0" , "more":[1,{"x":[true,false]}],
        "size":18446744073709551615, "list":["p","q"] } "#;
    let expected =
        vec![("kind", "a\né🧠".to_owned()), ("size", u64::MAX.to_string()), ("list", "p|q".to_owned())];
    assert_eq!(read(text), Ok(expected));
    assert_eq!(read(b"{}"), Ok(vec![]));
}

#[test]
fn what_two_readers_could_understand_differently_is_refused() {
    let refused: &[&[u8]] = &[
        b"",
        b"[]",
        b"null",
        b"1",
        b"{",
        b"{}x",
        b"{}{}",
        b"{},",
        br#"{"a":1,}"#,
        br#"{,"a":1}"#,
        br#"{"a" 1}"#,
        br#"{"size":1,"size":1}"#,
        br#"{"Size":1}"#,
        br#"{"SIZE":1}"#,
        br#"{"u":1,"U":1}"#,
        "{\"\u{212a}ind\":\"x\"}".as_bytes(),
        "{\"\u{17f}\":\"x\"}".as_bytes(),
        "{\"µ\":1,\"μ\":1}".as_bytes(),
        br#"{"\u0053ize":1}"#,
        br#"{"size":01}"#,
        br#"{"size":-1}"#,
        br#"{"size":1.0}"#,
        br#"{"size":1e3}"#,
        br#"{"size":+1}"#,
        br#"{"size":18446744073709551616}"#,
        br#"{"size":}"#,
        br#"{"size":"1"}"#,
        br#"{"x":-1}"#,
        br#"{"x":null}"#,
        br#"{"kind":null}"#,
        br#"{"kind":1}"#,
        br#"{"x":nul}"#,
        br#"{"x":truth}"#,
        b"{\"kind\":\"a\0\"}",
        b"{\"kind\":\"a\nb\"}",
        b"{\0}",
        br#"{"kind":"\u0000"}"#,
        br#"{"kind":"\ud800"}"#,
        br#"{"kind":"\udc00"}"#,
        br#"{"kind":"\ud800\u0041"}"#,
        br#"{"kind":"\x"}"#,
        br#"{"kind":"\u+123"}"#,
        br#"{"kind":"\u12"#,
        b"{\"kind\":\"\xff\"}",
        b"\xef\xbb\xbf{}",
        br#"{"x":[[[[1]]]]}"#,
        br#"{"x":{"y":{"z":{}, "w":{"v":1,"v":2}}}}"#,
        br#"{"x":{"v":1,"V":2}}"#,
        br#"{"x":[1,]}"#,
        br#"{"x":[1 2]}"#,
        b"{\x0b}",
        br#"{x:1}"#,
        br#"{kind":"x"}"#,
        br#"{"kind":x"}"#,
        // What was refused inside is not taken for something that has ended.
        br#"{"list":"p","q"]}"#,
        br#"{"list":["p"}"#,
        br#"{"x":"\u0000}"#,
        br#"{"x":{"v":1,"v"}"#,
        br#"{"x":[1}"#,
        br#"{"x":01}"#,
        // Halves of a surrogate pair that only look joined.
        br#"{"kind":"\ud83eudde0"}"#,
        br#"{"kind":"\ud83e\dde0"}"#,
        br#"{"kind":"\ud83e\ue000"}"#,
        br#"{"kind":"\ud83e\udbff"}"#,
        br#"{"kind":"\udc00\udc00"}"#,
        br#"{"x":{"y":{"z":{"w":{}}}}}"#,
        br#"{"x":[{"y":[{}]}]}"#,
        br"{'x':1}",
    ];
    for text in refused {
        assert!(read(text).is_err(), "{}", String::from_utf8_lossy(text));
    }
    assert!(read("[".repeat(100_000).as_bytes()).is_err(), "no stack is deep enough for a peer");
    assert!(read(format!("{{\"x\":{}", "[".repeat(100_000)).as_bytes()).is_err());
    assert!(read(br#"{"x":[[[1]]]}"#).is_ok(), "depth 4");
    assert!(read(br#"{"x":{"y":{"z":{}}}}"#).is_ok(), "depth 4");
    assert!(read("{\"sıze\":1}".as_bytes()).is_ok(), "a dotless i is another letter");
}

#[test]
fn a_control_character_is_named_as_such() {
    let refused = Err(Refused("a control character in a string"));
    assert_eq!(read(b"{\"kind\":\"a\nb\"}"), refused);
    assert_eq!(read(b"{\"kind\":\"a\x1fb\"}"), refused);
    assert_eq!(read(b"{\"kind\":\"a b\"}"), Ok(vec![("kind", "a b".to_owned())]));
}

#[test]
fn the_ends_of_the_surrogates_are_exact() {
    for (text, scalar) in [
        (r"\ud800\udc00", '\u{10000}'),
        (r"\udbff\udfff", '\u{10ffff}'),
        (r"\ud7ff", '\u{d7ff}'),
        (r"\ue000", '\u{e000}'),
    ] {
        let json = format!("{{\"kind\":\"{text}\"}}");
        assert_eq!(read(json.as_bytes()), Ok(vec![("kind", scalar.to_string())]));
    }
}

#[test]
fn plain_digits_are_nothing_but_digits() {
    assert_eq!(plain_digits("18446744073709551615"), Some(u64::MAX));
    for wrong in ["", "+1", "-1", "1a", "01", " 1", "18446744073709551616"] {
        assert_eq!(plain_digits(wrong), None, "{wrong:?}");
    }
}

#[test]
fn nothing_is_escaped_that_need_not_be() {
    let mut out = String::new();
    push_string(&mut out, "a b\u{1f}\u{7f}");
    assert_eq!(out, "\"a b\\u001f\u{7f}\"");
}

#[test]
fn written_strings_are_read_back() {
    let all: String = (1..0x500).filter_map(char::from_u32).chain(['🧠']).collect();
    let mut text = String::from("{\"kind\":");
    push_string(&mut text, &all);
    text.push('}');
    assert_eq!(read(text.as_bytes()), Ok(vec![("kind", all)]));
}
