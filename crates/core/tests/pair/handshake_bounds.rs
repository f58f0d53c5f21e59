//! What bounds a handshake: sizes, order, time, and what is not spoken.

use super::*;

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
