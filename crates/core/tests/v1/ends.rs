//! How a session of v1 ends: by its time, by either side, by the end of the stream.

use super::*;

#[test]
fn a_session_ends_at_its_time_by_the_end_of_the_stream_or_when_it_is_closed() {
    let mut config = server();
    config.ttl_ms = 5_000;
    let mut pair = open_pair(client(), config.clone());
    assert_eq!(pair.server.connection.poll_deadline(), Some(Time(5 * SECOND)));
    assert_eq!(pair.client.connection.poll_deadline(), None, "only the server knows");
    assert_eq!(pair.server.connection.handle_timeout(Time(5 * SECOND - 1)), Ok(()));
    let bytes = pair.client.message(Kind::Chat, b"x").unwrap();
    assert_eq!(pair.server.receive(&bytes, Time(5 * SECOND - 1)), message(b"x"));
    let late = pair.client.message(Kind::Chat, b"x").unwrap();
    assert_eq!(code(&pair.server.receive(&late, Time(5 * SECOND))), Some(Code::Expired));
    assert_eq!(pair.server.connection.state(), State::Closed);

    let mut pair = open_pair(client(), config);
    let error = pair.server.connection.handle_timeout(Time(5 * SECOND)).unwrap_err();
    assert_eq!((error.code, pair.server.connection.state()), (Code::Expired, State::Closed));
    assert_eq!(
        pair.client.connection.handle_end(StreamEnd::Whole, pair.now),
        Ok(()),
        "v1 has no close frame"
    );
    pair.client.connection.finish_close();
    assert_eq!(pair.client.connection.state(), State::Closed);
    assert!(pair.client.connection.session().is_some());

    let mut config = server();
    config.ttl_ms = 0;
    let pair = open_pair(client(), config);
    assert_eq!(pair.server.connection.poll_deadline(), None);
}

#[test]
fn who_closes_first_goes_on_reading_until_the_other_half_ends() {
    let mut pair = open_pair(client(), server());
    let last = pair.client.message(Kind::Chat, b"last").unwrap();
    pair.client.connection.close(pair.now);
    assert_eq!(pair.client.connection.state(), State::Closing);
    assert_eq!(pair.client.message(Kind::Chat, b"x").unwrap_err().code, Code::Closed);
    assert_eq!(pair.server.receive(&last, pair.now), message(b"last"));
    assert_eq!(pair.server.connection.handle_end(StreamEnd::Whole, pair.now), Ok(()));
    assert_eq!(pair.server.connection.state(), State::Closing);
    let reply = pair.server.message(Kind::Chat, b"reply").unwrap();
    pair.server.connection.finish_close();
    assert_eq!(
        (pair.server.connection.state(), pair.server.connection.has_peer_closed()),
        (State::Closed, true)
    );
    assert_eq!(pair.client.receive(&reply, pair.now), message(b"reply"));
    assert_eq!(pair.client.connection.handle_end(StreamEnd::Whole, pair.now), Ok(()));
    assert_eq!(
        (pair.client.connection.state(), pair.client.connection.has_peer_closed()),
        (State::Closed, false)
    );
}

#[test]
fn a_peer_that_does_not_end_is_waited_for_two_seconds() {
    let mut pair = open_pair(client(), server());
    pair.client.connection.close(pair.now);
    pair.client.connection.close(Time(SECOND));
    assert_eq!(
        pair.client.connection.poll_deadline(),
        Some(Time(2 * SECOND)),
        "closing again changes nothing"
    );
    assert_eq!(pair.client.connection.handle_timeout(Time(2 * SECOND - 1)), Ok(()));
    assert_eq!(pair.client.connection.state(), State::Closing);
    assert_eq!(pair.client.connection.handle_timeout(Time(2 * SECOND)), Ok(()));
    assert_eq!(pair.client.connection.state(), State::Closed);
    // The life of the session goes on ending it.
    let mut config = server();
    config.ttl_ms = 1_000;
    let mut pair = open_pair(client(), config);
    pair.server.connection.close(pair.now);
    assert_eq!(pair.server.connection.poll_deadline(), Some(Time(SECOND)));
    assert_eq!(pair.server.connection.handle_timeout(Time(SECOND)).unwrap_err().code, Code::Expired);
    // A longer life does not prolong the wait.
    let mut config = server();
    config.ttl_ms = 5_000;
    let mut pair = open_pair(client(), config);
    pair.server.connection.close(pair.now);
    assert_eq!(pair.server.connection.poll_deadline(), Some(Time(2 * SECOND)));
}

#[test]
fn nothing_is_heard_after_a_goodbye_and_closing_answers_it() {
    let mut pair = open_pair(client(), server());
    pair.server.connection.finish_close();
    assert_eq!(pair.server.connection.state(), State::Open, "there was no goodbye to answer");
    let late = pair.client.message(Kind::Chat, b"x").unwrap();
    assert_eq!(pair.server.connection.handle_end(StreamEnd::Whole, pair.now), Ok(()));
    assert_eq!(code(&pair.server.receive(&late, pair.now)), Some(Code::Closed));
    assert_eq!(pair.server.connection.state(), State::Closing, "what is left can still be sent");
    pair.server.connection.close(pair.now);
    assert_eq!(pair.server.connection.state(), State::Closed);
}

#[test]
fn an_end_that_is_no_goodbye_is_a_truncation() {
    let end = |has_closed: bool, end| {
        let mut pair = open_pair(client(), server());
        if has_closed {
            pair.server.connection.close(pair.now);
        }
        let ended = pair.server.connection.handle_end(end, pair.now).map_err(|error| error.code);
        (ended, pair.server.connection.state())
    };
    assert_eq!(end(false, StreamEnd::Whole), (Ok(()), State::Closing));
    assert_eq!(end(false, StreamEnd::InsideFrame), (Err(Code::Truncation), State::Closed));
    assert_eq!(end(false, StreamEnd::Broken), (Err(Code::Truncation), State::Closed));
    assert_eq!(end(true, StreamEnd::Whole), (Ok(()), State::Closed));
    assert_eq!(end(true, StreamEnd::InsideFrame), (Err(Code::Truncation), State::Closed));
    assert_eq!(end(true, StreamEnd::Broken), (Ok(()), State::Closed));
}

#[test]
fn without_a_session_closing_and_ending_are_the_end() {
    let mut config = server();
    config.ttl_ms = 0;
    assert_eq!(open_pair(client(), config).server.connection.poll_deadline(), None);
    let mut pair = pair_of(client(), server());
    let ended = pair.server.connection.handle_end(StreamEnd::Whole, Time(0));
    assert_eq!(ended.unwrap_err().code, Code::Transport);
    assert_eq!(pair.client.message(Kind::Chat, b"x").unwrap_err().code, Code::Closed);
    pair.client.connection.close(Time(0));
    assert_eq!(pair.client.connection.state(), State::Closed);
}
