//! Epochs of a connection: the heartbeat of a silent stream, the end of the last epoch, and a session
//! that shares memory.

use super::*;
use core::time::Duration;

const FOREVER: Duration = Duration::from_secs(u64::MAX);

fn chat(end: &mut End, now: Time) -> Vec<u8> {
    end.message_at(Kind::Chat, b"x", now).unwrap()
}

/// The epoch of a frame behind its length prefix.
fn epoch_of(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[36], bytes[37]])
}

#[test]
fn a_silent_stream_sends_a_heartbeat_every_hour_in_both_directions() {
    for suite in [Suite::HmacSha256, Suite::ChaCha20Poly1305, Suite::Aes256Gcm] {
        let mut accepting = server();
        accepting.suites = vec![suite];
        let mut pair = open_pair(client(), accepting);
        for hour in 1..4_u16 {
            assert_eq!(pair.client.connection.poll_deadline(), Some(Time(u64::from(hour) * HOUR)));
            assert_eq!(pair.client.connection.handle_timeout(Time(u64::from(hour) * HOUR - 1)), Ok(()));
            assert!(!pair.client.connection.has_transmit());
            assert_eq!(pair.pass_deadline(), (Ok(()), Ok(())));
            for from_client in [true, false] {
                let (from, to) = if from_client {
                    (&mut pair.client, &mut pair.server)
                } else {
                    (&mut pair.server, &mut pair.client)
                };
                let bytes = from.transmit();
                assert_eq!(epoch_of(&bytes), hour);
                assert_eq!(to.receive(&bytes, pair.now), [Seen::Message(Kind::Heartbeat, Vec::new())]);
                assert_eq!(from.connection.handle_timeout(pair.now), Ok(()));
                assert!(from.transmit().is_empty(), "once");
            }
        }
    }
}

#[test]
fn a_stream_that_sends_needs_no_heartbeat() {
    let mut pair = open_pair(client(), server());
    let before = chat(&mut pair.client, Time(HOUR - 1));
    let after = chat(&mut pair.client, Time(HOUR));
    assert_eq!((epoch_of(&before), epoch_of(&after)), (0, 1));
    assert_eq!(pair.client.connection.poll_deadline(), Some(Time(2 * HOUR)));
    assert_eq!(pair.client.connection.handle_timeout(Time(HOUR)), Ok(()));
    assert!(pair.client.transmit().is_empty());
    let seen = pair.server.receive(&[before, after].concat(), Time(HOUR));
    assert_eq!(seen, vec![Seen::Message(Kind::Chat, b"x".to_vec()); 2]);
}

#[test]
fn a_side_that_closes_sends_no_heartbeat() {
    let mut pair = open_pair(client(), server());
    pair.client.connection.close(CloseReason::Normal, None, Time(HOUR - 1)).unwrap();
    assert_eq!(epoch_of(&pair.client.transmit()), 0);
    assert_eq!(pair.client.connection.poll_deadline(), Some(Time(HOUR - 1 + 2 * SECOND)));
    assert_eq!(pair.client.connection.handle_timeout(Time(HOUR)), Ok(()));
    assert!(pair.client.transmit().is_empty());
}

#[test]
fn control_frames_move_the_lane_as_well() {
    // A whole session of silence, then X: by one epoch, however long it was.
    let mut pair = open_pair(client(), server());
    pair.now = Time(7 * HOUR);
    pair.client.connection.close(CloseReason::Normal, None, pair.now).unwrap();
    let close = pair.client.transmit();
    assert_eq!(epoch_of(&close), 1);
    assert!(matches!(pair.server.receive(&close, pair.now)[..], [Seen::Close(_)]));
    let error = pair.server.connection.abort(Error::new(Code::Poisoned, ""), pair.now);
    assert_eq!(error.code, Code::Poisoned);

    let mut pair = open_pair(client(), server());
    pair.client.connection.abort(Error::new(Code::Poisoned, ""), Time(HOUR));
    let alert = pair.client.transmit();
    assert_eq!(
        (epoch_of(&alert), code(&pair.server.receive(&alert, Time(HOUR)))),
        (1, Some(Code::ClosedByPeer))
    );
}

#[test]
fn a_stream_at_the_end_of_its_last_epoch_closes_for_time() {
    let exhausted = || {
        let mut pair = open_pair(client(), server());
        pair.client.connection.limit_epochs(1, u64::MAX, FOREVER);
        let mut stream = Vec::new();
        for epoch in 0..=u16::MAX {
            let bytes = chat(&mut pair.client, Time(0));
            assert_eq!(epoch_of(&bytes), epoch);
            stream.extend(bytes);
        }
        assert_eq!(pair.server.receive(&stream, Time(0)).len(), 1 << 16);
        assert_eq!(pair.server.connection.state(), State::Open);
        pair
    };
    // The next message finds no epoch; the connection then closes by itself.
    let mut pair = exhausted();
    assert!(pair.client.connection.poll_deadline() > Some(Time(HOUR)));
    assert_eq!(pair.client.message(Kind::Chat, b"x").unwrap_err().code, Code::Expired);
    assert_eq!(pair.client.connection.state(), State::Open);
    assert_eq!(pair.client.connection.poll_deadline(), Some(Time(0)));
    assert_eq!(pair.client.connection.handle_timeout(Time(0)), Ok(()));
    assert_eq!(pair.client.connection.state(), State::Closing);
    let (_, seen) = pair.run();
    let close = CloseFrame { reason: CloseReason::Time, stream_last: 1 << 16, lanes: None };
    assert_eq!(seen, [Seen::Close(close)]);

    // A heartbeat finds none either.
    let mut pair = exhausted();
    pair.client.connection.limit_epochs(1, u64::MAX, Duration::ZERO);
    assert_eq!(pair.client.connection.handle_timeout(Time(1)), Ok(()));
    let (_, seen) = pair.run();
    assert!(matches!(seen[..], [Seen::Close(CloseFrame { reason: CloseReason::Time, .. })]));

    // An alert is still sealed.
    let mut pair = exhausted();
    pair.client.connection.abort(Error::new(Code::Poisoned, ""), Time(0));
    assert_eq!(code(&pair.run().1), Some(Code::ClosedByPeer));
}

fn sharing_pair() -> (Pair, (Sealer, Opener), (Sealer, Opener)) {
    let (mut config, mut accepting) = (client(), server());
    shared_memory(&mut config, &mut accepting);
    let mut pair = open_pair(config, accepting);
    pair.server.connection.send_segment(b"offer", Time(0)).unwrap();
    pair.run();
    pair.client.connection.send_segment(b"ready", Time(0)).unwrap();
    pair.run();
    let (client, server) =
        (pair.client.connection.use_segment().unwrap(), pair.server.connection.use_segment().unwrap());
    (pair, client, server)
}

#[test]
fn a_session_that_shares_memory_has_no_heartbeat_on_its_stream_and_closes_after_days() {
    let (mut pair, mut client, mut server) = sharing_pair();
    assert_eq!(pair.client.connection.poll_deadline(), None, "messages travel in shared memory");
    for hour in 1..50_u64 {
        let now = Time(hour * HOUR);
        assert_eq!(pair.client.connection.handle_timeout(now), Ok(()));
        assert_eq!(pair.run(), (vec![], vec![]));
        for (sealer, opener) in [(&mut client.0, &mut server.1), (&mut server.0, &mut client.1)] {
            let lanes: Vec<_> = sealer.due_lanes(now).collect();
            assert_eq!(lanes, Priority::ALL);
            for lane in lanes {
                let (meta_len, mut frame) = sealer.heartbeat(lane).unwrap();
                sealer.seal(Kind::Heartbeat, lane, MetaKind::Json, meta_len, &mut frame, now).unwrap();
                opener.receive(&mut frame).unwrap();
                assert_eq!(u64::from(opener.epoch(lane)), hour);
            }
        }
    }
    pair.now = Time(50 * HOUR);
    let lanes = |sealer: &Sealer| Some(Priority::ALL.map(|lane| sealer.counter(lane)));
    pair.client.connection.close(CloseReason::Normal, lanes(&client.0), pair.now).unwrap();
    let (_, seen) = pair.run();
    let close = CloseFrame { reason: CloseReason::Normal, stream_last: 1, lanes: Some([49; 4]) };
    assert_eq!(seen, [Seen::Close(close)]);
    pair.server.connection.finish_close(lanes(&server.0), pair.now).unwrap();
    assert!(matches!(pair.run().0[..], [Seen::Close(CloseFrame { lanes: Some([49, 49, 49, 49]), .. })]));
}
