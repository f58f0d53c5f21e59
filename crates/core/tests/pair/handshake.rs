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
