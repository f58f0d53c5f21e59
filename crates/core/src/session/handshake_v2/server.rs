//! The server's side of the handshake, in the order of work of `docs/wire.md`: layout, key, tag, fields,
//! nonce, rate, and only then the key exchange.
//!
//! An unknown key is replaced by a dummy, so that the work and the answer are those of a wrong tag.
//! Caps on connections and source addresses come before and are the owner's.

use super::accept::Accept;
use super::hello::{ClientHello, HS_VERSION, KX_PSK, KX_X25519, KeyChoice, ServerHello};
use super::{Established, Planes, expect_kind, refused, transcript_1, transcript_2};
use crate::crypto::agreement::EphemeralKey;
use crate::crypto::random::Random;
use crate::error::{Code, Error, Result};
use crate::message::Kind;
use crate::session::admission::{HalfOpen, LiveSession, no_randomness};
use crate::session::config::{ServerConfig, Session};
use crate::session::key_store::Credential;
use crate::session::keys::KeySchedule;
use crate::session::suite::{Features, Role, Suite, Suites};
use crate::time::Time;
use crate::wire::limits::{MAX_FRAME_SIZE, UNAUTHENTICATED_FRAME_LIMIT};
use std::sync::Arc;

/// A server that has heard nothing yet.
#[derive(Debug)]
pub struct ServerStart(Arc<ServerConfig>);

/// A server that has answered a ClientHello with its proof.
#[derive(Debug)]
pub struct AwaitFinish {
    config: Arc<ServerConfig>,
    session: Session,
    schedule: Schedule,
    th2: [u8; 32],
    half_open: HalfOpen,
    live: LiveSession,
}

/// Keeps the schedule out of Debug.
struct Schedule(KeySchedule);

impl core::fmt::Debug for Schedule {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("KeySchedule")
    }
}

/// A refused ClientHello.
#[derive(Debug)]
pub struct HelloRefused {
    /// Why, for the server's own log.
    pub error: Error,
    /// The tag did not verify, or there was no whole hello: only this counts against the source address.
    pub is_forged: bool,
}

impl From<Error> for HelloRefused {
    fn from(error: Error) -> Self {
        Self { error, is_forged: false }
    }
}

impl ServerStart {
    /// Begins a handshake.
    #[must_use]
    pub const fn new(config: Arc<ServerConfig>) -> Self {
        Self(config)
    }

    /// Verifies ClientHello and returns the ServerHello frame.
    ///
    /// # Errors
    /// [`Code::HandshakeFailed`] for every content that is refused, the codes of
    /// [`RawFrame::parse`](crate::wire::RawFrame::parse) for a malformed frame.
    pub fn receive(
        self,
        frame: &mut [u8],
        random: &Random,
        now: Time,
    ) -> core::result::Result<(Vec<u8>, AwaitFinish), HelloRefused> {
        let config = self.0;
        let forged = |error| HelloRefused { error, is_forged: true };
        let raw = expect_kind(frame, Kind::Auth).map_err(forged)?;
        let choice = KeyChoice::read(raw.payload()).map_err(forged)?;
        let known = core::str::from_utf8(choice.service_id)
            .ok()
            .and_then(|service_id| config.keys.find(service_id, choice.key_id, now));
        let is_known = known.is_some();
        let credential = match known {
            Some(credential) => credential,
            None => Credential {
                psk: config.dummy.clone().ok_or(Error::new(Code::Internal, "no dummy key"))?,
                capabilities: Arc::new([]),
            },
        };
        let is_authentic = credential.psk.hello_key().verify(raw.signed(), raw.tag());
        if !(is_authentic && is_known) {
            return Err(forged(refused("unknown service or key, or a wrong tag")));
        }
        let hello = ClientHello::read(raw.payload())?;
        let suite = check(&hello, &config)?;
        let half_open = HalfOpen::admit(&config, hello.key_id, hello.nonce, now)?;
        let client_hello = [raw.signed(), raw.tag()].concat();
        answer(config, &hello, &client_hello, credential, suite, half_open, random).map_err(Into::into)
    }
}

/// Checks the fields of a hello whose tag verified, and chooses the suite.
fn check(hello: &ClientHello<'_>, config: &ServerConfig) -> Result<Suite> {
    if hello.hs_version != HS_VERSION {
        return Err(refused("ClientHello of another version"));
    }
    match hello.kx {
        KX_X25519 => {}
        KX_PSK if !config.allow_psk_only => return Err(refused("a client without X25519 is not allowed")),
        KX_PSK if hello.public != [0; 32] => return Err(refused("a public key without key exchange")),
        KX_PSK => {}
        _ => return Err(refused("unknown key exchange")),
    }
    if !Features(hello.features).contains(Features::STRICT_SEQUENCE) {
        return Err(refused("the client does not count strictly"));
    }
    if hello.channel_binding != config.channel_binding {
        return Err(refused("the channel binding differs: something stands between the two TLS ends"));
    }
    if hello.service_id == config.server_id {
        return Err(Error::new(Code::Reflection, "the client has this server's own id"));
    }
    let offered = Suites(hello.suites);
    let mut accepted = config.suites.iter().copied();
    accepted.find(|suite| offered.contains(*suite)).ok_or(refused("no common suite"))
}

/// Does the expensive part: key exchange, proof, state.
fn answer(
    config: Arc<ServerConfig>,
    hello: &ClientHello<'_>,
    client_hello: &[u8],
    credential: Credential,
    suite: Suite,
    half_open: HalfOpen,
    random: &Random,
) -> Result<(Vec<u8>, AwaitFinish)> {
    let nonce = random.array().map_err(|_| no_randomness())?;
    let (public, shared) = if hello.kx == KX_X25519 {
        let key = EphemeralKey::generate(random).map_err(|_| no_randomness())?;
        let public = *key.public();
        (public, Some(key.agree(&hello.public).map_err(|_| refused("low-order client key"))?))
    } else {
        ([0; 32], None)
    };
    let live = LiveSession::register(&config, random)?;
    let features = Features(hello.features)
        .intersection(config.features.union(Features::STRICT_SEQUENCE))
        .intersection(Features::KNOWN);
    let mut server_hello = ServerHello {
        hs_version: HS_VERSION,
        kx: hello.kx,
        suite: suite.byte(),
        reserved: 0,
        features: features.0,
        session_id: live.id(),
        nonce,
        public,
    }
    .write()?;
    let schedule = KeySchedule::new(&credential.psk, shared.as_ref())?;
    let th1 = transcript_1(client_hello, &server_hello);
    let tag = schedule.server_proof().sign(&th1);
    server_hello.extend_from_slice(&tag);
    let session = Session {
        role: Role::Server,
        service_id: hello.service_id.to_owned(),
        server_id: config.server_id.clone(),
        session_id: live.id(),
        key_id: hello.key_id,
        suite,
        features,
        capabilities: credential.capabilities.to_vec(),
        ttl_ms: config.ttl_ms,
        max_frame: config.max_frame.clamp(UNAUTHENTICATED_FRAME_LIMIT, MAX_FRAME_SIZE),
    };
    let th2 = transcript_2(&th1, &tag);
    let schedule = Schedule(schedule);
    Ok((server_hello, AwaitFinish { config, session, schedule, th2, half_open, live }))
}

impl AwaitFinish {
    /// Verifies ClientFinish and returns the sealed SessionAccept frame.
    ///
    /// # Errors
    /// [`Code::HandshakeFailed`] for a wrong proof, [`Code::Revoked`] when the key is not good any more,
    /// [`Code::Protocol`] for a frame that is none of the
    /// handshake, the codes of [`RawFrame::parse`](crate::wire::RawFrame::parse) for a malformed one.
    pub fn receive(self, frame: &mut [u8], now: Time) -> Result<(Vec<u8>, Established)> {
        let raw = expect_kind(frame, Kind::AuthResponse)?;
        if !raw.payload().is_empty() {
            return Err(refused("ClientFinish has no payload"));
        }
        if !self.schedule.0.client_proof().verify(&self.th2, raw.tag()) {
            return Err(refused("the client's proof does not verify"));
        }
        let session = self.session;
        // The client has the key, and the key may have been taken away since its hello.
        if self.config.keys.find(&session.service_id, session.key_id, now).is_none() {
            return Err(Error::new(Code::Revoked, "the key was taken away during the handshake"));
        }
        let master = self.schedule.0.into_master(&self.th2)?;
        let mut planes = Planes::derive(
            &master,
            Role::Server,
            session.session_id,
            session.suite,
            session.features,
            session.max_frame,
            now,
        )?;
        let accept = Accept {
            server_id: session.server_id.clone(),
            capabilities: session.capabilities.clone(),
            ttl_ms: session.ttl_ms,
            max_frame: session.max_frame,
        };
        let accept = planes.sealer.seal_control(Kind::AuthResponse, &accept.write(), now)?;
        let exporter = master.exporter()?;
        drop((self.half_open, self.config));
        Ok((accept, Established { session, planes, exporter, live: Some(self.live) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::KeyTable;
    use crate::session::keys::Psk;

    #[test]
    fn random_hellos_are_refused_without_a_panic() {
        let psk = Arc::new(Psk::new(&[0x81; 32]).unwrap());
        let mut keys = KeyTable::new();
        keys.insert("nia.min", Arc::clone(&psk), &[]).unwrap();
        let config = Arc::new(ServerConfig::new("eai", Box::new(keys)));
        let hello = ClientHello {
            hs_version: HS_VERSION,
            kx: KX_PSK,
            suites: 1,
            features: 1,
            key_id: psk.key_id(),
            nonce: [3; 32],
            public: [0; 32],
            channel_binding: [0; 32],
            service_id: "nia.min",
        };
        let mut sample = hello.write().unwrap();
        sample.extend_from_slice(&[0; 32]);
        let random = Random::system();
        let accepted = eipc_testkit::noise::feed(&sample, |bytes| {
            ServerStart::new(Arc::clone(&config)).receive(bytes, &random, Time(0)).is_ok()
        });
        assert_eq!(accepted, 0);
    }
}
