//! Keys that come, end and go while a server runs.

use super::*;
use eipc_core::LiveKeys;

/// A server whose keys the test changes.
fn live_server() -> (ServerConfig, Arc<LiveKeys>) {
    let mut table = KeyTable::new();
    table.insert("nia.min", key(0x81), &["ui:control".into()]).unwrap();
    let keys = Arc::new(LiveKeys::new(table));
    (ServerConfig::new("eai", Box::new(Arc::clone(&keys))), keys)
}

fn with_key(byte: u8) -> ClientConfig {
    ClientConfig::new(key(byte), "nia.min")
}

#[test]
fn a_key_that_is_added_lets_its_holder_in_and_one_that_is_removed_does_not() {
    let (config, keys) = live_server();
    let refused = (Some(Code::HandshakeFailed), Some(Code::HandshakeFailed));
    assert_eq!(failed(with_key(0x91), config.clone()), refused);
    keys.change(|table| table.insert("nia.min", key(0x91), &[])).unwrap();
    let both = [0x81, 0x91].map(|byte| open_pair(with_key(byte), config.clone()));
    let ids = both.each_ref().map(|pair| pair.server.connection.session().unwrap().key_id);
    assert_eq!(ids, [key(0x81).key_id(), key(0x91).key_id()]);
    assert_eq!(both[1].client.connection.session().unwrap().key_id, key(0x91).key_id());
    keys.change(|table| table.remove(key(0x81).key_id()));
    assert_eq!(failed(with_key(0x81), config.clone()), refused);
    let [mut old, _] = both;
    let message = old.client.message(Kind::Intent, b"{}").unwrap();
    let seen = old.server.receive(&message, Time(0));
    assert!(matches!(seen[..], [Seen::Message(..)]), "a session that is open goes on: {seen:?}");
}

#[test]
fn a_key_with_an_end_opens_sessions_until_then() {
    let (config, keys) = live_server();
    keys.change(|table| table.end(key(0x81).key_id(), Some(Time(10 * SECOND))));
    let at = |now| {
        let mut pair = pair_of(with_key(0x81), config.clone());
        pair.now = Time(now);
        // The deadline of a handshake counts from its beginning.
        pair.server = End::new(Connection::server(Arc::new(config.clone()), pair.now));
        pair.client = End::new(Connection::client(with_key(0x81), &Random::system(), pair.now).unwrap());
        pair.run();
        pair.server.connection.state()
    };
    assert_eq!(at(10 * SECOND - 1), State::Open);
    assert_eq!(at(10 * SECOND), State::Closed);
    assert_eq!(at(11 * SECOND), State::Closed);
}

/// Lets a client prove itself while `change` happens between its hello and its proof.
fn changed_meanwhile(change: impl FnOnce(&LiveKeys, &mut Time)) -> (Option<Code>, State) {
    let (config, keys) = live_server();
    let mut pair = pair_of(with_key(0x81), config);
    let hello = pair.client.transmit();
    pair.server.receive(&hello, pair.now);
    let answer = pair.server.transmit();
    pair.client.receive(&answer, pair.now);
    change(&keys, &mut pair.now);
    let finish = pair.client.transmit();
    let seen = pair.server.receive(&finish, pair.now);
    // Nothing but the one alert of a refused handshake is told.
    let told = pair.server.transmit();
    let seen_client = pair.client.receive(&told, pair.now);
    let alert = [b"EIPC\0\x02E\0\0\0\0\0\0\0\0\x04".as_slice(), &[1, 0, 0, 0]].concat();
    assert!(told == prefixed(&alert) || code(&seen).is_none());
    assert_eq!(code(&seen).is_some(), code(&seen_client).is_some());
    (code(&seen), pair.server.connection.state())
}

#[test]
fn a_key_that_goes_between_hello_and_proof_opens_no_session() {
    // The attacker has the key, and began a handshake before it was revoked.
    let removed = changed_meanwhile(|keys, _| keys.change(|table| table.remove(key(0x81).key_id())));
    assert_eq!(removed, (Some(Code::Revoked), State::Closed));
    let ended = changed_meanwhile(|keys, now| {
        keys.change(|table| table.end(key(0x81).key_id(), Some(Time(SECOND))));
        *now = Time(SECOND);
    });
    assert_eq!(ended, (Some(Code::Revoked), State::Closed));
    let of_another = changed_meanwhile(|keys, _| {
        keys.change(|table| {
            table.remove(key(0x81).key_id());
            table.insert("another", key(0x81), &[])
        })
        .unwrap();
    });
    assert_eq!(of_another, (Some(Code::Revoked), State::Closed), "it is another's now");
    let kept = changed_meanwhile(|keys, now| {
        keys.change(|table| table.end(key(0x81).key_id(), Some(Time(SECOND))));
        *now = Time(SECOND - 1);
    });
    assert_eq!(kept, (None, State::Open));
}
