//! The vectors of `test/vectors`, made by programs that share no code with this project: every byte of
//! every handshake in both roles, every frame both ways, every frame and hello that must be refused.
//!
//! The secrets between them are compared in `session::keys`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use eipc_core::crypto::random::Random;
use eipc_core::session::handshake_v2::{AwaitFinish, ClientStart, Established, ServerStart};
use eipc_core::wire::{header_binary, header_json};
use eipc_core::{
    ClientConfig, Code, Features, KeyTable, Kind, Lane, MetaKind, Opener, Psk, Sealer, ServerConfig, Suite,
    Suites, Time,
};
use eipc_testkit::vectors::{self, Frame, Reject, Vector};
use std::sync::Arc;

/// How long a lane stays in its epoch, so that the time of a frame decides its epoch.
const HOUR: u64 = 3_600_000_000_000;

struct Setup {
    psk: Arc<Psk>,
    service_id: String,
    suites: Suites,
    features: Features,
    kx: u64,
    channel_binding: [u8; 32],
    client_random: Vec<u8>,
    server_random: Vec<u8>,
}

fn client_of(setup: &Setup) -> (ClientStart, Random) {
    let mut config = ClientConfig::new(Arc::clone(&setup.psk), &setup.service_id);
    config.suites = setup.suites;
    config.features = setup.features;
    config.psk_only = setup.kx == 0;
    config.channel_binding = setup.channel_binding;
    config.server_id = Some("eai".into());
    (ClientStart::new(config).unwrap(), Random::fixed(&setup.client_random))
}

fn server_of(setup: &Setup, suite: Suite) -> (ServerStart, Random) {
    let mut keys = KeyTable::new();
    keys.insert(&setup.service_id, Arc::clone(&setup.psk), &["ui:control".into()]).unwrap();
    let mut config = ServerConfig::new("eai", Box::new(keys));
    config.suites = vec![suite];
    config.features = Features(15);
    config.allow_psk_only = setup.kx == 0;
    config.channel_binding = setup.channel_binding;
    config.ttl_ms = 3_600_000;
    (ServerStart::new(Arc::new(config)), Random::fixed(&setup.server_random))
}

/// Runs both roles against each other and compares every frame of the handshake.
fn handshake(setup: &Setup, suite: Suite, expected: [Vec<u8>; 3]) -> (Established, Established, Vec<u8>) {
    let [client_hello, server_hello, client_finish] = expected;
    let (start, random) = client_of(setup);
    let (mut hello, client) = start.hello(&random).unwrap();
    assert_eq!(hello, client_hello);
    let (start, random) = server_of(setup, suite);
    let (mut answer, server) = start.receive(&mut hello, &random, Time(0)).unwrap();
    assert_eq!(answer, server_hello);
    let (mut finish, client) = client.receive(&mut answer, Time(0)).unwrap();
    assert_eq!(finish, client_finish);
    let (accept, server) = AwaitFinish::receive(server, &mut finish, Time(0)).unwrap();
    let client = client.receive(&mut accept.clone()).unwrap();
    assert_eq!(client.session.session_id, server.session.session_id);
    (client, server, accept)
}

fn setup_of_vector(vector: &Vector) -> Setup {
    let kx = vector.number("kx");
    let private = |field: &str| if kx == 1 { vector.bytes(field) } else { Vec::new() };
    Setup {
        psk: Arc::new(Psk::new(&vector.bytes("psk_hex")).unwrap()),
        service_id: vector.text("service_id").into(),
        suites: Suites(vector.number("suites").try_into().unwrap()),
        features: Features(vector.number("features").try_into().unwrap()),
        kx,
        channel_binding: vector.bytes("channel_binding").try_into().unwrap(),
        client_random: [vector.bytes("client_nonce"), private("client_x25519_private")].concat(),
        server_random: [
            vector.bytes("server_nonce"),
            private("server_x25519_private"),
            vector.number("session_id").to_be_bytes().to_vec(),
        ]
        .concat(),
    }
}

fn suite_of(number: u64) -> Suite {
    Suite::from_byte(number.try_into().unwrap()).unwrap()
}

#[test]
fn every_handshake_and_frame_is_that_of_the_vectors_in_both_roles() {
    let (mut handshakes, mut frames) = (0, 0);
    for vector in vectors::eipc2() {
        handshakes += 1;
        let expected = ["client_hello", "server_hello", "client_finish"].map(|field| vector.bytes(field));
        let suite = suite_of(vector.number("suite"));
        let (client, server, accept) = handshake(&setup_of_vector(&vector), suite, expected);
        assert_eq!(client.session.capabilities, ["ui:control"]);
        assert_eq!(client.session.ttl_ms, 3_600_000);
        let mut exported = [0; 48];
        client.exporter.export(vector.text("export_label").as_bytes(), &mut exported).unwrap();
        assert_eq!(exported.to_vec(), vector.bytes("export_48"));

        let mut ends = Ends { client, server };
        for frame in vector.frames() {
            if frame.text("label") == "accept" {
                assert_eq!(accept, frame.bytes("frame_hex"));
            } else {
                ends.check(&frame);
            }
            frames += 1;
        }
    }
    assert_eq!((handshakes, frames), (12, 180));
}

struct Ends {
    client: Established,
    server: Established,
}

impl Ends {
    fn pick(&mut self, frame: &Frame) -> (&mut Sealer, &mut Opener) {
        let (sender, receiver) = match frame.text("direction") {
            "c2s" => (&mut self.client.planes, &mut self.server.planes),
            _ => (&mut self.server.planes, &mut self.client.planes),
        };
        match frame.text("plane") {
            "stream" => (&mut sender.sealer, &mut receiver.opener),
            _ => (&mut sender.segment.as_mut().unwrap().0, &mut receiver.segment.as_mut().unwrap().1),
        }
    }

    fn check(&mut self, frame: &Frame) {
        let label = frame.text("label");
        let (sealer, opener) = self.pick(frame);
        let kind = Kind::from_byte(frame.text("type").as_bytes()[0]).unwrap();
        let meta_kind = MetaKind::from_byte(frame.number("meta_kind").try_into().unwrap()).unwrap();
        let (meta, payload) = (frame.bytes("meta_hex"), frame.bytes("payload_hex"));
        let (counter, epoch) = (frame.number("counter"), frame.number("epoch"));
        let now = Time(epoch * HOUR);
        let lane = Lane::from_byte(frame.number("lane").try_into().unwrap()).unwrap();
        let fields = match meta_kind {
            MetaKind::Json => header_json::parse(&meta).unwrap(),
            MetaKind::Binary => header_binary::parse(&meta).unwrap(),
        };

        let mut sealed = vec![0; sealer.frame_len(meta.len(), payload.len()).unwrap()];
        sealed[40..][..meta.len()].copy_from_slice(&meta);
        sealed[40 + meta.len()..][..payload.len()].copy_from_slice(&payload);
        sealer.seal(kind, fields.priority, meta_kind, meta.len(), &mut sealed, now).unwrap();
        assert_eq!(sealed, frame.bytes("frame_hex"), "{label}");
        assert_eq!((sealer.counter(lane), u64::from(sealer.epoch(lane))), (counter, epoch), "{label}");

        let envelope = opener.receive(&mut sealed).unwrap();
        assert_eq!((envelope.kind(), envelope.lane()), (kind, lane));
        assert_eq!(envelope.sequence(), u64::from(lane.byte()) << 62 | counter);
        assert_eq!((envelope.meta_kind(), envelope.payload()), (meta_kind, &payload[..]));
        assert_eq!(envelope.meta_range(), 40..40 + meta.len());
        assert_eq!(envelope.payload_range(), 40 + meta.len()..40 + meta.len() + payload.len());
        assert_eq!(*envelope.meta(), fields, "{label}");
        let text = |field: &str| frame.meta(field).unwrap_or_default();
        let number = |field: &str| frame.meta(field).map_or(0, |digits| digits.parse::<i64>().unwrap());
        if meta_kind == MetaKind::Binary {
            assert_eq!(i64::from(fields.priority.byte()), number("priority"), "{label}");
            assert_eq!(i64::from(fields.payload_format.byte()), number("payloadFormat"), "{label}");
            assert_eq!(fields.source, text("source"), "{label}");
            assert_eq!(fields.request_id, text("requestId"), "{label}");
            assert_eq!(fields.capability, text("capability"), "{label}");
            assert_eq!(fields.route, text("route"), "{label}");
            assert_eq!(fields.timestamp_ns, number("timestampNs"), "{label}");
            assert_eq!(i64::from(fields.max_age_ms), number("maxAgeMs"), "{label}");
        }
    }
}

#[test]
fn every_data_frame_of_the_rejects_is_refused_with_its_code() {
    let mut rows = 0;
    for row in vectors::data_rejects() {
        let first = row.accepted_first();
        rows += 1;
        let name = row.text("name");
        let expected = ["client_hello", "server_hello", "client_finish"].map(|field| row.bytes(field));
        let setup = setup_of_reject(&row, row.bytes("server_x25519_private"));
        let (_, mut server, _) = handshake(&setup, suite_of(row.number("suite")), expected);
        assert_eq!(row.text("receiver"), "server");
        let opener = match row.text("plane") {
            "stream" => &mut server.planes.opener,
            _ => &mut server.planes.segment.as_mut().unwrap().1,
        };
        for mut frame in first {
            opener.receive(&mut frame).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let state = |opener: &Opener| Lane::ALL.map(|lane| (opener.last(lane), opener.epoch(lane)));
        let before = state(opener);
        let error = opener.receive(&mut row.bytes("frame_hex")).expect_err(name);
        let code = match row.text("error") {
            "TRUNCATED" => Code::Truncated,
            other => Code::from_name(&format!("EIPC_{other}")).unwrap(),
        };
        assert_eq!(error.code, code, "{name}: {error}");
        if code != Code::BadHeader && code != Code::UnsupportedType {
            assert_eq!(state(opener), before, "{name}: no state changed");
        }
        let again = opener.receive(&mut row.bytes("frame_hex")).expect_err("the session is over");
        assert_eq!(again.code, Code::Poisoned);
    }
    assert_eq!(rows, 120);
}

fn setup_of_reject(row: &Reject, server_private: Vec<u8>) -> Setup {
    let client_hello =
        if row.text("name").starts_with("dev-") { "client_hello" } else { "good_client_hello" };
    let server_hello = client_hello.replace("client", "server");
    let (client_hello, server_hello) = (row.bytes(client_hello), row.bytes(&server_hello));
    Setup {
        psk: Arc::new(Psk::new(&row.bytes("psk_hex")).unwrap()),
        service_id: row.text("service_id").into(),
        suites: Suites(u16::from_be_bytes([client_hello[18], client_hello[19]])),
        features: Features(13),
        kx: 1,
        channel_binding: client_hello[96..128].try_into().unwrap(),
        client_random: [row.bytes("client_nonce"), row.bytes("client_x25519_private")].concat(),
        server_random: [&server_hello[32..64], &server_private, &server_hello[24..32]].concat(),
    }
}

/// What each row must be refused for, so that no check hides behind another.
const REASONS: [(&str, &str); 27] = [
    ("hello tag flipped", "wrong tag"),
    ("hs_version 2", "ClientHello of another version"),
    ("kx 2", "unknown key exchange"),
    ("kx 0 without allowPskOnly", "without X25519"),
    ("no known suite", "no common suite"),
    ("feature bit 0 missing", "count strictly"),
    ("unknown key id", "unknown service or key"),
    ("unknown service", "unknown service or key"),
    ("channel binding without TLS", "channel binding"),
    ("upper case in service id", "unknown service or key"),
    ("low-order client point 00000000", "low-order client key"),
    ("low-order client point 01000000", "low-order client key"),
    ("low-order client point e0eb7a7c", "low-order client key"),
    ("low-order client point ecffffff", "low-order client key"),
    ("server proof flipped", "proof"),
    ("kx differs", "another key exchange"),
    ("suite not offered", "suite that was not offered"),
    ("suite 0", "suite that was not offered"),
    ("reserved byte set", "another version"),
    ("features not a subset", "features"),
    ("feature bit 0 cleared", "features"),
    ("session id 0", "session id 0"),
    ("low-order server point 00000000", "low-order server key"),
    ("low-order server point 01000000", "low-order server key"),
    ("low-order server point e0eb7a7c", "low-order server key"),
    ("low-order server point ecffffff", "low-order server key"),
    ("own hello reflected", "another handshake message"),
];

#[test]
fn every_hello_of_the_rejects_is_refused_for_its_own_reason() {
    let rows = vectors::hello_rejects();
    assert_eq!(rows.len(), REASONS.len());
    for (row, (name, reason)) in rows.iter().zip(REASONS) {
        assert_eq!(row.text("name"), name);
        let setup = setup_of_reject(row, vec![7; 32]);
        let mut frame = row.bytes("frame_hex");
        let (start, random) = client_of(&setup);
        let (hello, client) = start.hello(&random).unwrap();
        assert_eq!(hello, row.bytes("good_client_hello"));
        let error = if row.text("receiver") == "server" {
            let (start, random) = server_of(&setup, Suite::HmacSha256);
            start.receive(&mut frame, &random, Time(0)).map(drop).expect_err(name).error
        } else {
            client.receive(&mut frame, Time(0)).map(drop).expect_err(name)
        };
        assert_eq!(error.code, Code::HandshakeFailed, "{name}: {error}");
        assert!(error.context.contains(reason), "{name}: {error}");

        // The good hello is taken: the row fails for its own fault only.
        let (start, random) = server_of(&setup, Suite::HmacSha256);
        start.receive(&mut row.bytes("good_client_hello"), &random, Time(0)).unwrap();
        let (start, random) = client_of(&setup);
        start.hello(&random).unwrap().1.receive(&mut row.bytes("good_server_hello"), Time(0)).unwrap();
    }
}
