//! Logging in: what both sides know afterwards, in parallel, in the old variant, and in time.

use super::*;

#[test]
fn a_handshake_ends_with_the_same_session_at_both_ends() {
    let pair = open_pair(client(), server());
    let (client, server) =
        (pair.client.connection.session().unwrap(), pair.server.connection.session().unwrap());
    assert_eq!((client.own_id.as_str(), client.peer_id.as_deref()), ("nia.min", Some("eipc-server")));
    assert_eq!((server.own_id.as_str(), server.peer_id.as_deref()), ("eipc-server", Some("nia.min")));
    assert_eq!(client.session_id, server.session_id);
    assert_eq!(client.session_id.len(), 64);
    assert!(client.session_id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(client.capabilities, ["ui:control", "device:read"]);
    assert_eq!(server.capabilities, client.capabilities);
    assert_eq!((client.ttl_ms, server.ttl_ms), (0, 3_600_000));
    assert!(!pair.server.connection.is_hello_forged());
    for end in [&pair.client, &pair.server] {
        assert!(!format!("{:?}", end.connection).contains(&client.session_id), "tokens stay out of logs");
    }
}

#[test]
fn the_four_frames_are_those_of_the_original() {
    let mut pair = pair_of(client(), server());
    let mut seen = Vec::new();
    for step in 0..4 {
        let (from, to) = match step % 2 {
            0 => (&mut pair.client, &mut pair.server),
            _ => (&mut pair.server, &mut pair.client),
        };
        let bytes = from.transmit();
        to.receive(&bytes, Time(0));
        let mut frame = bytes[4..].to_vec();
        let frame = decode_frame(&mut frame, Some(NIA)).unwrap();
        let header = header_v1::parse(frame.header, TimestampRule::Strict).unwrap();
        assert_eq!(header.timestamp, Timestamp::from_unix_ns(UNIX_NS));
        assert_eq!((header.session_id.as_ref(), header.priority), ("", Priority::P0));
        let text = String::from_utf8(frame.payload.to_vec()).unwrap();
        seen.push((char::from(frame.kind), header.service_id.into_owned(), header.sequence, text));
    }
    let token = pair.client.connection.session().unwrap().session_id.clone();
    let nonce = &seen[1].3[31..95];
    let nonce: Vec<u8> =
        (0..64).step_by(2).map(|at| u8::from_str_radix(&nonce[at..at + 2], 16).unwrap()).collect();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let response = hex(&sign(NIA, &nonce).unwrap());
    let expected = [
        ('A', "nia.min", 1, r#"{"service_id":"nia.min"}"#.to_owned()),
        ('H', "eipc-server", 1, format!(r#"{{"status":"challenge","nonce":"{}"}}"#, hex(&nonce))),
        ('R', "nia.min", 2, format!(r#"{{"service_id":"nia.min","response":"{response}"}}"#)),
        (
            'R',
            "eipc-server",
            2,
            format!(
                r#"{{"status":"ok","session_token":"{token}","capabilities":["ui:control","device:read"]}}"#
            ),
        ),
    ];
    for (seen, expected) in seen.iter().zip(&expected) {
        assert_eq!(
            (seen.0, seen.1.as_str(), seen.2, &seen.3),
            (expected.0, expected.1, expected.2, &expected.3)
        );
    }
}

#[test]
fn a_hundred_parallel_logins_of_one_service_all_succeed() {
    let config = Arc::new(server());
    let mut pairs: Vec<Pair> = (0..100).map(|_| Pair::new(client(), Arc::clone(&config))).collect();
    // Every step of all of them before the next step of any, backwards every other time.
    for step in 0..4 {
        let forth = step % 2 == 0;
        if !forth {
            pairs.reverse();
        }
        for pair in &mut pairs {
            let (from, to) = if forth {
                (&mut pair.client, &mut pair.server)
            } else {
                (&mut pair.server, &mut pair.client)
            };
            let bytes = from.transmit();
            assert_eq!(code(&to.receive(&bytes, Time(0))), None);
        }
    }
    let mut tokens: Vec<String> = pairs
        .iter()
        .map(|pair| {
            assert_eq!(pair.client.connection.state(), State::Open);
            assert_eq!(pair.server.connection.state(), State::Open);
            pair.client.connection.session().unwrap().session_id.clone()
        })
        .collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 100, "every session has its own token");
}

#[test]
fn a_challenge_belongs_to_its_connection() {
    // The attacker records an answer and plays it where another challenge waits.
    let config = Arc::new(server());
    let mut first = Pair::new(client(), Arc::clone(&config));
    let mut second = Pair::new(client(), config);
    for pair in [&mut first, &mut second] {
        let hello = pair.client.transmit();
        pair.server.receive(&hello, Time(0));
        let challenge = pair.server.transmit();
        pair.client.receive(&challenge, Time(0));
    }
    let answer = first.client.transmit();
    assert_eq!(code(&second.server.receive(&answer, Time(0))), Some(Code::HandshakeFailed));
    assert_eq!(first.server.receive(&answer, Time(0)), [Seen::Established], "nobody else can burn it");
    let again = first.server.receive(&answer, Time(0));
    assert_eq!(code(&again), Some(Code::UnsupportedType), "and it is used once");
}

#[test]
fn the_old_variant_is_spoken_only_by_option() {
    let acks = |mut client: ClientConfig| {
        client.options.ack_handshake = true;
        client
    };
    let mut tolerant = server();
    tolerant.options.ack_handshake = true;
    // A server with the option speaks both.
    open_pair(client(), tolerant.clone());
    let mut pair = pair_of(acks(client()), tolerant.clone());
    for step in 0..4 {
        let (from, to) = match step % 2 {
            0 => (&mut pair.client, &mut pair.server),
            _ => (&mut pair.server, &mut pair.client),
        };
        let bytes = from.transmit();
        assert_eq!(bytes[10], b'a', "step {step}");
        assert_eq!(code(&to.receive(&bytes, Time(0))), None);
    }
    assert_eq!(pair.client.connection.state(), State::Open);
    // Neither side without it does.
    let mut pair = pair_of(acks(client()), server());
    assert_eq!(code(&pair.run().1), Some(Code::UnsupportedType));
    let mut pair = pair_of(client(), tolerant.clone());
    let hello = pair.client.transmit();
    pair.server.receive(&hello, Time(0));
    let nonce = "5a".repeat(32);
    let payload = format!(r#"{{"status":"challenge","nonce":"{nonce}"}}"#);
    let challenge = signed(NIA, b'a', &header("eipc-server", "", 1), payload.as_bytes());
    assert_eq!(code(&pair.client.receive(&challenge, Time(0))), Some(Code::UnsupportedType));
    // A denial has the variant's type too.
    let liar = acks(ClientConfig::new(key(NIA), "ail.framework"));
    let mut pair = pair_of(liar, tolerant);
    let (seen_client, seen_server) = pair.run();
    assert_eq!((code(&seen_client), code(&seen_server)), (Some(Code::HandshakeFailed), Some(Code::Identity)));
}

#[test]
fn the_whole_handshake_has_ten_seconds() {
    let steps = |until: usize, at: u64| {
        let mut pair = pair_of(client(), server());
        for step in 0..until {
            let (from, to) = match step % 2 {
                0 => (&mut pair.client, &mut pair.server),
                _ => (&mut pair.server, &mut pair.client),
            };
            let bytes = from.transmit();
            assert_eq!(code(&to.receive(&bytes, Time(9 * SECOND))), None, "a step does not begin them anew");
        }
        let (from, to) = match until % 2 {
            0 => (&mut pair.client, &mut pair.server),
            _ => (&mut pair.server, &mut pair.client),
        };
        assert_eq!(to.connection.poll_deadline(), Some(Time(10 * SECOND)));
        let bytes = from.transmit();
        let in_time = code(&to.receive(&bytes, Time(at)));
        (in_time, to.connection.state())
    };
    for until in 0..4 {
        assert_eq!(steps(until, 10 * SECOND - 1).0, None);
        assert_eq!(steps(until, 10 * SECOND), (Some(Code::Timeout), State::Closed));
    }
    let mut pair = pair_of(client(), server());
    for end in [&mut pair.client, &mut pair.server] {
        assert_eq!(end.connection.handle_timeout(Time(10 * SECOND - 1)), Ok(()));
        let error = end.connection.handle_timeout(Time(10 * SECOND)).unwrap_err();
        assert_eq!((error.code, end.connection.state()), (Code::Timeout, State::Closed));
        assert_eq!(end.connection.poll_deadline(), None);
        assert_eq!(end.connection.handle_timeout(Time(99 * SECOND)), Ok(()));
    }
}

#[test]
fn ids_that_could_never_work_are_refused_at_once() {
    let code = |service_id: &str, server_id: Option<&str>| {
        let mut config = ClientConfig::new(key(NIA), service_id);
        config.server_id = server_id.map(str::to_owned);
        Connection::client(config, 0, Time(0)).map(drop).map_err(|error| error.code)
    };
    assert_eq!(code("éņī.最小", Some("eipc-server")), Ok(()));
    assert_eq!(code("", None), Err(Code::HandshakeFailed));
    assert_eq!(code("a\n", None), Err(Code::HandshakeFailed));
    assert_eq!(code(&"a".repeat(65), None), Err(Code::HandshakeFailed));
    assert_eq!(code("a", Some("")), Err(Code::HandshakeFailed));
    assert_eq!(code("a", Some("a")), Err(Code::Reflection));
}
