//! The handshake of EIPC/2: an attacker between the two, and one with the key in either role.

use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use eipc_core::crypto::random::Random;
use eipc_core::{
    ClientConfig, Code, Connection, Features, KeyTable, Psk, ServerConfig, State, Suite, Suites, Time,
};

use super::Edit;
use super::forge::{Attacker, DataFrame, PSK};

#[derive(Arbitrary, Debug)]
enum Script {
    Between { client: Side, server: Side, edits: [Edit; 4] },
    ToServer { hello: Hello, finish: Edit, then: Vec<DataFrame> },
    ToClient { features: u8, hello: ServerHello, accept: Accept, then: Vec<DataFrame> },
}

#[derive(Arbitrary, Debug)]
struct Side {
    psk_only: bool,
    features: u8,
    suites: u8,
    binding: bool,
}

/// What a hello lies about: with nothing but zeros it is right.
#[derive(Arbitrary, Debug)]
struct Hello {
    version: u8,
    kx: u8,
    suites: u16,
    features: u32,
    key_id: u8,
    nonce: u8,
    public: u8,
    binding: u8,
    length: u8,
    service_id: Option<Vec<u8>>,
}

/// What a ServerHello lies about: with nothing but zeros it is right.
#[derive(Arbitrary, Debug)]
struct ServerHello {
    version: u8,
    kx: u8,
    suite: u8,
    reserved: u8,
    features: u32,
    session_id: u8,
    public: u8,
    more: Vec<u8>,
    cut: u8,
}

#[derive(Arbitrary, Debug)]
enum Accept {
    Good { server_id: Option<String>, ttl_ms: u64, max_frame: u32 },
    Text(Vec<u8>),
    Frame(DataFrame),
}

/// Both roles of EIPC/2.
pub fn handshake_v2(input: &[u8]) {
    let Ok(script) = Script::arbitrary_take_rest(Unstructured::new(input)) else { return };
    match script {
        Script::Between { client, server, edits } => between(&client, &server, &edits),
        Script::ToServer { hello, finish, then } => to_server(&hello, &finish, &then),
        Script::ToClient { features, hello, accept, then } => to_client(features, &hello, accept, &then),
    }
}

fn psk() -> Arc<Psk> {
    Arc::new(Psk::new(&PSK).unwrap())
}

fn server_config(side: &Side) -> Arc<ServerConfig> {
    let mut keys = KeyTable::new();
    keys.insert("nia.min", psk(), &["ui:control".into()]).unwrap();
    let mut config = ServerConfig::new("eai", Box::new(keys));
    config.allow_psk_only = side.psk_only;
    config.features = Features(u32::from(side.features) | 1);
    config.channel_binding = [u8::from(side.binding); 32];
    let all = [Suite::HmacSha256, Suite::ChaCha20Poly1305, Suite::Aes256Gcm];
    config.suites = all
        .into_iter()
        .enumerate()
        .filter(|(at, _)| side.suites >> at & 1 == 1)
        .map(|(_, suite)| suite)
        .collect();
    Arc::new(config)
}

fn client_config(side: &Side) -> ClientConfig {
    let mut config = ClientConfig::new(psk(), "nia.min");
    config.psk_only = side.psk_only;
    config.features = Features(u32::from(side.features) | 1);
    config.suites = Suites(u16::from(side.suites) & 7);
    config.channel_binding = [u8::from(side.binding); 32];
    config
}

/// Hands a frame over; whoever refused it stays shut.
fn hand(to: &mut Connection, bytes: &[u8], random: &Random) -> bool {
    let is_accepted = to.handle_frame(&mut bytes.to_vec(), random, Time(0)).is_ok();
    if !is_accepted {
        assert_eq!(to.state(), State::Closed);
        let again = to.handle_frame(&mut bytes.to_vec(), random, Time(0)).map(|_| ());
        assert_eq!(again.unwrap_err().code, Code::Closed);
    }
    is_accepted
}

fn between(client: &Side, server: &Side, edits: &[Edit; 4]) {
    let random = [Random::fixed(&[0x21; 64]), Random::fixed(&[0x42; 72])];
    let Ok(mut connected) = Connection::client(client_config(client), &random[0], Time(0)) else { return };
    let mut accepting = Connection::server(server_config(server), Time(0));
    let mut is_touched = false;
    for (at, edit) in edits.iter().enumerate() {
        let (from, to) =
            if at % 2 == 0 { (&mut connected, &mut accepting) } else { (&mut accepting, &mut connected) };
        let Some(frame) = from.poll_transmit() else { break };
        let frame = &frame[4..];
        if matches!(edit, Edit::Reflect) {
            assert!(!hand(from, frame, &random[at % 2]), "its own frame was accepted");
            return;
        }
        let arriving = edit.apply(frame);
        is_touched |= arriving.as_slice() != [frame.to_vec()];
        for bytes in &arriving {
            let is_accepted = hand(to, bytes, &random[(at + 1) % 2]);
            assert!(!is_accepted || bytes == frame, "a changed frame was accepted");
        }
    }
    let states = (connected.state(), accepting.state());
    if !is_touched
        && client.suites & server.suites & 7 != 0
        && client.binding == server.binding
        && client.psk_only == server.psk_only
    {
        assert_eq!(states, (State::Open, State::Open), "an honest handshake");
    }
    if states == (State::Open, State::Open) {
        assert!(client.binding == server.binding && client.suites & server.suites & 7 != 0);
        assert!(server.psk_only || !client.psk_only, "a client without X25519 that was not allowed");
        let sessions = [&connected, &accepting].map(|end| end.session().unwrap());
        assert_eq!(sessions[0].session_id, sessions[1].session_id);
        assert_eq!(sessions[0].suite, sessions[1].suite);
        assert_eq!(sessions[0].features.0, sessions[1].features.0);
    }
}

fn to_server(hello: &Hello, finish: &Edit, then: &[DataFrame]) {
    let side = Side { psk_only: true, features: 15, suites: 7, binding: false };
    let mut server = Connection::server(server_config(&side), Time(0));
    let (random, attacker) = (Random::fixed(&[0x42; 72]), Attacker::new());
    let mut key_id = attacker.key_id();
    key_id[0] ^= hello.key_id;
    let id = hello.service_id.as_deref().unwrap_or(b"nia.min");
    let length = u8::try_from(id.len() & 0xff).unwrap().wrapping_add(hello.length);
    let payload = [
        &[1_u8.wrapping_add(hello.version), hello.kx][..],
        &(hello.suites ^ 7).to_be_bytes(),
        &(hello.features ^ 5).to_be_bytes(),
        &key_id,
        &[hello.nonce; 32],
        &[hello.public; 32],
        &[hello.binding; 32],
        &[length],
        id,
    ]
    .concat();
    let hello_frame = attacker.client_hello(&payload);
    if !hand(&mut server, &hello_frame, &random) {
        return;
    }
    let lies = [hello.version, hello.key_id, hello.binding, hello.length];
    assert!(lies == [0; 4] && id == b"nia.min" && hello.kx < 2 && hello.features & 1 == 0, "{hello:?}");
    let answer = server.poll_transmit().expect("a ServerHello");
    // With X25519 the attacker's proof is wrong: it has not agreed on anything.
    let Some((proof, session)) = attacker.client_finish(&hello_frame, &answer[4..]) else { return };
    for bytes in finish.apply(&proof) {
        let is_accepted = hand(&mut server, &bytes, &random);
        assert!(!is_accepted || (bytes == proof && hello.kx == 0));
    }
    if server.state() != State::Open || server.session().unwrap().suite != Suite::HmacSha256 {
        return;
    }
    let mut last = 0;
    for frame in then {
        last += u64::from(hand(&mut server, &frame.build(&session, &session.c2s, last), &random));
    }
}

fn to_client(features: u8, hello: &ServerHello, accept: Accept, then: &[DataFrame]) {
    let side = Side { psk_only: true, features, suites: 1, binding: false };
    let (random, attacker) = (Random::fixed(&[0x21; 64]), Attacker::new());
    let mut client = Connection::client(client_config(&side), &random, Time(0)).unwrap();
    let client_hello = client.poll_transmit().unwrap();
    let mut payload = [
        &[1_u8.wrapping_add(hello.version), hello.kx, 1_u8.wrapping_add(hello.suite), hello.reserved][..],
        &(hello.features ^ 1).to_be_bytes(),
        &[hello.session_id ^ 1; 8],
        &[0x42; 32],
        &[hello.public; 32],
        &hello.more,
    ]
    .concat();
    payload.truncate(payload.len() - usize::from(hello.cut).min(payload.len()));
    let (frame, session) = attacker.server_hello(&client_hello[4..], &payload);
    if !hand(&mut client, &frame, &random) {
        return;
    }
    let lies = [hello.version, hello.kx, hello.suite, hello.reserved, hello.public];
    assert!(lies == [0; 5] && hello.session_id != 1 && payload.len() == 80, "{hello:?}");
    let granted = hello.features ^ 1;
    assert!(granted & 1 == 1 && granted & !(u32::from(features) | 1) == 0, "{hello:?}");
    let accept = match accept {
        Accept::Good { server_id, ttl_ms, max_frame } => DataFrame::accept({
            let (server_id, max_frame) = (server_id.as_deref().unwrap_or("eai"), max_frame ^ 1_048_576);
            format!(
                "{{\"status\":\"ok\",\"server_id\":{server_id:?},\"capabilities\":[],\"ttl_ms\":{ttl_ms},\"max_frame\":{max_frame}}}"
            )
            .into_bytes()
        }),
        Accept::Text(text) => DataFrame::accept(text),
        Accept::Frame(frame) => frame,
    };
    if !hand(&mut client, &accept.build(&session, &session.s2c, 0), &random) {
        return;
    }
    let known = client.session().unwrap();
    assert!((4_096..=1_048_576).contains(&known.max_frame) && known.server_id != "nia.min");
    let mut last = 1;
    for frame in then {
        last += u64::from(hand(&mut client, &frame.build(&session, &session.s2c, last), &random));
    }
}
