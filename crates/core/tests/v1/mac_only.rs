//! Connections without a handshake: the original's quick start and its C SDK.

use super::*;

fn mac_server() -> Arc<ServerConfig> {
    let mut config = server();
    config.authentication = Authentication::MacOnly;
    Arc::new(config)
}

fn config(service_id: &str) -> MacConfig {
    MacConfig::new(key(NIA), service_id)
}

fn end(config: MacConfig) -> End {
    End::new(Connection::mac_only(config, Time(0)).unwrap())
}

#[test]
fn both_sides_are_open_at_once_and_learn_each_other() {
    let (mut left, mut right) = (end(config("hello-client")), end(config("hello-server")));
    assert_eq!((left.connection.state(), left.connection.poll_deadline()), (State::Open, None));
    assert_eq!(left.connection.session().unwrap().peer_id, None);
    for round in 0..3_u8 {
        let bytes = left.message(Kind::Chat, &[round]).unwrap();
        assert_eq!(right.receive(&bytes, Time(0)), message(&[round]));
        let bytes = right.message(Kind::Chat, &[round]).unwrap();
        assert_eq!(left.receive(&bytes, Time(0)), message(&[round]));
    }
    let peer = |end: &End| end.connection.session().unwrap().peer_id.clone();
    assert_eq!(
        (peer(&left).as_deref(), peer(&right).as_deref()),
        (Some("hello-server"), Some("hello-client"))
    );
    let other = signed(NIA, b'c', &header("somebody-else", "", 9), b"");
    assert_eq!(code(&right.receive(&other, Time(0))), Some(Code::Identity), "the first one stays the peer");
}

#[test]
fn a_known_peer_is_the_only_one_from_the_first_frame_on() {
    let mut known = config("hello-server");
    known.peer_id = Some("hello-client".into());
    let frame = |id: &str, sequence| signed(NIA, b'c', &header(id, "", sequence), b"");
    assert_eq!(code(&end(known.clone()).receive(&frame("hello-client", 1), Time(0))), None);
    assert_eq!(code(&end(known.clone()).receive(&frame("other", 1), Time(0))), Some(Code::Identity));
    let mut any = known.clone();
    any.options.source = SourceRule::Any;
    let mut end_of_any = end(any);
    for (sequence, id) in [(1, "other"), (2, "hello-client"), (3, "third")] {
        assert_eq!(code(&end_of_any.receive(&frame(id, sequence), Time(0))), None);
    }
    assert_eq!(end_of_any.connection.session().unwrap().peer_id.as_deref(), Some("hello-client"));
    assert_eq!(code(&end_of_any.receive(&frame("hello-server", 4), Time(0))), Some(Code::Reflection));
    let unsigned = prefixed(&encode_frame(b'c', &header("hello-client", "", 1), b"", UNSIGNED).unwrap());
    assert_eq!(code(&end(known).receive(&unsigned, Time(0))), Some(Code::Integrity));
    assert_eq!(Connection::mac_only(config(""), Time(0)).unwrap_err().code, Code::HandshakeFailed);
}

#[test]
fn a_session_id_has_at_most_256_bytes() {
    let with = |length| MacConfig { session_id: "\u{1}".repeat(length), ..config("hello-client") };
    // The longest in its longest form leaves room in the header.
    assert!(end(with(256)).message(Kind::Chat, b"").is_ok());
    assert_eq!(Connection::mac_only(with(257), Time(0)).unwrap_err().code, Code::BadHeader);
}

#[test]
fn an_unknown_peer_gives_itself_an_id() {
    for wrong in ["", "a\nb", &"x".repeat(65)] {
        let frame = signed(NIA, b'c', &header(wrong, "", 1), b"");
        assert_eq!(code(&end(config("hello-server")).receive(&frame, Time(0))), Some(Code::Identity));
        let mut any = config("hello-server");
        any.options.source = SourceRule::Any;
        let mut any = end(any);
        assert_eq!(code(&any.receive(&frame, Time(0))), None);
        assert_eq!(any.connection.session().unwrap().peer_id, None);
    }
}

#[test]
fn the_session_id_is_sent_and_not_compared() {
    let mut with_id = config("hello-client");
    with_id.session_id = "mine".into();
    let (mut left, mut right) = (end(with_id), end(config("hello-server")));
    let bytes = left.message(Kind::Chat, b"x").unwrap();
    assert!(String::from_utf8_lossy(&bytes).contains(r#""session_id":"mine""#));
    assert_eq!(right.receive(&bytes, Time(0)), message(b"x"));
}

#[test]
fn a_servers_client_is_who_its_first_frame_proves() {
    let frame = |key: &[u8], id: &str, sequence| signed(key, b'c', &header(id, "", sequence), b"x");
    for (bytes, id, capabilities) in [(NIA, "nia.min", 2), (AIL, "ail.framework", 0)] {
        let mut server = End::new(Connection::server(mac_server(), UNIX_NS, Time(0)));
        assert!(server.connection.session().is_none());
        assert_eq!(server.connection.poll_deadline(), Some(Time(10 * SECOND)));
        assert_eq!(server.receive(&frame(bytes, id, 1), Time(0)), message(b"x"));
        let session = server.connection.session().unwrap();
        assert_eq!((session.peer_id.as_deref(), session.capabilities.len()), (Some(id), capabilities));
        assert_eq!(session.session_id, "");
        assert_eq!(server.receive(&frame(bytes, id, 2), Time(0)), message(b"x"));
        let other = if id == "nia.min" { (AIL, "ail.framework") } else { (NIA, "nia.min") };
        let seen = server.receive(&frame(other.0, other.1, 3), Time(0));
        assert_eq!(code(&seen), Some(Code::Integrity), "the key stays the same");
    }
    let refused = |bytes: &[u8]| {
        let mut server = End::new(Connection::server(mac_server(), UNIX_NS, Time(0)));
        let code = code(&server.receive(bytes, Time(0)));
        assert!(server.transmit().is_empty() && server.connection.session().is_none());
        assert_eq!(server.connection.state(), State::Closed);
        (code, server.connection.is_hello_forged())
    };
    assert_eq!(refused(&frame(NIA, "ail.framework", 1)), (Some(Code::Identity), false));
    assert_eq!(refused(&frame(NIA, "nobody.here", 1)), (Some(Code::Identity), false));
    assert_eq!(refused(&frame(b"no key of this server", "nia.min", 1)), (Some(Code::Integrity), true));
    assert_eq!(refused(&frame(NIA, "nia.min", 0)), (Some(Code::Replay), false));
    let hello = signed(NIA, b'A', &header("nia.min", "", 1), br#"{"service_id":"nia.min"}"#);
    assert_eq!(refused(&hello), (Some(Code::UnsupportedType), false));
    let mut idle = Connection::server(mac_server(), UNIX_NS, Time(0));
    assert_eq!(idle.handle_timeout(Time(10 * SECOND)).unwrap_err().code, Code::Timeout);
}

#[test]
fn the_first_frame_of_a_peer_has_at_most_4096_bytes() {
    let frame = |sequence, length: usize| {
        let header = header("nia.min", "", sequence);
        signed(NIA, b'c', &header, &vec![7; length - 48 - header.len()])
    };
    let server = || End::new(Connection::server(mac_server(), UNIX_NS, Time(0)));
    for mut receiver in [server(), end(config("hello-server"))] {
        assert_eq!(code(&receiver.receive(&frame(1, 4_096), Time(0))), None);
        assert_eq!(code(&receiver.receive(&frame(2, 1 << 20), Time(0))), None);
    }
    for mut receiver in [server(), end(config("hello-server"))] {
        assert_eq!(code(&receiver.receive(&frame(1, 4_097), Time(0))), Some(Code::FrameTooLarge));
        assert_eq!(receiver.connection.state(), State::Closed);
    }
    // Also where no deframer stands before.
    for mut receiver in [server(), end(config("hello-server"))] {
        let mut bytes = frame(1, 4_097);
        let error =
            receiver.connection.handle_frame(&mut bytes[4..], &Random::system(), Time(0)).unwrap_err();
        assert_eq!(error.code, Code::FrameTooLarge);
    }
}

#[test]
fn who_has_sent_nothing_may_still_take_its_id() {
    let mut left = end(config("eipc-client"));
    left.connection.rename("hello-client").unwrap();
    assert_eq!(left.connection.session().unwrap().own_id, "hello-client");
    let mut right = end(config("hello-server"));
    let bytes = left.message(Kind::Chat, b"x").unwrap();
    assert_eq!(right.receive(&bytes, Time(0)), message(b"x"));
    assert_eq!(right.connection.session().unwrap().peer_id.as_deref(), Some("hello-client"));
    // Its own frames are known by the new id, and it keeps it from now on.
    assert_eq!(code(&left.receive(&bytes, Time(0))), Some(Code::Reflection));
    let mut left = end(config("eipc-client"));
    left.message(Kind::Chat, b"x").unwrap();
    assert_eq!(left.connection.rename("other").unwrap_err().code, Code::BadHeader);
    assert_eq!(right.connection.rename("hello-client").unwrap_err().code, Code::Reflection, "the peer's");
    assert_eq!(right.connection.rename("").unwrap_err().code, Code::HandshakeFailed);
}
