//! Authenticated close, alerts, and the timers of an open session.

use super::*;

fn ends(pair: &mut Pair, closer_is_client: bool) -> (&mut End, &mut End) {
    if closer_is_client { (&mut pair.client, &mut pair.server) } else { (&mut pair.server, &mut pair.client) }
}

#[test]
fn either_side_closes_first_and_what_is_under_way_is_delivered() {
    for closer_is_client in [true, false] {
        let mut pair = open_pair(client(), server());
        let now = pair.now;
        let (closer, other) = ends(&mut pair, closer_is_client);
        let mut to_other = closer.message(Kind::Chat, b"last").unwrap();
        let to_closer = other.message(Kind::Chat, b"crossing").unwrap();
        closer.connection.close(CloseReason::Shutdown, None, now).unwrap();
        closer.connection.close(CloseReason::Revoked, None, now).unwrap();
        assert_eq!(closer.connection.state(), State::Closing);
        assert_eq!(closer.message(Kind::Chat, b"x").unwrap_err().code, Code::Closed);
        to_other.extend(closer.transmit());

        let own = if closer_is_client { 1 } else { 2 }; // SessionAccept counts too.
        let close = CloseFrame { reason: CloseReason::Shutdown, stream_last: own, lanes: None };
        let expected = [Seen::Message(Kind::Chat, b"last".to_vec()), Seen::Close(close)];
        assert_eq!(other.receive(&to_other, now), expected);
        assert_eq!(other.connection.state(), State::Closing);
        assert_eq!(other.message(Kind::Chat, b"x").unwrap_err().code, Code::Closed);
        other.connection.finish_close(None, now).unwrap();
        assert_eq!(other.connection.state(), State::Closed);

        let mut back = to_closer;
        back.extend(other.transmit());
        let seen = closer.receive(&back, now);
        assert_eq!(seen[0], Seen::Message(Kind::Chat, b"crossing".to_vec()));
        assert!(matches!(seen[1], Seen::Close(CloseFrame { reason: CloseReason::Normal, .. })));
        assert_eq!(closer.connection.handle_end(now), Ok(()));
        closer.connection.finish_close(None, now).unwrap();
        assert_eq!(closer.connection.state(), State::Closed);
        assert!(closer.transmit().is_empty(), "X is sent once");
        assert_eq!(closer.connection.poll_deadline(), None);
    }
}

#[test]
fn both_may_close_at_once() {
    let mut pair = open_pair(client(), server());
    pair.client.connection.close(CloseReason::Normal, None, pair.now).unwrap();
    pair.server.connection.close(CloseReason::Revoked, None, pair.now).unwrap();
    let (seen_client, seen_server) = pair.run();
    assert!(matches!(seen_client[..], [Seen::Close(CloseFrame { reason: CloseReason::Revoked, .. })]));
    assert!(matches!(seen_server[..], [Seen::Close(CloseFrame { reason: CloseReason::Normal, .. })]));
    for end in [&mut pair.client, &mut pair.server] {
        end.connection.finish_close(None, pair.now).unwrap();
        assert_eq!(end.connection.state(), State::Closed);
    }
    assert_eq!(pair.run(), (vec![], vec![]));
}

#[test]
fn nothing_may_follow_a_close_frame() {
    // The attacker is a key holder whose client goes on after X.
    let mut pair = open_pair(client(), server());
    let mut sealer = rogue(&mut pair, client(), server());
    let mut bytes = control(&mut sealer, Kind::Close, &[0; 16]);
    bytes.extend(control(&mut sealer, Kind::Close, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]));
    let seen = pair.server.receive(&bytes, pair.now);
    assert!(matches!(seen[0], Seen::Close(_)));
    assert_eq!(code(&seen), Some(Code::Protocol));
    assert!(pair.server.transmit().is_empty(), "the peer has ended: no alert");
}

#[test]
fn control_frames_of_a_wrong_form_end_the_session() {
    // The attacker is a key holder with a client of its own.
    let close = |bytes: [u8; 8], last: u64| [&bytes[..], &last.to_be_bytes()].concat();
    let cases: [(Kind, Vec<u8>, Code); 12] = [
        (Kind::Close, close([0; 8], 1), Code::Sequence),
        (Kind::Close, close([0; 8], u64::MAX), Code::BadPayload),
        (Kind::Close, close([4, 0, 0, 0, 0, 0, 0, 0], 0), Code::BadPayload),
        (Kind::Close, close([0, 0, 0, 1, 0, 0, 0, 0], 0), Code::BadPayload),
        (Kind::Close, vec![], Code::BadPayload),
        (Kind::Close, [&close([0, 4, 0, 0, 0, 0, 0, 0], 0)[..], &[0; 32]].concat(), Code::BadPayload),
        (Kind::Segment, vec![2, 0, 0, 1, 0, 0, 0, 0], Code::Protocol),
        (Kind::Alert, vec![1, 0, 0, 0], Code::HandshakeFailed),
        (Kind::Alert, vec![2, 0, 0, 0], Code::ClosedByPeer),
        (Kind::Alert, vec![3, 0, 0, 0], Code::BadPayload),
        (Kind::Alert, vec![1, 0, 0, 1], Code::BadPayload),
        (Kind::Alert, vec![], Code::BadPayload),
    ];
    for (kind, payload, expected) in cases {
        let mut pair = open_pair(client(), server());
        let mut sealer = rogue(&mut pair, client(), server());
        let bytes = control(&mut sealer, kind, &payload);
        assert_eq!(code(&pair.server.receive(&bytes, pair.now)), Some(expected), "{kind:?} {payload:?}");
        let answered = !pair.server.transmit().is_empty();
        assert_eq!(answered, !matches!(expected, Code::HandshakeFailed | Code::ClosedByPeer), "{payload:?}");
    }
}

#[test]
fn an_unanswered_close_ends_after_two_seconds() {
    let mut pair = open_pair(client(), server());
    pair.client.connection.close(CloseReason::Normal, None, pair.now).unwrap();
    pair.client.transmit();
    assert_eq!(pair.client.connection.poll_deadline(), Some(Time(2 * SECOND)));
    assert_eq!(pair.client.connection.handle_timeout(Time(2 * SECOND - 1)), Ok(()));
    assert_eq!(pair.client.connection.state(), State::Closing);
    assert_eq!(pair.client.connection.handle_timeout(Time(2 * SECOND)), Ok(()));
    assert_eq!(pair.client.connection.state(), State::Closed);
}

#[test]
fn an_owner_that_cannot_drain_in_a_second_reports_truncation() {
    let mut pair = open_pair(client(), server());
    pair.client.connection.close(CloseReason::Normal, None, pair.now).unwrap();
    pair.run();
    assert_eq!(pair.server.connection.state(), State::Closing);
    assert_eq!(pair.server.connection.poll_deadline(), Some(Time(SECOND)));
    assert_eq!(pair.server.connection.handle_timeout(Time(SECOND)).unwrap_err().code, Code::Truncation);
    assert_eq!(pair.server.connection.state(), State::Closed);
    assert!(pair.server.transmit().is_empty());
}

#[test]
fn a_session_closes_at_the_end_of_its_life() {
    let mut config = server();
    config.ttl_ms = 1_500;
    let mut pair = open_pair(client(), config);
    assert_eq!(pair.client.connection.poll_deadline(), Some(Time(1_500_000_000)));
    assert_eq!(pair.pass_deadline(), (Ok(()), Ok(())));
    assert!(!pair.client.connection.is_expiring());
    let (seen_client, seen_server) = pair.run();
    for seen in [seen_client, seen_server] {
        assert!(matches!(seen[..], [Seen::Close(CloseFrame { reason: CloseReason::Time, .. })]));
    }
    let heartbeat = Some(Time(HOUR));
    assert_eq!(open_pair(client(), server()).client.connection.poll_deadline(), heartbeat, "0 is for ever");
}

#[test]
fn finishing_needs_the_peers_close() {
    let mut pair = open_pair(client(), server());
    assert_eq!(pair.client.connection.finish_close(None, pair.now).unwrap_err().code, Code::Protocol);
    assert_eq!(pair.client.connection.state(), State::Open);
}

#[test]
fn an_abort_tells_the_peer_once_and_returns_the_reason() {
    let mut pair = open_pair(client(), server());
    let error = pair.client.connection.abort(Error::new(Code::Poisoned, "a refused index"), pair.now);
    assert_eq!(error.code, Code::Poisoned);
    let (seen_client, seen_server) = pair.run();
    assert_eq!((code(&seen_client), code(&seen_server)), (None, Some(Code::ClosedByPeer)));
}
