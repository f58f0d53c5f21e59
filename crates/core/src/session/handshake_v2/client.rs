//! The client's side of the handshake.
//!
//! Sends ClientHello, demands the server's proof before it gives its own, then demands SessionAccept
//! under the new keys before it says anything else.

use super::accept::Accept;
use super::hello::{ClientHello, HS_VERSION, KX_PSK, KX_X25519, ServerHello};
use super::{Established, FINISH_PREAMBLE, Planes, expect_kind, refused, transcript_1, transcript_2};
use crate::crypto::agreement::EphemeralKey;
use crate::crypto::random::Random;
use crate::error::{Code, Error, Result};
use crate::message::Kind;
use crate::session::admission::no_randomness;
use crate::session::config::{ClientConfig, Session};
use crate::session::control::Alert;
use crate::session::envelope::Stage;
use crate::session::keys::{Exporter, KeySchedule};
use crate::session::suite::{Features, Role, Suite, Suites};
use crate::time::Time;
use crate::wire::limits::{MAX_FRAME_SIZE, is_id};

/// A client that has said nothing yet.
#[derive(Debug)]
pub struct ClientStart(ClientConfig);

/// A client that has sent ClientHello.
#[derive(Debug)]
pub struct AwaitServerHello {
    config: ClientConfig,
    features: Features,
    hello: Vec<u8>,
    ephemeral: Option<EphemeralKey>,
}

/// A client that has verified the server's proof and given its own.
#[derive(Debug)]
pub struct AwaitAccept {
    config: ClientConfig,
    session_id: u64,
    suite: Suite,
    features: Features,
    planes: Planes,
    exporter: Exporter,
}

/// A refused SessionAccept, and the client that may still say so.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub(crate) error: Error,
    pub(crate) client: Box<AwaitAccept>,
}

impl ClientStart {
    /// Checks a configuration.
    ///
    /// # Errors
    /// [`Code::HandshakeFailed`] for a service id that is none, or when no offered suite is available.
    pub fn new(config: ClientConfig) -> Result<Self> {
        if !is_id(&config.service_id) {
            return Err(refused("a service id is 1..64 of [a-z0-9._-]"));
        }
        if config.suites.0 & Suites::AVAILABLE.0 == 0 {
            return Err(refused("this build has none of the offered suites"));
        }
        Ok(Self(config))
    }

    /// Returns the ClientHello frame.
    ///
    /// # Errors
    /// [`Code::Internal`] when the random generator fails.
    pub fn hello(self, random: &Random) -> Result<(Vec<u8>, AwaitServerHello)> {
        let config = self.0;
        let nonce = random.array().map_err(|_| no_randomness())?;
        let ephemeral = if config.psk_only {
            None
        } else {
            Some(EphemeralKey::generate(random).map_err(|_| no_randomness())?)
        };
        let features = config.features.union(Features::STRICT_SEQUENCE);
        let mut hello = ClientHello {
            hs_version: HS_VERSION,
            kx: if config.psk_only { KX_PSK } else { KX_X25519 },
            suites: config.suites.0,
            features: features.0,
            key_id: config.psk.key_id(),
            nonce,
            public: ephemeral.as_ref().map_or([0; 32], |key| *key.public()),
            channel_binding: config.channel_binding,
            service_id: &config.service_id,
        }
        .write()?;
        let tag = config.psk.hello_key().sign(&hello);
        hello.extend_from_slice(&tag);
        Ok((hello.clone(), AwaitServerHello { config, features, hello, ephemeral }))
    }
}

impl AwaitServerHello {
    /// Verifies ServerHello and returns the ClientFinish frame.
    ///
    /// # Errors
    /// [`Code::HandshakeFailed`] for a wrong proof or a field the client must refuse; the codes of
    /// [`RawFrame::parse`](crate::wire::RawFrame::parse) for a malformed frame.
    pub fn receive(self, frame: &mut [u8], now: Time) -> Result<(Vec<u8>, AwaitAccept)> {
        let raw = expect_kind(frame, Kind::Challenge)?;
        let hello = ServerHello::read(raw.payload())?;
        let shared = match self.ephemeral {
            None => None,
            Some(key) => Some(key.agree(&hello.public).map_err(|_| refused("low-order server key"))?),
        };
        let schedule = KeySchedule::new(&self.config.psk, shared.as_ref())?;
        let th1 = transcript_1(&self.hello, raw.signed());
        if !schedule.server_proof().verify(&th1, raw.tag()) {
            return Err(refused("the server's proof does not verify"));
        }
        let (suite, features) = check(&hello, &self.config, self.features)?;
        let th2 = transcript_2(&th1, raw.tag());
        let mut finish = FINISH_PREAMBLE.to_bytes().to_vec();
        finish.extend_from_slice(&schedule.client_proof().sign(&th2));
        let master = schedule.into_master(&th2)?;
        let session_id = hello.session_id;
        let mut planes =
            Planes::derive(&master, Role::Client, session_id, suite, features, MAX_FRAME_SIZE, now)?;
        planes.opener.set_stage(Stage::Accept);
        let exporter = master.exporter()?;
        Ok((finish, AwaitAccept { config: self.config, session_id, suite, features, planes, exporter }))
    }
}

/// Checks what a proven ServerHello chose.
fn check(hello: &ServerHello, config: &ClientConfig, offered: Features) -> Result<(Suite, Features)> {
    let kx = if config.psk_only { KX_PSK } else { KX_X25519 };
    if hello.hs_version != HS_VERSION || hello.reserved != 0 {
        return Err(refused("ServerHello of another version"));
    }
    if hello.kx != kx || (kx == KX_PSK && hello.public != [0; 32]) {
        return Err(refused("the server chose another key exchange"));
    }
    let suite = Suite::from_byte(hello.suite)
        .filter(|suite| config.suites.contains(*suite))
        .ok_or(refused("the server chose a suite that was not offered"))?;
    let features = Features(hello.features);
    if !offered.contains(features) || !features.contains(Features::STRICT_SEQUENCE) {
        return Err(refused("the server chose features that were not offered, or not strict sequence"));
    }
    if hello.session_id == 0 {
        return Err(refused("session id 0"));
    }
    Ok((suite, features))
}

impl AwaitAccept {
    /// Opens SessionAccept and checks who the server is.
    ///
    /// # Errors
    /// The codes of [`Opener::receive`](crate::Opener::receive); [`Code::Identity`] when the server has
    /// another id than configured, [`Code::Reflection`] when it has the client's own;
    /// [`Code::HandshakeFailed`] for any other content the client must refuse.
    pub fn receive(self, frame: &mut [u8]) -> Result<Established> {
        self.receive_or_reject(frame).map_err(|rejected| rejected.error)
    }

    pub(crate) fn receive_or_reject(
        mut self,
        frame: &mut [u8],
    ) -> core::result::Result<Established, Rejected> {
        let opened = self.planes.opener.receive(frame);
        let accept = match opened.and_then(|envelope| check_accept(envelope.payload(), &self.config)) {
            Ok(accept) => accept,
            Err(error) => return Err(Rejected { error, client: Box::new(self) }),
        };
        self.planes.opener.set_stage(Stage::Session);
        self.planes.set_max_frame(accept.max_frame);
        let session = Session {
            role: Role::Client,
            service_id: self.config.service_id,
            server_id: accept.server_id,
            session_id: self.session_id,
            key_id: self.config.psk.key_id(),
            suite: self.suite,
            features: self.features,
            capabilities: accept.capabilities,
            ttl_ms: accept.ttl_ms,
            max_frame: accept.max_frame,
        };
        Ok(Established { session, planes: self.planes, exporter: self.exporter, live: None })
    }

    /// Returns the alert of a client that gives up here. It is sealed: the server that has verified
    /// ClientFinish counts the session open, and would take an alert without a tag for an attack.
    pub(crate) fn alert(&mut self, now: Time) -> Option<Vec<u8>> {
        self.planes.sealer.seal_control(Kind::Alert, &Alert::HandshakeRefused.payload(), now).ok()
    }
}

/// Checks what a SessionAccept under the right keys says.
fn check_accept(payload: &[u8], config: &ClientConfig) -> Result<Accept> {
    let accept = Accept::read(payload)?;
    if accept.server_id == config.service_id {
        return Err(Error::new(Code::Reflection, "the server has this client's own id"));
    }
    if config.server_id.as_ref().is_some_and(|expected| *expected != accept.server_id) {
        return Err(Error::new(Code::Identity, "the server has another id than configured"));
    }
    Ok(accept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::keys::Psk;
    use std::sync::Arc;

    /// The attacker of this test holds the key, so that its proof is right and only the fields are wrong.
    #[test]
    fn every_field_of_a_proven_server_hello_is_checked() {
        let psk = Arc::new(Psk::new(&[0x81; 32]).unwrap());
        let suites = Suites::of(&[Suite::HmacSha256, Suite::Aes256Gcm]);
        let with_x25519 = ClientConfig { suites, ..ClientConfig::new(Arc::clone(&psk), "nia.min") };
        let psk_only = ClientConfig { psk_only: true, ..with_x25519.clone() };
        let good = ServerHello {
            hs_version: 1,
            kx: KX_X25519,
            suite: 1,
            reserved: 0,
            features: 5,
            session_id: 9,
            nonce: [1; 32],
            public: [2; 32],
        };
        let plain = ServerHello { kx: KX_PSK, public: [0; 32], ..good };
        let offered = Features(5);
        assert_eq!(check(&good, &with_x25519, offered), Ok((Suite::HmacSha256, offered)));
        assert_eq!(check(&plain, &psk_only, offered), Ok((Suite::HmacSha256, offered)));
        for (wrong, config) in [
            (ServerHello { hs_version: 2, ..good }, &with_x25519),
            (ServerHello { reserved: 1, ..good }, &with_x25519),
            (ServerHello { kx: 2, ..good }, &with_x25519),
            (plain, &with_x25519),
            (good, &psk_only),
            (ServerHello { public: [2; 32], ..plain }, &psk_only),
            (ServerHello { suite: 0, ..good }, &with_x25519),
            (ServerHello { suite: 2, ..good }, &with_x25519),
            (ServerHello { suite: 4, ..good }, &with_x25519),
            (ServerHello { features: 4, ..good }, &with_x25519),
            (ServerHello { features: 13, ..good }, &with_x25519),
            (ServerHello { features: 0x8000_0001, ..good }, &with_x25519),
            (ServerHello { session_id: 0, ..good }, &with_x25519),
        ] {
            let error = check(&wrong, config, offered).unwrap_err();
            assert_eq!(error.code, Code::HandshakeFailed, "{wrong:?}");
        }
    }

    /// The attacker holds the key and makes whole ServerHellos with the right proof; `answer` says what
    /// is in it, after the key exchange its `kx` names.
    #[test]
    fn a_proven_server_hello_is_refused_for_its_fields() {
        let random = Random::system();
        let psk = Arc::new(Psk::new(&[0x81; 32]).unwrap());
        let attempt = |psk_only: bool, answer: &dyn Fn(ServerHello) -> ServerHello| {
            let config = ClientConfig { psk_only, ..ClientConfig::new(Arc::clone(&psk), "nia.min") };
            let (client_hello, client) = ClientStart::new(config).unwrap().hello(&random).unwrap();
            let key = EphemeralKey::generate(&random).unwrap();
            let hello = answer(ServerHello {
                hs_version: HS_VERSION,
                kx: if psk_only { KX_PSK } else { KX_X25519 },
                suite: 1,
                reserved: 0,
                features: 5,
                session_id: 9,
                nonce: [1; 32],
                public: if psk_only { [0; 32] } else { *key.public() },
            });
            // The server computes what the client will, as far as it can.
            let theirs: [u8; 32] = client_hello[16 + 48..][..32].try_into().unwrap();
            let shared = (!psk_only && hello.public != [0; 32]).then(|| key.agree(&theirs).unwrap());
            let schedule = KeySchedule::new(&psk, shared.as_ref()).unwrap();
            let mut frame = hello.write().unwrap();
            let th1 = transcript_1(&client_hello, &frame);
            frame.extend_from_slice(&schedule.server_proof().sign(&th1));
            client.receive(&mut frame, Time(0)).map(drop).map_err(|error| error.context)
        };
        assert_eq!(attempt(false, &|good| good), Ok(()));
        assert_eq!(attempt(true, &|good| good), Ok(()));
        let refused = |psk_only, answer: &dyn Fn(ServerHello) -> ServerHello, why: &'static str| {
            assert_eq!(attempt(psk_only, answer).unwrap_err(), why);
        };
        for psk_only in [false, true] {
            refused(
                psk_only,
                &|good| ServerHello { hs_version: 2, ..good },
                "ServerHello of another version",
            );
            refused(
                psk_only,
                &|good| ServerHello { hs_version: 0, ..good },
                "ServerHello of another version",
            );
            refused(psk_only, &|good| ServerHello { reserved: 1, ..good }, "ServerHello of another version");
            refused(psk_only, &|good| ServerHello { session_id: 0, ..good }, "session id 0");
        }
        let other_kx = "the server chose another key exchange";
        refused(false, &|good| ServerHello { kx: KX_PSK, ..good }, other_kx);
        refused(true, &|good| ServerHello { kx: KX_X25519, ..good }, other_kx);
        refused(true, &|good| ServerHello { kx: KX_X25519, public: [2; 32], ..good }, other_kx);
        refused(true, &|good| ServerHello { public: [2; 32], ..good }, other_kx);
        // Down to the PSK alone: the client has begun a key exchange and accepts no zeros for it.
        let low_order = "low-order server key";
        refused(false, &|good| ServerHello { kx: KX_PSK, public: [0; 32], ..good }, low_order);
        refused(false, &|good| ServerHello { public: [0; 32], ..good }, low_order);
    }

    /// The attacker of this test is a server that holds the key and lies about its id.
    #[test]
    fn the_servers_id_is_the_configured_one_and_not_the_clients_own() {
        let psk = Arc::new(Psk::new(&[0x81; 32]).unwrap());
        let pinned = ClientConfig { server_id: Some("eai".into()), ..ClientConfig::new(psk, "nia.min") };
        let open = ClientConfig { server_id: None, ..pinned.clone() };
        let says = |server_id: &str, config: &ClientConfig| {
            let accept =
                Accept { server_id: server_id.into(), capabilities: vec![], ttl_ms: 0, max_frame: 4_096 };
            check_accept(&accept.write(), config).map(drop).map_err(|error| error.code)
        };
        assert_eq!(says("eai", &pinned), Ok(()));
        assert_eq!(says("eai", &open), Ok(()));
        assert_eq!(says("other", &open), Ok(()), "the owner pins it");
        assert_eq!(says("other", &pinned), Err(Code::Identity));
        assert_eq!(says("nia.min", &open), Err(Code::Reflection));
        assert_eq!(says("nia.min", &pinned), Err(Code::Reflection));
        assert_eq!(says("EAI", &open), Err(Code::Identity));
    }

    #[test]
    fn a_client_without_an_id_or_randomness_says_nothing() {
        let psk = Arc::new(Psk::new(&[0x81; 32]).unwrap());
        for wrong in ["", "Nia", "nia min", &"x".repeat(65)] {
            let error = ClientStart::new(ClientConfig::new(Arc::clone(&psk), wrong)).unwrap_err();
            assert_eq!(error.code, Code::HandshakeFailed, "{wrong:?}");
        }
        let hello = |psk_only, random: &[u8]| {
            let config = ClientConfig { psk_only, ..ClientConfig::new(Arc::clone(&psk), "nia.min") };
            ClientStart::new(config).unwrap().hello(&Random::fixed(random)).map(drop)
        };
        assert_eq!((hello(true, &[7; 32]), hello(false, &[7; 64])), (Ok(()), Ok(())));
        for (psk_only, drawn) in [(true, 0), (true, 31), (false, 0), (false, 32), (false, 63)] {
            assert_eq!(hello(psk_only, &vec![7; drawn]), Err(no_randomness()), "{psk_only} {drawn}");
        }
    }
}
