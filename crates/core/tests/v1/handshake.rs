//! Handshakes that must fail, and what the other side may learn from it.

use super::*;
use eipc_testkit::changes;

/// Sends a hello to a fresh server; returns the code and the answer's bytes.
fn knock(hello: &[u8]) -> (Option<Code>, Vec<u8>, bool) {
    let mut server = End::new(Connection::server(Arc::new(server()), UNIX_NS, Time(0)));
    let seen = server.receive(hello, Time(0));
    assert_eq!(server.connection.state() == State::Closed, code(&seen).is_some());
    (code(&seen), server.transmit(), server.connection.is_hello_forged())
}

fn claim(id: &str) -> Vec<u8> {
    format!("{{\"service_id\":\"{id}\"}}").into_bytes()
}

#[test]
fn the_key_of_one_service_with_the_id_of_another_is_denied_like_an_unknown_id() {
    // The attacker is a service of this server and wants to be another, or to learn which there are.
    let denied_as = |header_id: &str, claimed: &str| {
        let (code, answer, is_forged) = knock(&signed(NIA, b'A', &header(header_id, "", 1), &claim(claimed)));
        assert_eq!((code, is_forged), (Some(Code::Identity), false), "{header_id} {claimed}");
        answer
    };
    let another = denied_as("ail.framework", "ail.framework");
    assert_eq!(payload_of(&another, NIA), r#"{"status":"denied","error":"authentication failed"}"#);
    for _ in 0..1_000 {
        assert_eq!(denied_as("nobody.here", "nobody.here"), another);
        assert_eq!(denied_as("ail.framework", "ail.framework"), another);
    }
    assert_eq!(denied_as("nia.min", "ail.framework"), another);
    assert_eq!(denied_as("nia.min", "nobody.here"), another);
    assert_eq!(denied_as("ail.framework", "nia.min"), another);
    assert_eq!(knock(&signed(NIA, b'A', &header("nia.min", "", 1), &claim("nia.min"))).0, None);
}

#[test]
fn a_wrong_key_is_not_answered() {
    let (code, answer, is_forged) =
        knock(&signed(b"no key of this server", b'A', &header("nia.min", "", 1), &claim("nia.min")));
    assert_eq!((code, answer, is_forged), (Some(Code::Integrity), vec![], true));
    // What the original accepts: the flag and the tag taken away.
    let bare = prefixed(&encode_frame(b'A', &header("nia.min", "", 1), &claim("nia.min"), None).unwrap());
    assert_eq!(knock(&bare), (Some(Code::Integrity), vec![], true));
    // The client hears nothing either and gives up in time.
    let mut pair = pair_of(ClientConfig::new(key(b"no key of this server"), "nia.min"), server());
    let (seen_client, seen_server) = pair.run();
    assert_eq!((code_of(&seen_client), code_of(&seen_server)), (None, Some(Code::Integrity)));
    let error = pair.client.connection.handle_end(StreamEnd::Whole, Time(0)).unwrap_err();
    assert_eq!((error.code, pair.client.connection.state()), (Code::Transport, State::Closed));
}

fn code_of(seen: &[Seen]) -> Option<Code> {
    code(seen)
}

#[test]
fn only_a_hello_begins_a_handshake() {
    for &kind in Kind::ALL.iter().filter(|kind| **kind != Kind::Auth) {
        let knocked = knock(&signed(NIA, kind.byte(), &header("nia.min", "", 1), &claim("nia.min")));
        assert_eq!(knocked, (Some(Code::UnsupportedType), vec![], false), "{kind:?}");
    }
    let hello = |header: &[u8], payload: &[u8]| knock(&signed(NIA, b'A', header, payload)).0;
    assert_eq!(hello(&header("nia.min", "", 0), &claim("nia.min")), Some(Code::Replay));
    assert_eq!(hello(b"{}", &claim("nia.min")), Some(Code::BadHeader));
    assert_eq!(hello(&header("eipc-server", "", 1), &claim("nia.min")), Some(Code::Reflection));
    assert_eq!(hello(&header("nia.min", "", 1), b"{}"), Some(Code::BadPayload));
    let twice = br#"{"service_id":"nia.min","Service_id":"ail.framework"}"#;
    assert_eq!(hello(&header("nia.min", "", 1), twice), Some(Code::BadPayload));
    // Nothing above 4 096 bytes before the peer has proved itself.
    let padded = |length: usize| {
        let (header, claim) = (header("nia.min", "", 1), claim("nia.min"));
        let blanks = vec![b' '; length - 16 - 32 - header.len() - claim.len()];
        knock(&signed(NIA, b'A', &header, &[claim, blanks].concat())).0
    };
    assert_eq!((padded(4_096), padded(4_097)), (None, Some(Code::FrameTooLarge)));
    // A stranger's large frame is not even hashed, also where no deframer stands before.
    for authentication in [Authentication::Challenge, Authentication::MacOnly] {
        let mut large = signed(b"no key of this server", b'A', &header("nia.min", "", 1), &[0; 4_097]);
        let config = ServerConfig { authentication, ..server() };
        let mut server = Connection::server(Arc::new(config), UNIX_NS, Time(0));
        let error = server.handle_frame(&mut large[4..], &Random::system(), Time(0)).unwrap_err();
        assert_eq!((error.code, server.is_hello_forged()), (Code::FrameTooLarge, true));
    }
}

#[test]
fn a_server_sends_no_nonce_its_client_would_not_answer() {
    let hello = signed(NIA, b'A', &header("nia.min", "", 1), &claim("nia.min"));
    let challenge = |drawn: &[u8]| {
        let mut server = Connection::server(Arc::new(server()), UNIX_NS, Time(0));
        server.handle_frame(&mut hello.clone()[4..], &Random::fixed(drawn), Time(0)).map(drop)?;
        Ok::<_, eipc_core::Error>(payload_of(&server.poll_transmit().unwrap(), NIA))
    };
    let bad = [&b"EIPC"[..], &[7; 28]].concat();
    let drawn = challenge(&[&bad[..], &[0xa5; 32]].concat()).unwrap();
    assert!(drawn.contains(&"a5".repeat(32)), "{drawn}");
    assert_eq!(challenge(&bad.repeat(8)).unwrap_err().code, Code::Internal);
    assert_eq!(challenge(&[]).unwrap_err().code, Code::Internal, "no randomness, no challenge");
}

#[test]
fn a_server_without_randomness_gives_no_token() {
    let (mut end, answer) = challenged();
    let mut frame = signed(NIA, b'R', &header("nia.min", "", 2), answer.as_bytes()).split_off(4);
    let given = end.connection.handle_frame(&mut frame, &Random::fixed(&[7; 31]), Time(0)).map(drop);
    assert_eq!(given.unwrap_err().code, Code::Internal);
    assert!(end.transmit().is_empty() && end.connection.session().is_none());
}

#[test]
fn a_request_id_that_grows_when_it_is_told_back_ends_the_handshake() {
    // The attacker holds a key. Its header fits, but each `<` of it becomes six bytes in the answer's.
    let asked_with = |length| {
        let plain = String::from_utf8(header("nia.min", "", 1)).unwrap();
        let request_id = format!(r#""request_id":"{}""#, "<".repeat(length));
        let header = plain.replace(r#""request_id":"""#, &request_id);
        assert_eq!(header.len(), plain.len() + length);
        knock(&signed(NIA, b'A', header.as_bytes(), &claim("nia.min")))
    };
    assert_eq!(asked_with(500).0, None);
    assert_eq!(asked_with(800), (Some(Code::BadHeader), vec![], false));
}

/// A server that waits for the answer to its challenge, and the client's right answer.
fn challenged() -> (End, String) {
    let mut pair = pair_of(client(), server());
    let hello = pair.client.transmit();
    pair.server.receive(&hello, Time(0));
    let challenge = pair.server.transmit();
    pair.client.receive(&challenge, Time(0));
    let answer = payload_of(&pair.client.transmit(), NIA);
    (pair.server, answer)
}

#[test]
fn a_wrong_answer_is_denied_once_and_for_all() {
    let answer = |frame: &dyn Fn(&str) -> Vec<u8>| {
        let (mut server, right) = challenged();
        let seen = server.receive(&frame(&right), Time(0));
        let told = server.transmit();
        assert!(server.connection.state() != State::Open || code(&seen).is_none());
        (code(&seen), told)
    };
    let response = |sequence, payload: String| {
        answer(&move |_: &str| signed(NIA, b'R', &header("nia.min", "", sequence), payload.as_bytes()))
    };
    let right = answer(&|right: &str| signed(NIA, b'R', &header("nia.min", "", 2), right.as_bytes()));
    assert_eq!(right.0, None);
    let denial = response(2, format!(r#"{{"service_id":"nia.min","response":"{}"}}"#, "00".repeat(32)));
    assert_eq!(denial.0, Some(Code::HandshakeFailed));
    assert_eq!(payload_of(&denial.1, NIA), r#"{"status":"denied","error":"authentication failed"}"#);
    for payload in [r#""response":"""#, r#""response":"00""#, r#""x":1"#] {
        let told = response(2, format!(r#"{{"service_id":"nia.min",{payload}}}"#));
        assert_eq!(told, denial, "{payload}");
    }
    // The right answer under another id, in another order, of another type, or under another key.
    let lie = answer(&|right: &str| {
        let lie = right.replace("nia.min", "ail.framework");
        signed(NIA, b'R', &header("nia.min", "", 2), lie.as_bytes())
    });
    assert_eq!((lie.0, lie.1), (Some(Code::Identity), denial.1));
    for (expected, key, kind, sequence) in [
        (Code::Replay, NIA, b'R', 1),
        (Code::Replay, NIA, b'R', 0),
        (Code::UnsupportedType, NIA, b'A', 2),
        (Code::UnsupportedType, NIA, b'i', 2),
        (Code::UnsupportedType, NIA, b'a', 2),
        (Code::Integrity, AIL, b'R', 2),
    ] {
        let (code, told) =
            answer(&|right: &str| signed(key, kind, &header("nia.min", "", sequence), right.as_bytes()));
        assert_eq!((code, told), (Some(expected), vec![]), "{kind} {sequence}");
    }
}

/// A client that waits for a challenge.
fn greeting() -> End {
    let mut end = End::new(Connection::client(client(), UNIX_NS, Time(0)).unwrap());
    end.transmit();
    end
}

fn challenge(nonce: &str) -> Vec<u8> {
    let payload = format!(r#"{{"status":"challenge","nonce":"{nonce}"}}"#);
    signed(NIA, b'H', &header("eipc-server", "", 1), payload.as_bytes())
}

#[test]
fn no_oracle_nonce_is_answered() {
    // The attacker is a fake server that can sign, or found somebody who signs for it, and wants the tag
    // of a frame of its choice.
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let good: Vec<u8> = (0..32).map(|byte| 0xa0 ^ byte).collect();
    let signable = |header: &[u8], payload: &[u8]| {
        encode_frame(b'i', header, payload, Some(b"x")).map(|mut frame| {
            frame.truncate(frame.len() - 32);
            frame
        })
    };
    let whole = signable(&header("nia.min", "", 3), b"{\"intent\":\"reboot\"}").unwrap();
    let exactly_32 = signable(b"{}", b"fourteen bytes").unwrap();
    assert_eq!(exactly_32.len(), 32);
    let oracles = [
        ("signable bytes of a whole frame", hex(&whole)),
        ("signable bytes that have 32 bytes", hex(&exactly_32)),
        ("the same in upper case", hex(&exactly_32).to_uppercase()),
        ("signable bytes of a frame without a header", hex(&signable(b"", &[b' '; 16]).unwrap())),
        ("no more than the magic is a frame's", hex(&[&b"EIPC"[..], &good[4..]].concat())),
        ("a bare preamble", hex(&signable(b"", b"").unwrap())),
        ("nothing", String::new()),
        ("31 bytes", hex(&good[1..])),
        ("33 bytes", hex(&[&good[..], &[0]].concat())),
        ("64 bytes that end well", hex(&[&exactly_32[..], &good[..]].concat())),
        ("an odd digit more", hex(&good) + "0"),
        ("digits that are none", "zz".repeat(32)),
        ("a sign among the digits", "+a".repeat(32)),
        ("a nonce that is escaped", format!("\\u0034\\u0035{}", &hex(&exactly_32)[2..])),
    ];
    for (name, nonce) in oracles {
        let mut client = greeting();
        let seen = client.receive(&challenge(&nonce), Time(0));
        assert_eq!(code(&seen), Some(Code::HandshakeFailed), "{name}");
        assert!(client.transmit().is_empty(), "{name}");
        assert_eq!(client.connection.state(), State::Closed, "{name}");
    }
    let mut client = greeting();
    assert_eq!(client.receive(&challenge(&hex(&good)), Time(0)), [Seen::Progress]);
    let response = hex(&sign(NIA, &good).unwrap());
    assert!(payload_of(&client.transmit(), NIA).contains(&response));
}

#[test]
fn a_challenge_is_signed_and_read_as_strictly_as_a_header() {
    let nonce = "a5".repeat(32);
    let good = format!(r#"{{"status":"challenge","nonce":"{nonce}"}}"#);
    let of = |bytes: Vec<u8>| {
        let mut client = greeting();
        let code = code(&client.receive(&bytes, Time(0)));
        assert_eq!(client.transmit().is_empty(), code.is_some());
        code
    };
    let from_server = header("eipc-server", "", 1);
    assert_eq!(of(signed(NIA, b'H', &from_server, good.as_bytes())), None);
    let unsigned = encode_frame(b'H', &from_server, good.as_bytes(), None).unwrap();
    assert_eq!(of(prefixed(&unsigned)), Some(Code::Integrity));
    assert_eq!(of(signed(AIL, b'H', &from_server, good.as_bytes())), Some(Code::Integrity));
    assert_eq!(of(signed(NIA, b'i', &from_server, good.as_bytes())), Some(Code::UnsupportedType));
    assert_eq!(of(signed(NIA, b'H', &header("nia.min", "", 1), good.as_bytes())), Some(Code::Reflection));
    let payload = |text: String| of(signed(NIA, b'H', &from_server, text.as_bytes()));
    let two = format!(r#"{{"status":"challenge","nonce":"{nonce}","Nonce":"{nonce}"}}"#);
    assert_eq!(payload(two), Some(Code::BadPayload));
    assert_eq!(payload(format!("{good} {{}}")), Some(Code::BadPayload));
    assert_eq!(payload(good.replace("challenge", "ok")), Some(Code::HandshakeFailed));
    assert_eq!(payload(r#"{"status":"challenge"}"#.into()), Some(Code::HandshakeFailed));
    // Its own hello, reflected.
    let mut client = End::new(Connection::client(client(), UNIX_NS, Time(0)).unwrap());
    let hello = client.transmit();
    assert_eq!(code(&client.receive(&hello, Time(0))), Some(Code::UnsupportedType));
}

#[test]
fn a_client_takes_no_result_without_a_challenge_and_no_session_without_a_token() {
    let from_server = |sequence| header("eipc-server", "", sequence);
    let ok = |token: &str| format!(r#"{{"status":"ok","session_token":"{token}","capabilities":[]}}"#);
    let mut client = greeting();
    let early = signed(NIA, b'R', &from_server(1), ok("token").as_bytes());
    assert_eq!(code(&client.receive(&early, Time(0))), Some(Code::HandshakeFailed));
    assert!(client.transmit().is_empty());

    // A challenge under the type of a result.
    let mut client = greeting();
    let nonce = "a5".repeat(32);
    let challenge_as_result = format!(r#"{{"status":"challenge","nonce":"{nonce}"}}"#);
    let early = signed(NIA, b'R', &from_server(1), challenge_as_result.as_bytes());
    assert_eq!(code(&client.receive(&early, Time(0))), Some(Code::HandshakeFailed));
    assert!(client.transmit().is_empty());
    // A denial says so, in either place.
    let denial = |client: &mut End, sequence| {
        let denied = signed(NIA, b'R', &from_server(sequence), br#"{"status":"denied","error":"x"}"#);
        let seen = client.receive(&denied, Time(0));
        let Some(Seen::Failed(error)) = seen.last() else { panic!("{seen:?}") };
        assert_eq!((error.code, error.context.as_ref()), (Code::HandshakeFailed, "the server denied"));
    };
    denial(&mut greeting(), 1);
    let mut client = greeting();
    client.receive(&challenge(&nonce), Time(0));
    denial(&mut client, 2);

    let after_challenge = |bytes: Vec<u8>| {
        let mut client = greeting();
        client.receive(&challenge(&"a5".repeat(32)), Time(0));
        client.transmit();
        let seen = client.receive(&bytes, Time(0));
        assert!(client.transmit().is_empty());
        (code(&seen), client.connection.state())
    };
    let result = |sequence, payload: &str| {
        after_challenge(signed(NIA, b'R', &from_server(sequence), payload.as_bytes()))
    };
    for token in ["t", "token", &"t".repeat(256)] {
        assert_eq!(result(2, &ok(token)), (None, State::Open));
    }
    let denied = r#"{"status":"denied","error":"because"}"#;
    for (payload, expected) in [
        (ok(""), Code::HandshakeFailed),
        (ok(&"t".repeat(257)), Code::HandshakeFailed),
        (r#"{"status":"ok","capabilities":[]}"#.into(), Code::HandshakeFailed),
        (ok("token").replace("\"ok\"", "\"OK\""), Code::HandshakeFailed),
        (denied.into(), Code::HandshakeFailed),
        (ok("token").replace('}', ",\"status\":\"denied\"}"), Code::BadPayload),
        (format!(r#"{{"status":"challenge","nonce":"{}"}}"#, "a5".repeat(32)), Code::HandshakeFailed),
    ] {
        assert_eq!(result(2, &payload), (Some(expected), State::Closed), "{payload}");
    }
    assert_eq!(result(1, &ok("token")).0, Some(Code::Replay));
    let other = signed(NIA, b'R', &header("other-server", "", 2), ok("token").as_bytes());
    assert_eq!(after_challenge(other).0, Some(Code::Identity), "the challenge's id is the server's");
    assert_eq!(after_challenge(challenge(&"a5".repeat(32))).0, Some(Code::UnsupportedType));
}

#[test]
fn a_client_that_knows_its_server_refuses_another() {
    let mut config = client();
    config.server_id = Some("eipc-server".into());
    open_pair(config.clone(), server());
    config.server_id = Some("other-server".into());
    let mut pair = pair_of(config, server());
    assert_eq!(code(&pair.run().0), Some(Code::Identity));
}

/// Goes `step` frames into a handshake; returns the frame that comes next and the end that awaits it.
fn awaiting(step: usize) -> (Vec<u8>, End) {
    let mut pair = pair_of(client(), server());
    for current in 0..step {
        let (from, to) = match current % 2 {
            0 => (&mut pair.client, &mut pair.server),
            _ => (&mut pair.server, &mut pair.client),
        };
        let bytes = from.transmit();
        to.receive(&bytes, Time(0));
    }
    let (mut from, to) = match step % 2 {
        0 => (pair.client, pair.server),
        _ => (pair.server, pair.client),
    };
    (from.transmit().split_off(4), to)
}

#[test]
fn no_changed_frame_of_the_handshake_is_accepted() {
    // The attacker sits on the wire and flips any one bit, cuts anywhere, or adds 1 to 64 bytes.
    let mut tried = 0;
    for step in 0..4 {
        let (frame, mut end) = awaiting(step);
        assert!(end.connection.handle_frame(&mut frame.clone(), &Random::system(), Time(0)).is_ok());
        for change in changes(frame.len()) {
            let (mut bytes, mut end) = awaiting(step);
            change(&mut bytes);
            let accepted = end.connection.handle_frame(&mut bytes, &Random::system(), Time(0)).is_ok();
            assert!(!accepted, "step {step}: {bytes:02x?}");
            assert_eq!(end.connection.state(), State::Closed);
            assert!(end.connection.session().is_none());
            assert!(end.transmit().is_empty(), "a forged frame is not answered");
            tried += 1;
        }
    }
    assert!(tried > 9_000, "{tried}");
}
