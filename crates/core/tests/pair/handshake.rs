//! The handshake: what is agreed on, and every way it must fail.

use super::*;
use eipc_core::session::AdmissionLimits;
use eipc_testkit::changes;

#[test]
fn a_handshake_ends_with_the_same_session_at_both_ends() {
    let mut config = server();
    config.ttl_ms = 5_000;
    config.max_frame = 8_192;
    let pair = open_pair(client(), config);
    let (client, server) =
        (pair.client.connection.session().unwrap(), pair.server.connection.session().unwrap());
    assert_eq!(client.service_id, "nia.min");
    assert_eq!(client.server_id, "eai");
    assert_eq!(client.capabilities, ["ui:control", "device:read"]);
    assert_eq!((client.ttl_ms, client.max_frame, client.suite), (5_000, 8_192, Suite::HmacSha256));
    assert_ne!(client.session_id, 0);
    let mut same = client.clone();
    same.role = server.role;
    assert_eq!(&same, server);
    let export = |end: &End| {
        let mut out = [0; 32];
        end.connection.export(b"label", &mut out).unwrap();
        out
    };
    assert_eq!(export(&pair.client), export(&pair.server));
    let endless = pair.client.connection.export(b"label", &mut [0; 255 * 32 + 1]);
    assert_eq!(endless.unwrap_err().code, Code::Internal, "HKDF ends there");
}

#[test]
fn features_are_those_both_know_and_grant() {
    let mut config = client();
    config.features = Features(0xffff_fff0).union(Features::TENSOR);
    let mut granting = server();
    granting.features = Features(0xffff_ffff);
    let pair = open_pair(config, granting);
    assert_eq!(pair.server.connection.session().unwrap().features, Features(3), "unknown bits are ignored");
}

#[test]
fn every_handshake_has_fresh_keys_and_ids() {
    let config = Arc::new(server());
    let mut hellos = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..3 {
        let mut pair = Pair::new(client(), Arc::clone(&config));
        let hello = pair.client.transmit();
        assert_eq!(pair.server.receive(&hello, Time(0)), [Seen::Progress]);
        pair.run();
        hellos.push(hello);
        ids.push(pair.client.connection.session().unwrap().session_id);
    }
    assert!(hellos[0] != hellos[1] && hellos[1] != hellos[2]);
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
}

#[test]
fn a_wrong_key_id_or_service_gets_the_same_bytes() {
    // The attacker knocks with a guessed key, an unknown service, and another service's key.
    let knock = |config: ClientConfig| {
        let mut pair = pair_of(config, server());
        let hello = pair.client.transmit();
        let seen = pair.server.receive(&hello, pair.now);
        assert_eq!(code(&seen), Some(Code::HandshakeFailed));
        assert!(pair.server.connection.is_hello_forged());
        let answer = pair.server.transmit();
        assert_eq!(code(&pair.client.receive(&answer, pair.now)), Some(Code::HandshakeFailed));
        assert!(pair.client.transmit().is_empty(), "an alert is never answered");
        answer
    };
    let wrong_key = knock(ClientConfig::new(key(0x99), "nia.min"));
    let unknown_service = knock(ClientConfig::new(key(0x81), "nobody"));
    let other_service = knock(ClientConfig::new(key(0x82), "nia.min"));
    assert_eq!(wrong_key, prefixed(b"EIPC\x00\x02E\x00\x00\x00\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00"));
    assert_eq!(wrong_key, unknown_service);
    assert_eq!(wrong_key, other_service);
}

#[test]
fn a_tag_under_the_dummy_key_opens_nothing() {
    // The attacker knows this source code, and with it the key that stands in for unknown ones.
    let psk = Arc::new(Psk::new(&[0xff; 32]).unwrap());
    assert_eq!(failed(ClientConfig::new(psk, "nia.min"), server()).1, Some(Code::HandshakeFailed));
}

/// Goes `step` frames into a handshake; returns the frame that comes next and the end that awaits it.
fn awaiting(step: usize, config: ClientConfig, accepting: ServerConfig) -> (Vec<u8>, End) {
    let mut pair = pair_of(config, accepting);
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
    let mut attack = |awaiting: &dyn Fn() -> (Vec<u8>, End)| {
        let (frame, mut end) = awaiting();
        assert!(end.connection.handle_frame(&mut frame.clone(), &Random::system(), Time(0)).is_ok());
        for change in changes(frame.len()) {
            let (mut bytes, mut end) = awaiting();
            change(&mut bytes);
            let accepted = end.connection.handle_frame(&mut bytes, &Random::system(), Time(0)).is_ok();
            assert!(!accepted, "{bytes:02x?}");
            assert_eq!(end.connection.state(), State::Closed);
            assert!(end.connection.session().is_none() && end.connection.record_limits().is_none());
            tried += 1;
        }
    };
    for step in 0..3 {
        attack(&|| awaiting(step, client(), server()));
    }
    // SessionAccept is the first frame under the suite; how its keys were agreed on makes no difference to it.
    for suite in [Suite::HmacSha256, Suite::ChaCha20Poly1305, Suite::Aes256Gcm] {
        attack(&|| {
            let (mut config, mut accepting) = (client(), server());
            config.psk_only = true;
            accepting.allow_psk_only = true;
            accepting.suites = vec![suite];
            awaiting(3, config, accepting)
        });
    }
    assert!(tried > 8_000, "{tried}");
}

#[test]
fn a_replayed_hello_is_refused() {
    // The attacker records a hello and plays it to the same server.
    let config = Arc::new(server());
    let mut pair = Pair::new(client(), Arc::clone(&config));
    let hello = pair.client.transmit();
    assert_eq!(pair.server.receive(&hello, Time(0)), [Seen::Progress]);
    let mut second = End::new(Connection::server(config, Time(0)));
    assert_eq!(code(&second.receive(&hello, Time(0))), Some(Code::HandshakeFailed));
    assert!(!second.connection.is_hello_forged());
}

#[test]
fn a_replayed_server_hello_or_finish_of_another_session_is_refused() {
    // The attacker has recorded a whole handshake.
    let config = Arc::new(server());
    let mut first = Pair::new(client(), Arc::clone(&config));
    let hello = first.client.transmit();
    first.server.receive(&hello, Time(0));
    let server_hello = first.server.transmit();
    first.client.receive(&server_hello, Time(0));
    let finish = first.client.transmit();

    let mut second = Pair::new(client(), config);
    let hello = second.client.transmit();
    assert_eq!(code(&second.client.receive(&server_hello, Time(0))), Some(Code::HandshakeFailed));
    second.server.receive(&hello, Time(0));
    assert_eq!(code(&second.server.receive(&finish, Time(0))), Some(Code::HandshakeFailed));
}

#[test]
fn half_open_handshakes_of_one_key_are_capped_and_given_back() {
    let mut config = server();
    config.admission = AdmissionLimits { half_open: 2, ..AdmissionLimits::default() };
    let config = Arc::new(config);
    let hello = || End::new(Connection::client(client(), &Random::system(), Time(0)).unwrap()).transmit();
    let open = || End::new(Connection::server(Arc::clone(&config), Time(0)));
    let (mut first, mut second, mut third) = (open(), open(), open());
    assert_eq!(first.receive(&hello(), Time(0)), [Seen::Progress]);
    assert_eq!(second.receive(&hello(), Time(0)), [Seen::Progress]);
    assert_eq!(code(&third.receive(&hello(), Time(0))), Some(Code::HandshakeFailed));
    drop(first);
    assert_eq!(open().receive(&hello(), Time(0)), [Seen::Progress]);
    // Giving up by time gives the place back as well.
    assert_eq!(second.connection.handle_timeout(Time(10 * SECOND)).unwrap_err().code, Code::Timeout);
    assert_eq!(open().receive(&hello(), Time(0)), [Seen::Progress]);
}

#[test]
fn a_client_without_x25519_needs_the_servers_consent() {
    let mut config = client();
    config.psk_only = true;
    assert_eq!(failed(config.clone(), server()).1, Some(Code::HandshakeFailed));
    let mut consenting = server();
    consenting.allow_psk_only = true;
    open_pair(config, consenting);
}

#[test]
fn a_psk_only_hello_with_a_public_key_is_refused() {
    // The attacker holds a key and fills a reserved field.
    let mut config = client();
    config.psk_only = true;
    let psk_bytes = [0x81; 32];
    let (mut hello, _) = ClientStart::new(config).unwrap().hello(&Random::system()).unwrap();
    let length = hello.len();
    hello[16 + 48] = 1;
    let tag = hello_tag(&psk_bytes, &hello[..length - 32]);
    hello[length - 32..].copy_from_slice(&tag);
    let mut consenting = server();
    consenting.allow_psk_only = true;
    let mut end = End::new(Connection::server(Arc::new(consenting), Time(0)));
    let seen = end.receive(&prefixed(&hello), Time(0));
    assert!(
        matches!(&seen[..], [Seen::Failed(Error { context, .. })] if context == "a public key without key exchange")
    );
}

fn hello_tag(psk: &[u8], message: &[u8]) -> [u8; 32] {
    use eipc_core::crypto::{kdf, mac::MacKey};
    let mut key = [0; 32];
    kdf::expand_into(&kdf::extract(b"EIPC/2 psk", psk).unwrap(), &[b"EIPC/2 ch mac"], &mut key).unwrap();
    MacKey::new(&key).sign(message)
}

#[test]
fn different_channel_bindings_are_refused() {
    // The attacker terminates TLS in the middle.
    for (at_client, at_server) in [(1, 2), (0, 1), (1, 0)] {
        let (mut config, mut accepting) = (client(), server());
        config.channel_binding = [at_client; 32];
        accepting.channel_binding = [at_server; 32];
        assert_eq!(failed(config, accepting).1, Some(Code::HandshakeFailed));
    }
    let (mut config, mut accepting) = (client(), server());
    config.channel_binding = [7; 32];
    accepting.channel_binding = [7; 32];
    open_pair(config, accepting);
}

#[test]
fn a_server_with_another_id_is_refused_and_learns_it_by_a_sealed_alert() {
    let mut config = client();
    config.server_id = Some("someone-else".into());
    let codes = failed(config, server());
    assert_eq!(codes, (Some(Code::Identity), Some(Code::HandshakeFailed)));
    let mut config = client();
    config.server_id = Some("eai".into());
    open_pair(config, server());
}

#[test]
fn nobody_talks_to_itself() {
    // Two instances with each other's keys must not be joined to themselves.
    let codes = failed(ClientConfig::new(key(0x83), "eai"), server());
    assert_eq!(codes.1, Some(Code::Reflection));
}

#[test]
fn before_authentication_frames_are_limited_to_4096_bytes() {
    let mut pair = pair_of(client(), server());
    assert_eq!(pair.server.connection.frame_limit(), 4_096);
    assert_eq!(pair.client.connection.frame_limit(), 4_096);
    assert_eq!(code(&pair.server.receive(&[0, 0, 0x10, 1], Time(0))), Some(Code::FrameTooLarge));
    let alert = pair.server.transmit();
    assert_eq!(alert.len(), 24);

    let mut accepting = server();
    accepting.max_frame = 10_000;
    let mut pair = pair_of(client(), accepting);
    let hello = pair.client.transmit();
    pair.server.receive(&hello, Time(0));
    assert_eq!(pair.server.connection.frame_limit(), 4_096, "the client has proved nothing yet");
    let server_hello = pair.server.transmit();
    pair.client.receive(&server_hello, Time(0));
    assert_eq!(pair.client.connection.frame_limit(), 1_048_576);
    pair.run();
    assert_eq!(pair.client.connection.frame_limit(), 10_000);
    assert_eq!(pair.server.connection.frame_limit(), 10_000);
}

#[test]
fn max_frame_is_taken_to_its_bounds_and_binds_both_directions() {
    for (asked, granted) in [(0, 4_096), (4_096, 4_096), (usize::MAX, 1_048_576)] {
        let mut config = server();
        config.max_frame = asked;
        let mut pair = open_pair(client(), config);
        for end in [&mut pair.client, &mut pair.server] {
            assert_eq!(end.connection.record_limits(), Some((32, granted)));
            let fits = granted - 40 - 24 - 32;
            assert_eq!(end.message(Kind::Chat, &vec![0; fits + 1]).unwrap_err().code, Code::MessageTooLarge);
            end.message(Kind::Chat, &vec![0; fits]).unwrap();
        }
    }
}

#[test]
fn data_before_the_finish_is_refused() {
    // The attacker, or an impatient client, sends a message before it has proved anything.
    for spoken in [0, 1] {
        let mut pair = pair_of(client(), server());
        let hello = pair.client.transmit();
        if spoken == 1 {
            pair.server.receive(&hello, Time(0));
            pair.server.transmit();
        }
        let frame = prefixed(&forged_message(0x0102_0304));
        assert_eq!(code(&pair.server.receive(&frame, Time(0))), Some(Code::Protocol));
        assert_eq!(pair.server.transmit().len(), 24);
    }
}

#[test]
fn a_finish_with_anything_in_it_is_refused() {
    // The attacker inserts bytes that the finish's tag does not cover: only the lengths give them away.
    for (header_len, payload_len) in [(0_u32, 4_u32), (4, 0), (0, 0)] {
        let mut pair = pair_of(client(), server());
        let hello = pair.client.transmit();
        pair.server.receive(&hello, Time(0));
        let answer = pair.server.transmit();
        pair.client.receive(&answer, Time(0));
        let mut finish = pair.client.transmit().split_off(4);
        finish[8..12].copy_from_slice(&header_len.to_be_bytes());
        finish[12..16].copy_from_slice(&payload_len.to_be_bytes());
        for _ in 0..header_len + payload_len {
            finish.insert(16, 0);
        }
        let expected = (header_len + payload_len > 0).then_some(Code::HandshakeFailed);
        assert_eq!(code(&pair.server.receive(&prefixed(&finish), Time(0))), expected);
    }
}

#[test]
fn a_message_before_session_accept_is_refused() {
    // The attacker drops SessionAccept; the next frame of the server must not pass for it.
    let mut pair = pair_of(client(), server());
    let hello = pair.client.transmit();
    pair.server.receive(&hello, Time(0));
    let answer = pair.server.transmit();
    pair.client.receive(&answer, Time(0));
    let finish = pair.client.transmit();
    pair.server.receive(&finish, Time(0));
    pair.server.transmit();
    let message = pair.server.message(Kind::Chat, b"{}").unwrap();
    assert_eq!(code(&pair.client.receive(&message, Time(0))), Some(Code::Sequence));
}

#[test]
fn the_handshake_has_ten_seconds_at_both_ends() {
    let mut pair = pair_of(client(), server());
    let hello = pair.client.transmit();
    assert_eq!(pair.client.connection.poll_deadline(), Some(Time(10 * SECOND)));
    assert_eq!(pair.server.connection.poll_deadline(), Some(Time(10 * SECOND)));
    assert_eq!(pair.client.connection.handle_timeout(Time(10 * SECOND - 1)), Ok(()));
    assert_eq!(pair.client.connection.handle_timeout(Time(10 * SECOND)).unwrap_err().code, Code::Timeout);
    assert_eq!(pair.client.connection.state(), State::Closed);
    // A frame that comes too late changes nothing, even if the owner's timer has not fired yet.
    assert_eq!(code(&pair.server.receive(&hello, Time(10 * SECOND))), Some(Code::Timeout));

    let mut quick = client();
    quick.handshake_timeout = core::time::Duration::from_millis(5);
    let connection = Connection::client(quick, &Random::system(), Time(7)).unwrap();
    assert_eq!(connection.poll_deadline(), Some(Time(5_000_007)));
}

#[test]
fn an_alert_or_an_end_during_the_handshake_is_the_loss_of_the_connection() {
    let mut pair = pair_of(client(), server());
    pair.client.transmit();
    assert_eq!(pair.client.connection.handle_end(Time(0)).unwrap_err().code, Code::Transport);
    assert_eq!(pair.server.connection.handle_end(Time(0)).unwrap_err().code, Code::Transport);
    assert_eq!(pair.server.connection.handle_end(Time(0)), Ok(()), "told once");
}

#[test]
fn a_version_1_peer_is_named_as_such() {
    let mut end = End::new(Connection::server(Arc::new(server()), Time(0)));
    let frame = b"EIPC\0\x01A\x01\0\0\0\0\0\0\0\0xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    assert_eq!(code(&end.receive(&prefixed(frame), Time(0))), Some(Code::BadVersion));
}

#[test]
fn closing_during_the_handshake_gives_up() {
    let mut pair = pair_of(client(), server());
    pair.client.transmit();
    pair.client.connection.close(CloseReason::Normal, None, Time(0)).unwrap();
    assert_eq!(pair.client.connection.state(), State::Closed);
    let alert = pair.client.transmit();
    assert_eq!(code(&pair.server.receive(&alert, Time(0))), Some(Code::HandshakeFailed));
}

#[test]
fn a_session_accept_that_is_too_large_is_not_sent_at_all() {
    // A server whose owner grants more than fits into its own max_frame.
    let granted = |count| {
        let mut keys = KeyTable::new();
        keys.insert("nia.min", key(0x81), &vec!["c".repeat(250); count]).unwrap();
        let mut config = ServerConfig::new("eai", Box::new(keys));
        config.max_frame = 4_096;
        let mut pair = pair_of(client(), config);
        let seen = pair.run().1;
        (code(&seen), pair.server.connection.state(), pair.client.connection.state())
    };
    assert_eq!(granted(15), (None, State::Open, State::Open));
    assert_eq!(granted(16), (Some(Code::MessageTooLarge), State::Closed, State::Closed));
}

#[test]
fn a_server_without_randomness_answers_nothing() {
    for (psk_only, needed) in [(false, 72), (true, 40)] {
        let mut config = client();
        config.psk_only = psk_only;
        // One byte less than is needed; and nothing at all is left for the nonce, but enough for the id.
        for drawn in [0, 8, 31, 32, needed - 1, needed] {
            let mut accepting = server();
            accepting.allow_psk_only = true;
            let hello = End::new(Connection::client(config.clone(), &Random::system(), Time(0)).unwrap())
                .transmit()
                .split_off(4);
            let mut connection = Connection::server(Arc::new(accepting), Time(0));
            let random = Random::fixed(&vec![7; drawn]);
            let answered = connection.handle_frame(&mut hello.clone(), &random, Time(0)).map(drop);
            let expected = if drawn == needed { Ok(()) } else { Err(Code::Internal) };
            assert_eq!(answered.map_err(|error| error.code), expected, "{psk_only} {drawn}");
        }
    }
}
