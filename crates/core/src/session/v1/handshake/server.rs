//! The server's side of the handshake: which key, which service, does it answer.
//!
//! The key that verifies is the identity. A claim of another id is denied with the same bytes as one of
//! an id nobody has. A frame that no key verifies is not answered: nothing could be signed.

use super::payload::{Answer, Claim};
use super::{Established, Style, refused};
use crate::crypto::random::Random;
use crate::error::{Code, Error, Result};
use crate::hex;
use crate::message::Kind;
use crate::session::Role;
use crate::session::admission::no_randomness;
use crate::session::v1::key::Credential;
use crate::session::v1::open::{Envelope, Opener};
use crate::session::v1::options::{ServerConfig, Session};
use crate::session::v1::seal::Sealer;
use crate::time::Time;
use crate::wire::RawFrame;
use crate::wire::frame_v1::expect;
use crate::wire::limits::UNAUTHENTICATED_FRAME_LIMIT;
use crate::wire::preamble::MAGIC;
use std::sync::Arc;

/// A server that has heard nothing yet.
#[derive(Debug)]
pub struct ServerStart(Arc<ServerConfig>);

/// A server that has sent its challenge.
#[derive(Debug)]
pub struct AwaitResponse {
    config: Arc<ServerConfig>,
    credential: Credential,
    style: Style,
    nonce: [u8; 32],
    sealer: Sealer,
    opener: Opener,
}

/// A refused client.
#[derive(Debug)]
pub struct Denied {
    /// Why, for the server's own log.
    pub error: Error,
    /// What the client is told, where it is its claim or its answer that was refused: the same in all
    /// cases. A frame that has no place here is not answered.
    pub denial: Option<Vec<u8>>,
    /// No key verified the first frame, or it was none: only this counts against the source address.
    pub is_forged: bool,
}

impl From<Error> for Denied {
    fn from(error: Error) -> Self {
        Self { error, denial: None, is_forged: false }
    }
}

type Outcome<T> = core::result::Result<T, Denied>;

impl ServerStart {
    /// Begins a handshake.
    #[must_use]
    pub const fn new(config: Arc<ServerConfig>) -> Self {
        Self(config)
    }

    /// Finds the client's key by its first frame and returns the challenge. `unix_ns` is the time the
    /// answer's header tells.
    ///
    /// # Errors
    /// [`Code::Integrity`] when no key verifies, [`Code::Identity`] when the claimed id is not the key's,
    /// [`Code::BadPayload`] for a malformed payload, the codes of [`Opener::receive`] for the rest.
    pub fn receive(
        self,
        frame: &mut [u8],
        random: &Random,
        unix_ns: i64,
    ) -> Outcome<(Vec<u8>, AwaitResponse)> {
        let (credential, mut sealer, mut opener) = self.identify(frame)?;
        let accepts_acks = self.0.options.ack_handshake;
        let mut style = Style::Typed;
        let mut request_id = String::new();
        let allows = |kind| {
            if kind == Kind::Ack && accepts_acks {
                style = Style::Acks;
            }
            kind == Kind::Auth || style == Style::Acks
        };
        let claim = opener.receive_kind(frame, allows).and_then(|envelope| {
            request_id = envelope.meta().request_id.clone().into_owned();
            check_claim(&envelope, &credential)
        });
        if let Err(error) = claim {
            return Err(deny(error, &mut sealer, style, &request_id, unix_ns));
        }
        let nonce = nonce(random)?;
        let challenge = Answer::write_challenge(&nonce);
        let frame = sealer.seal_step(style.of(Kind::Challenge), &request_id, unix_ns, &challenge)?;
        Ok((frame, AwaitResponse { config: self.0, credential, style, nonce, sealer, opener }))
    }

    /// Finds the client's key by its first frame, which is a message already. Nothing separates sessions:
    /// recorded frames open a new one.
    ///
    /// # Errors
    /// [`Code::Integrity`] when no key verifies, otherwise the codes of [`Opener::receive`]. Nothing is
    /// answered.
    pub fn receive_message<'a>(self, frame: &'a mut [u8]) -> Outcome<(Established, Envelope<'a>)> {
        let (credential, sealer, mut opener) = self.identify(frame)?;
        let envelope = opener.receive(frame)?;
        let session = session(&self.0, &credential, String::new());
        Ok((Established { session, sealer, opener }, envelope))
    }

    /// Tries the keys.
    fn identify(&self, frame: &mut [u8]) -> Outcome<(Credential, Sealer, Opener)> {
        let forged = |error| Denied { is_forged: true, ..Denied::from(error) };
        let raw = RawFrame::parse(frame, &expect(UNAUTHENTICATED_FRAME_LIMIT)).map_err(forged)?;
        let Some(credential) = self.0.keys.look(|table| table.find(raw.signed(), raw.tag())) else {
            return Err(forged(Error::new(Code::Integrity, "no key verifies the first frame")));
        };
        let ServerConfig { server_id, options, .. } = &*self.0;
        let peer_id = Some(credential.service_id.clone());
        let sealer = Sealer::new(Arc::clone(&credential.key), server_id, "", options.max_frame());
        let opener = Opener::new(Arc::clone(&credential.key), server_id, peer_id, options);
        Ok((credential, sealer, opener))
    }

    /// Has the keys whose end has come forgotten, before they are tried.
    pub(in crate::session::v1) fn forget_ended(&self, now: Time) {
        self.0.keys.change(|table| table.forget_ended(now));
    }
}

impl AwaitResponse {
    /// As for [`ServerStart`].
    pub(in crate::session::v1) fn forget_ended(&self, now: Time) {
        self.config.keys.change(|table| table.forget_ended(now));
    }

    /// Checks the client's answer and returns the frame with the session's token.
    ///
    /// # Errors
    /// [`Code::HandshakeFailed`] for a wrong answer, [`Code::Revoked`] when the key is not good any more; otherwise as [`ServerStart::receive`].
    pub fn receive(self, frame: &mut [u8], random: &Random, unix_ns: i64) -> Outcome<(Vec<u8>, Established)> {
        let Self { config, credential, style, nonce, mut sealer, mut opener } = self;
        // The client may have the key, and the key may have been taken away since its challenge.
        if !config.keys.look(|table| table.has(&credential.key)) {
            return Err(Error::new(Code::Revoked, "the key was taken away during the handshake").into());
        }
        let awaited = style.of(Kind::AuthResponse);
        let mut request_id = String::new();
        let answer = opener.receive_kind(frame, |kind| kind == awaited).and_then(|envelope| {
            request_id = envelope.meta().request_id.clone().into_owned();
            let claim = check_claim(&envelope, &credential)?;
            let response = claim.response.as_deref().and_then(hex::decode::<32>).unwrap_or_default();
            if credential.key.mac().verify(&nonce, &response) {
                Ok(())
            } else {
                Err(refused("the response does not answer the challenge"))
            }
        });
        if let Err(error) = answer {
            return Err(deny(error, &mut sealer, style, &request_id, unix_ns));
        }
        let token = hex::encode(&random.array::<32>().map_err(|_| no_randomness())?);
        let ok = Answer::write_ok(&token, &credential.capabilities);
        let frame = sealer.seal_step(awaited, &request_id, unix_ns, &ok)?;
        sealer.begin_session(&token);
        opener.begin_session(&token);
        Ok((frame, Established { session: session(&config, &credential, token), sealer, opener }))
    }
}

/// Reads a payload and compares the id it claims with the key's.
fn check_claim(envelope: &Envelope<'_>, credential: &Credential) -> Result<Claim> {
    let claim = Claim::read(envelope.payload())?;
    if claim.service_id != credential.service_id {
        return Err(Error::new(Code::Identity, "the claimed service id is not the key's"));
    }
    Ok(claim)
}

/// Makes the one denial, where the client hears of it.
fn deny(error: Error, sealer: &mut Sealer, style: Style, request_id: &str, unix_ns: i64) -> Denied {
    let is_told = matches!(error.code, Code::Identity | Code::BadPayload | Code::HandshakeFailed);
    let kind = style.of(Kind::AuthResponse);
    let denial = if is_told {
        sealer.seal_step(kind, request_id, unix_ns, &Answer::write_denial()).ok()
    } else {
        None
    };
    Denied { denial, ..Denied::from(error) }
}

/// Draws a nonce our own client would answer.
fn nonce(random: &Random) -> Result<[u8; 32]> {
    for _ in 0..NONCE_DRAWS {
        let nonce: [u8; 32] = random.array().map_err(|_| no_randomness())?;
        if !nonce.starts_with(&MAGIC) {
            return Ok(nonce);
        }
    }
    Err(no_randomness())
}

/// Draws before giving up; one is enough unless the generator is broken.
const NONCE_DRAWS: usize = 8;

fn session(config: &ServerConfig, credential: &Credential, session_id: String) -> Session {
    Session {
        role: Role::Server,
        own_id: config.server_id.clone(),
        peer_id: Some(credential.service_id.clone()),
        session_id,
        capabilities: credential.capabilities.to_vec(),
        ttl_ms: config.ttl_ms,
        max_frame: config.options.max_frame(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::v1::encode_frame;
    use crate::session::v1::key::{Key, KeyTable};

    #[test]
    fn random_hellos_are_refused_without_a_panic() {
        let key = b"secret-key-32bytes!!";
        let mut keys = KeyTable::new();
        keys.insert("nia.min", Arc::new(Key::new(key).unwrap()), &[]).unwrap();
        let config = Arc::new(ServerConfig::new("eipc-server", keys));
        let header = br#"{"service_id":"nia.min","sequence":1,"timestamp":"0","priority":0}"#;
        let good = encode_frame(b'A', header, b"{\"service_id\":\"nia.min\"}", Some(key)).unwrap();
        let random = Random::system();
        eipc_testkit::noise::feed(&good, |bytes| {
            let is_good = bytes == good;
            let is_accepted = ServerStart::new(Arc::clone(&config)).receive(bytes, &random, 0).is_ok();
            assert!(is_good || !is_accepted);
            is_accepted
        });
    }
}
