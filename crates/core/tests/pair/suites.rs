//! Which suite a session gets, and that it does what it says.

use super::*;

#[test]
fn no_common_suite_is_refused() {
    let (mut config, mut accepting) = (client(), server());
    config.suites = Suites::of(&[Suite::HmacSha256]);
    accepting.suites = vec![Suite::Aes256Gcm, Suite::ChaCha20Poly1305];
    assert_eq!(failed(config, accepting).1, Some(Code::HandshakeFailed));
    let mut config = client();
    config.suites = Suites(0xfff8);
    assert!(Connection::client(config, &Random::system(), Time(0)).is_err(), "nothing this build knows");
}

#[test]
fn the_server_takes_the_first_of_its_suites_that_was_offered() {
    use Suite::{Aes256Gcm, ChaCha20Poly1305, HmacSha256};
    for (offered, order, taken) in [
        (Suites::AVAILABLE, vec![HmacSha256, Aes256Gcm, ChaCha20Poly1305], HmacSha256),
        (Suites::AVAILABLE, vec![Aes256Gcm, ChaCha20Poly1305], Aes256Gcm),
        (Suites::of(&[HmacSha256, ChaCha20Poly1305]), vec![Aes256Gcm, ChaCha20Poly1305], ChaCha20Poly1305),
        (Suites(0xfff8 | 4), vec![HmacSha256, Aes256Gcm], Aes256Gcm),
    ] {
        let (mut config, mut accepting) = (client(), server());
        config.suites = offered;
        accepting.suites = order;
        let mut pair = open_pair(config, accepting);
        assert_eq!(pair.client.connection.session().unwrap().suite, taken);
        for kind in [Kind::Chat, Kind::Features] {
            let bytes = pair.client.message(kind, b"payload").unwrap();
            let is_readable = bytes.windows(7).any(|window| window == b"payload");
            assert_eq!(is_readable, taken == HmacSha256);
            assert_eq!(pair.server.receive(&bytes, Time(0)), [Seen::Message(kind, b"payload".to_vec())]);
        }
    }
}
