//! Alert, close, end of stream and abort in every state of both roles: what each leads to, what the peer
//! is told, and that nothing happens twice.

use super::*;

/// Every state a connection can be in.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    ClientAwaitsServerHello,
    ClientAwaitsAccept,
    ServerAwaitsHello,
    ServerAwaitsFinish,
    Open,
    /// This side has sent X.
    Closing,
    /// The peer has sent X, and this side has not answered yet.
    Draining,
    Closed,
}

const STATES: [At; 8] = [
    At::ClientAwaitsServerHello,
    At::ClientAwaitsAccept,
    At::ServerAwaitsHello,
    At::ServerAwaitsFinish,
    At::Open,
    At::Closing,
    At::Draining,
    At::Closed,
];

impl At {
    const fn is_handshaking(self) -> bool {
        !self.has_session() && !matches!(self, Self::Closed)
    }

    const fn has_session(self) -> bool {
        matches!(self, Self::Open | Self::Closing | Self::Draining)
    }
}

/// Returns an end in that state with nothing left to write, and its peer.
fn ends(at: At) -> (End, End) {
    let mut pair = pair_of(client(), server());
    let steps = match at {
        At::ClientAwaitsServerHello | At::ServerAwaitsHello => 0,
        At::ServerAwaitsFinish => 1,
        At::ClientAwaitsAccept => 3,
        _ => 4,
    };
    for step in 0..steps {
        let (from, to) = match step % 2 {
            0 => (&mut pair.client, &mut pair.server),
            _ => (&mut pair.server, &mut pair.client),
        };
        let bytes = from.transmit();
        to.receive(&bytes, Time(0));
    }
    let (mut end, mut peer) = match at {
        At::ServerAwaitsHello | At::ServerAwaitsFinish => (pair.server, pair.client),
        _ => (pair.client, pair.server),
    };
    end.transmit();
    match at {
        At::Closing => end.connection.close(CloseReason::Normal, None, Time(0)).unwrap(),
        At::Draining => {
            peer.connection.close(CloseReason::Normal, None, Time(0)).unwrap();
            let close = peer.transmit();
            assert!(matches!(end.receive(&close, Time(0))[..], [Seen::Close(_)]));
        }
        At::Closed => drop(end.connection.handle_end(Time(0)).unwrap_err()),
        _ => {}
    }
    end.transmit();
    let expected = match at {
        At::Open => State::Open,
        At::Closing | At::Draining => State::Closing,
        At::Closed => State::Closed,
        _ => State::Handshaking,
    };
    assert_eq!(end.connection.state(), expected, "{at:?}");
    (end, peer)
}

/// Bytes of a length prefix.
const PREFIX: usize = 4;
const BARE_ALERT: &[u8] = b"EIPC\x00\x02E\x00\x00\x00\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00";

/// Checks what `peer` is told by an end that gave up in its handshake: a server that has verified
/// ClientFinish counts the session open, and takes nothing without a tag.
fn assert_refusal(at: At, bytes: &[u8], peer: &mut End) {
    let seen = code(&peer.receive(bytes, Time(0)));
    if at == At::ClientAwaitsAccept {
        assert_eq!(seen, Some(Code::HandshakeFailed), "{at:?}");
        assert_eq!(bytes[11], 1, "sealed");
    } else {
        assert_eq!(bytes, prefixed(BARE_ALERT), "{at:?}");
    }
}

#[test]
fn an_alert_without_a_tag_is_the_loss_of_a_handshake_and_an_attack_later() {
    // The attacker can write to the wire, in every state.
    for at in STATES {
        let (mut end, _) = ends(at);
        let seen = end.receive(&prefixed(BARE_ALERT), Time(0));
        let expected = match at {
            At::Closed => Code::Closed,
            // Whatever follows the peer's X has no place.
            At::Draining => Code::Protocol,
            _ if at.is_handshaking() => Code::HandshakeFailed,
            _ => Code::Integrity,
        };
        assert_eq!(code(&seen), Some(expected), "{at:?}");
        assert_eq!(end.connection.state(), State::Closed);
        // During the handshake it is never answered; later the one alert is, unless this side has ended.
        let answer = end.transmit();
        assert_eq!(!answer.is_empty(), at == At::Open, "{at:?}");
        assert!(answer.is_empty() || answer[11] == 1, "sealed");
    }
}

#[test]
fn a_sealed_alert_ends_every_state_of_a_session_and_is_never_answered() {
    for at in STATES.into_iter().filter(|at| at.has_session()) {
        let (mut end, mut peer) = ends(at);
        peer.connection.abort(Error::new(Code::Poisoned, ""), Time(0));
        let alert = peer.transmit();
        // A peer that has sent X has said that nothing follows it.
        assert_eq!(alert.is_empty(), at == At::Draining);
        if !alert.is_empty() {
            assert_eq!(code(&end.receive(&alert, Time(0))), Some(Code::ClosedByPeer), "{at:?}");
            assert_eq!(end.connection.state(), State::Closed);
        }
        assert!(end.transmit().is_empty(), "{at:?}");
    }
}

#[test]
fn closing_says_so_once_in_a_session_and_gives_up_a_handshake() {
    for at in STATES {
        let (mut end, mut peer) = ends(at);
        end.connection.close(CloseReason::Shutdown, None, Time(0)).unwrap();
        end.connection.close(CloseReason::Shutdown, None, Time(0)).unwrap();
        let bytes = end.transmit();
        match at {
            _ if at.is_handshaking() => {
                assert_refusal(at, &bytes, &mut peer);
                assert_eq!(end.connection.state(), State::Closed);
            }
            At::Open | At::Draining => {
                let seen = peer.receive(&bytes, Time(0));
                assert!(matches!(seen[..], [Seen::Close(CloseFrame { reason: CloseReason::Shutdown, .. })]));
                assert_eq!(end.connection.state(), State::Closing);
            }
            _ => assert!(bytes.is_empty(), "{at:?}"),
        }
    }
}

#[test]
fn a_sealed_close_is_taken_in_every_state_of_a_session_but_once() {
    for at in STATES.into_iter().filter(|at| at.has_session()) {
        let (mut end, mut peer) = ends(at);
        peer.connection.close(CloseReason::Revoked, None, Time(0)).unwrap();
        let bytes = peer.transmit();
        let seen = end.receive(&bytes, Time(0));
        match at {
            At::Draining => assert!(bytes.is_empty() && seen.is_empty(), "it has sent its X"),
            _ => assert!(matches!(seen[..], [Seen::Close(CloseFrame { reason: CloseReason::Revoked, .. })])),
        }
        end.connection.finish_close(None, Time(0)).unwrap();
        assert_eq!(end.connection.state(), State::Closed);
        // One X in each direction: the closer does not answer with a second.
        assert_eq!(end.transmit().is_empty(), at == At::Closing, "{at:?}");
    }
}

#[test]
fn the_end_of_the_stream_is_told_once_and_by_its_state() {
    for at in STATES {
        let (mut end, _) = ends(at);
        let told = end.connection.handle_end(Time(0)).map_err(|error| error.code);
        let expected = match at {
            At::Closed | At::Draining => Ok(()),
            _ if at.is_handshaking() => Err(Code::Transport),
            _ => Err(Code::Truncation),
        };
        assert_eq!(told, expected, "{at:?}");
        assert_eq!(end.connection.handle_end(Time(0)), Ok(()), "{at:?}");
        assert!(end.transmit().is_empty(), "there is nobody to tell");
    }
}

#[test]
fn an_abort_tells_the_peer_unless_this_side_has_ended() {
    for at in STATES {
        let (mut end, mut peer) = ends(at);
        let error = end.connection.abort(Error::new(Code::Transport, "gone"), Time(0));
        assert_eq!(error.code, Code::Transport);
        assert_eq!(end.connection.state(), State::Closed);
        let bytes = end.transmit();
        match at {
            _ if at.is_handshaking() => assert_refusal(at, &bytes, &mut peer),
            At::Open => assert_eq!(code(&peer.receive(&bytes, Time(0))), Some(Code::ClosedByPeer)),
            _ => assert!(bytes.is_empty(), "{at:?}"),
        }
        end.connection.abort(Error::new(Code::Transport, "gone"), Time(0));
        assert!(end.transmit().is_empty(), "once");
    }
}

#[test]
fn nothing_is_sealed_but_in_an_open_session() {
    for at in STATES {
        let (mut end, _) = ends(at);
        let sealed = end.message(Kind::Chat, b"x").map(drop).map_err(|error| error.code);
        assert_eq!(sealed, if at == At::Open { Ok(()) } else { Err(Code::Closed) }, "{at:?}");
        let segment = end.connection.send_segment(b"offer", Time(0)).unwrap_err().code;
        assert_eq!(segment, if at == At::Open { Code::Protocol } else { Code::Closed }, "{at:?}");
        assert_eq!(end.connection.export(b"label", &mut [0; 32]).is_ok(), at.has_session(), "{at:?}");
    }
}

#[test]
fn a_handshake_that_takes_too_long_is_given_up_as_by_hand() {
    let late = Time(10_000_000_001);
    for at in STATES.into_iter().filter(|at| at.is_handshaking()) {
        for by_frame in [false, true] {
            let (mut end, mut peer) = ends(at);
            let told = if by_frame {
                code(&end.receive(&prefixed(BARE_ALERT), late))
            } else {
                end.connection.handle_timeout(late).err().map(|error| error.code)
            };
            assert_eq!(told, Some(Code::Timeout), "{at:?}");
            assert_refusal(at, &end.transmit(), &mut peer);
        }
    }
}

#[test]
fn a_session_accept_that_was_edited_is_refused_by_a_sealed_alert() {
    // The attacker edits the server's first protected frame on the wire: every byte of it in turn.
    let accept_len = ends_with_accept().1.len();
    for at in 0..accept_len - PREFIX {
        let (mut pair, mut accept) = ends_with_accept();
        accept[PREFIX + at] ^= 1;
        assert!(code(&pair.client.receive(&accept, Time(0))).is_some(), "byte {at}");
        let alert = pair.client.transmit();
        assert_eq!(alert[11], 1, "sealed");
        assert_eq!(code(&pair.server.receive(&alert, Time(0))), Some(Code::HandshakeFailed), "byte {at}");
    }
}

/// Returns a pair of which only the server has a session, and the bytes that tell the client.
fn ends_with_accept() -> (Pair, Vec<u8>) {
    let mut pair = pair_of(client(), server());
    let hello = pair.client.transmit();
    pair.server.receive(&hello, Time(0));
    let server_hello = pair.server.transmit();
    pair.client.receive(&server_hello, Time(0));
    let finish = pair.client.transmit();
    pair.server.receive(&finish, Time(0));
    let accept = pair.server.transmit();
    (pair, accept)
}
