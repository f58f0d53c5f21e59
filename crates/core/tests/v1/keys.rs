//! Keys that come, end and go while a server of v1 runs.

use super::*;
use eipc_core::LiveKeys;

const OLD: &[u8] = NIA;
const NEW: &[u8] = b"the key after the rotation";

/// A server whose keys the test changes.
fn live_server(authentication: Authentication) -> (ServerConfig, Arc<LiveKeys<KeyTable>>) {
    let config = ServerConfig { authentication, ..server() };
    let keys = Arc::clone(&config.keys);
    (config, keys)
}

fn with_key(bytes: &[u8]) -> ClientConfig {
    ClientConfig::new(key(bytes), "nia.min")
}

fn outcome(bytes: &[u8], config: &ServerConfig, now: Time) -> (Option<Code>, State) {
    let mut pair = pair_of(with_key(bytes), config.clone());
    pair.now = now;
    pair.server = End::new(Connection::server(Arc::new(config.clone()), UNIX_NS, now));
    pair.client = End::new(Connection::client(with_key(bytes), UNIX_NS, now).unwrap());
    let (_, seen) = pair.run();
    (code(&seen), pair.server.connection.state())
}

#[test]
fn a_key_that_is_added_lets_its_holder_in_and_one_that_is_removed_does_not() {
    let (config, keys) = live_server(Authentication::Challenge);
    assert_eq!(outcome(NEW, &config, Time(0)), (Some(Code::Integrity), State::Closed));
    keys.change(|table| table.insert("nia.min", key(NEW), &[])).unwrap();
    let both = [OLD, NEW].map(|bytes| open_pair(with_key(bytes), config.clone()));
    for (pair, own, other) in [(&both[0], OLD, NEW), (&both[1], NEW, OLD)] {
        for end in [&pair.client, &pair.server] {
            assert!(end.connection.uses_key(&key(own)) && !end.connection.uses_key(&key(other)));
        }
    }
    keys.change(|table| table.remove(&key(OLD)));
    assert_eq!(outcome(OLD, &config, Time(0)), (Some(Code::Integrity), State::Closed));
    let [mut old, _] = both;
    let bytes = old.client.message(Kind::Chat, b"still here").unwrap();
    assert_eq!(old.server.receive(&bytes, Time(0)), message(b"still here"), "a session that is open goes on");
}

#[test]
fn a_key_with_an_end_opens_sessions_until_then() {
    for authentication in [Authentication::Challenge, Authentication::MacOnly] {
        let (config, keys) = live_server(authentication);
        keys.change(|table| table.end(&key(OLD), Some(Time(10 * SECOND))));
        let opens = |now| {
            if authentication == Authentication::Challenge {
                return outcome(OLD, &config, Time(now)).1 == State::Open;
            }
            let mut server = End::new(Connection::server(Arc::new(config.clone()), UNIX_NS, Time(now)));
            server.receive(&signed(OLD, b'c', &header("nia.min", "", 1), b"hi"), Time(now));
            server.connection.state() == State::Open
        };
        assert!(opens(10 * SECOND - 1));
        assert!(!opens(10 * SECOND), "{authentication:?}");
    }
}

#[test]
fn a_key_that_goes_between_challenge_and_response_opens_no_session() {
    // The attacker has the key, and began to log in before it was revoked.
    let meanwhile = |change: fn(&mut KeyTable) -> Time| {
        let (config, keys) = live_server(Authentication::Challenge);
        let mut pair = pair_of(with_key(OLD), config);
        let hello = pair.client.transmit();
        pair.server.receive(&hello, Time(0));
        let challenge = pair.server.transmit();
        pair.client.receive(&challenge, Time(0));
        let now = keys.change(change);
        let response = pair.client.transmit();
        let seen = pair.server.receive(&response, now);
        (code(&seen), pair.server.connection.state())
    };
    let revoked = (Some(Code::Revoked), State::Closed);
    let removed = meanwhile(|table| {
        table.remove(&key(OLD));
        Time(0)
    });
    assert_eq!(removed, revoked);
    let ended = meanwhile(|table| {
        table.end(&key(OLD), Some(Time(SECOND)));
        Time(SECOND)
    });
    assert_eq!(ended, revoked);
    let kept = meanwhile(|table| {
        table.end(&key(OLD), Some(Time(SECOND)));
        Time(SECOND - 1)
    });
    assert_eq!(kept, (None, State::Open));
}
