//! Hand-over of shared memory and what may travel where.

use super::*;

fn shm_pair() -> Pair {
    let (mut config, mut accepting) = (client(), server());
    shared_memory(&mut config, &mut accepting);
    open_pair(config, accepting)
}

fn hand_over(pair: &mut Pair) -> ((Sealer, Opener), (Sealer, Opener)) {
    pair.server.connection.send_segment(b"offer", Time(0)).unwrap();
    assert_eq!(pair.run(), (vec![Seen::Segment(b"offer".to_vec())], vec![]));
    pair.client.connection.send_segment(b"ready", Time(0)).unwrap();
    let client = pair.client.connection.use_segment().unwrap();
    assert_eq!(pair.run(), (vec![], vec![Seen::Segment(b"ready".to_vec())]));
    (client, pair.server.connection.use_segment().unwrap())
}

#[test]
fn a_segment_is_handed_over_in_order_and_used_on_both_sides() {
    let mut pair = shm_pair();
    let code = |result: Result<(), Error>| result.map_err(|error| error.code);
    assert_eq!(
        code(pair.client.connection.send_segment(b"ready", Time(0))),
        Err(Code::Protocol),
        "no offer yet"
    );
    assert_eq!(code(pair.server.connection.use_segment().map(drop)), Err(Code::Protocol));
    pair.server.connection.send_segment(b"offer", Time(0)).unwrap();
    assert_eq!(code(pair.server.connection.send_segment(b"offer", Time(0))), Err(Code::Protocol), "once");
    assert_eq!(code(pair.server.connection.use_segment().map(drop)), Err(Code::Protocol));
    pair.run();
    assert_eq!(code(pair.client.connection.use_segment().map(drop)), Err(Code::Protocol), "ready not sent");
    pair.client.connection.send_segment(b"ready", Time(0)).unwrap();
    pair.run();
    let mut client = pair.client.connection.use_segment().unwrap();
    assert_eq!(code(pair.client.connection.use_segment().map(drop)), Err(Code::Protocol), "once");
    assert_eq!(code(pair.client.connection.send_segment(b"ready", Time(0))), Err(Code::Protocol));
    let mut server = pair.server.connection.use_segment().unwrap();

    for (lane, priority) in Priority::ALL.into_iter().enumerate() {
        for counter in 1..4 {
            let (meta_len, mut frame) = record(&meta(priority), b"payload", 32);
            client.0.seal(Kind::Intent, priority, MetaKind::Binary, meta_len, &mut frame, Time(0)).unwrap();
            let envelope = server.1.receive(&mut frame).unwrap();
            assert_eq!(envelope.sequence(), (lane as u64) << 62 | counter);
            assert_eq!((envelope.lane(), envelope.payload()), (priority, &b"payload"[..]));
            assert_eq!((client.0.counter(priority), server.1.last(priority)), (counter, counter));
        }
    }
}

#[test]
fn control_frames_have_no_place_in_shared_memory() {
    let mut pair = shm_pair();
    let ((mut sealer, _), _) = hand_over(&mut pair);
    for kind in [Kind::Close, Kind::Alert, Kind::Segment, Kind::AuthResponse] {
        let mut frame = [&[0; 40][..], b"{}", &[0; 32]].concat();
        let error = sealer.seal(kind, Priority::P1, MetaKind::Json, 2, &mut frame, Time(0)).unwrap_err();
        assert_eq!(error.code, Code::UnsupportedType);
    }
}

#[test]
fn messages_never_travel_on_the_stream_of_a_session_that_shares_memory() {
    let mut pair = shm_pair();
    assert_eq!(pair.client.message(Kind::Chat, b"x").unwrap_err().code, Code::Protocol);
    hand_over(&mut pair);
    assert_eq!(pair.client.message(Kind::Chat, b"x").unwrap_err().code, Code::Protocol);
    assert_eq!(pair.server.message(Kind::Chat, b"x").unwrap_err().code, Code::Protocol);

    // The attacker is a key holder whose client does it anyway.
    let (mut config, mut accepting) = (client(), server());
    shared_memory(&mut config, &mut accepting);
    let mut sealer = rogue(&mut pair, config, accepting);
    let (meta_len, mut frame) = record(&meta(Priority::P1), b"x", 32);
    sealer.seal(Kind::Chat, Priority::P1, MetaKind::Binary, meta_len, &mut frame, Time(0)).unwrap();
    assert_eq!(code(&pair.server.receive(&prefixed(&frame), pair.now)), Some(Code::Protocol));
}

#[test]
fn an_answer_without_an_offer_ends_the_session() {
    // The attacker is a key holder whose client skips a step.
    let mut pair = shm_pair();
    let (mut config, mut accepting) = (client(), server());
    shared_memory(&mut config, &mut accepting);
    let mut sealer = rogue(&mut pair, config, accepting);
    let bytes = control(&mut sealer, Kind::Segment, b"ready");
    assert_eq!(code(&pair.server.receive(&bytes, pair.now)), Some(Code::Protocol));
}

#[test]
fn an_offer_in_a_session_without_shared_memory_ends_it() {
    // The attacker is a server that holds the key and offers what was not agreed on.
    let random = Random::system();
    let mut end = End::new(Connection::client(client(), &random, Time(0)).unwrap());
    let mut hello = end.transmit();
    let start = ServerStart::new(Arc::new(server()));
    let (answer, attacker) = start.receive(&mut hello[4..], &random, Time(0)).unwrap();
    end.receive(&prefixed(&answer), Time(0));
    let mut finish = end.transmit();
    let (accept, attacker) = attacker.receive(&mut finish[4..], Time(0)).unwrap();
    assert_eq!(end.receive(&prefixed(&accept), Time(0)), [Seen::Established]);
    let mut planes = attacker.planes;
    assert!(planes.segment.is_none(), "there are no keys for what was not agreed on");
    let offer = control(&mut planes.sealer, Kind::Segment, b"offer");
    assert_eq!(code(&end.receive(&offer, Time(0))), Some(Code::Protocol));
}

#[test]
fn a_side_that_closes_takes_no_segment_into_use() {
    // Both ends have agreed on the segment; then one closes, and the other's answer crosses its X.
    let mut pair = shm_pair();
    pair.server.connection.send_segment(b"offer", Time(0)).unwrap();
    pair.run();
    pair.client.connection.send_segment(b"ready", Time(0)).unwrap();
    let answer = pair.client.transmit();
    pair.server.connection.close(CloseReason::Normal, None, Time(0)).unwrap();
    assert_eq!(pair.server.receive(&answer, Time(0)), [Seen::Progress], "of no use any more");
    assert_eq!(pair.server.connection.use_segment().map(drop).unwrap_err().code, Code::Closed);
    let close = pair.server.transmit();
    assert!(matches!(pair.client.receive(&close, Time(0))[..], [Seen::Close(_)]));
    assert_eq!(pair.client.connection.use_segment().map(drop).unwrap_err().code, Code::Closed);
}

#[test]
fn a_hand_over_that_is_too_large_is_not_sent_and_may_be_tried_again() {
    let (mut config, mut accepting) = (client(), server());
    shared_memory(&mut config, &mut accepting);
    accepting.max_frame = 4_096;
    let mut pair = open_pair(config, accepting);
    let error = pair.server.connection.send_segment(&[0; 4_096], Time(0)).unwrap_err();
    assert_eq!((error.code, pair.server.connection.has_transmit()), (Code::MessageTooLarge, false));
    pair.server.connection.send_segment(b"offer", Time(0)).unwrap();
    assert_eq!(pair.run(), (vec![Seen::Segment(b"offer".to_vec())], vec![]));
}

#[test]
fn a_close_counts_the_lanes_once_the_segment_is_in_use() {
    let mut pair = shm_pair();
    let ((mut sealer, _), _) = hand_over(&mut pair);
    let (meta_len, mut frame) = record(&meta(Priority::P3), b"x", 32);
    sealer.seal(Kind::Chat, Priority::P3, MetaKind::Binary, meta_len, &mut frame, Time(0)).unwrap();
    let now = pair.now;
    let close =
        |end: &mut End, lanes| end.connection.close(CloseReason::Normal, lanes, now).map_err(|e| e.code);
    assert_eq!(close(&mut pair.client, None), Err(Code::Internal), "the peer would drain to nothing");
    assert_eq!(close(&mut pair.client, Some(Priority::ALL.map(|lane| sealer.counter(lane)))), Ok(()));
    let (_, seen) = pair.run();
    let expected = CloseFrame { reason: CloseReason::Normal, stream_last: 1, lanes: Some([0, 0, 0, 1]) };
    assert_eq!(seen, [Seen::Close(expected)]);
    pair.server.connection.finish_close(Some([0; 4]), now).unwrap();
    let (seen, _) = pair.run();
    assert!(matches!(seen[..], [Seen::Close(CloseFrame { lanes: Some([0, 0, 0, 0]), .. })]));
    assert_eq!(
        open_pair(client(), server())
            .client
            .connection
            .close(CloseReason::Normal, Some([0; 4]), now)
            .map_err(|e| e.code),
        Err(Code::Internal)
    );
}

#[test]
fn an_expiring_session_with_a_segment_asks_its_owner_to_close() {
    let (mut config, mut accepting) = (client(), server());
    shared_memory(&mut config, &mut accepting);
    accepting.ttl_ms = 1_000;
    let mut pair = open_pair(config, accepting);
    hand_over(&mut pair);
    assert!(!pair.client.connection.is_expiring() && !pair.server.connection.is_expiring());
    assert_eq!(pair.pass_deadline(), (Ok(()), Ok(())));
    assert!(pair.client.connection.is_expiring() && pair.server.connection.is_expiring());
    assert_eq!(pair.client.connection.state(), State::Open);
    pair.client.connection.close(CloseReason::Time, Some([0; 4]), pair.now).unwrap();
    assert!(!pair.client.connection.is_expiring());
    // The server's owner does nothing but ask again: a second later the session is over all the same.
    assert_eq!(pair.server.connection.handle_timeout(Time(2 * SECOND - 1)), Ok(()));
    assert_eq!(pair.server.connection.poll_deadline(), Some(Time(2 * SECOND)));
    assert_eq!(pair.server.connection.handle_timeout(Time(2 * SECOND)).unwrap_err().code, Code::Expired);
}

#[test]
fn hand_over_needs_its_feature_on_both_sides() {
    let mut pair = open_pair(client(), server());
    assert_eq!(pair.server.connection.send_segment(b"offer", Time(0)).unwrap_err().code, Code::Protocol);
    assert_eq!(pair.server.connection.use_segment().unwrap_err().code, Code::Protocol);
    let mut config = client();
    config.features = config.features.union(Features::SHARED_MEMORY);
    let pair = open_pair(config, server());
    assert!(!pair.client.connection.session().unwrap().features.contains(Features::SHARED_MEMORY));
}
