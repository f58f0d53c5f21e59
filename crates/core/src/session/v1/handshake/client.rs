//! The client's side of the handshake.
//!
//! The nonce is the server's choice, and the answer is a tag under the key that also signs frames. Only
//! what no frame can be is answered: exactly 32 bytes that do not begin as every frame does.

use super::payload::{Answer, Claim};
use super::{Established, Style, refused};
use crate::error::Result;
use crate::hex;
use crate::message::Kind;
use crate::session::Role;
use crate::session::v1::key::Key;
use crate::session::v1::open::Opener;
use crate::session::v1::options::{ClientConfig, Session};
use crate::session::v1::seal::Sealer;
use crate::session::v1::{MAX_TOKEN_LEN, check_ids};
use crate::wire::preamble::MAGIC;
use std::sync::Arc;

/// A client that has sent nothing yet.
#[derive(Debug)]
pub struct ClientStart(ClientConfig);

/// A client that has said who it is.
#[derive(Debug)]
pub struct AwaitChallenge(Progress);

/// A client that has answered the challenge.
#[derive(Debug)]
pub struct AwaitResult(Progress);

#[derive(Debug)]
struct Progress {
    key: Arc<Key>,
    own_id: String,
    style: Style,
    max_frame: usize,
    sealer: Sealer,
    opener: Opener,
}

impl ClientStart {
    /// Checks a configuration.
    ///
    /// # Errors
    /// [`Code::HandshakeFailed`](crate::Code::HandshakeFailed) for an id that is none,
    /// [`Code::Reflection`](crate::Code::Reflection) when both sides have the same.
    pub fn new(config: ClientConfig) -> Result<Self> {
        check_ids(&config.service_id, config.server_id.as_deref())?;
        Ok(Self(config))
    }

    /// Returns the frame that says who this is. `unix_ns` is the time its header tells.
    ///
    /// # Errors
    /// None that an owner could cause.
    pub fn hello(self, unix_ns: i64) -> Result<(Vec<u8>, AwaitChallenge)> {
        let ClientConfig { key, service_id: own_id, server_id, options } = self.0;
        let style = if options.ack_handshake { Style::Acks } else { Style::Typed };
        let opener = Opener::new(Arc::clone(&key), &own_id, server_id, &options);
        let mut sealer = Sealer::new(Arc::clone(&key), &own_id, "", options.max_frame());
        let claim = Claim::write(&own_id, None);
        let frame = sealer.seal_step(style.of(Kind::Auth), "", unix_ns, &claim)?;
        let max_frame = options.max_frame();
        Ok((frame, AwaitChallenge(Progress { key, own_id, style, max_frame, sealer, opener })))
    }
}

impl Progress {
    /// Opens the server's frame, which is `kind` or a denial.
    fn receive(&mut self, frame: &mut [u8], kind: Kind) -> Result<Answer> {
        let awaited = self.style.of(kind);
        let denial = self.style.of(Kind::AuthResponse);
        let envelope = self.opener.receive_kind(frame, |kind| kind == awaited || kind == denial)?;
        let answer = Answer::read(envelope.payload())?;
        if answer.status == "denied" {
            return Err(refused("the server denied"));
        }
        if envelope.kind() != awaited {
            return Err(refused("the server skipped the challenge"));
        }
        Ok(answer)
    }
}

impl AwaitChallenge {
    /// Answers the server's challenge.
    ///
    /// # Errors
    /// [`Code::HandshakeFailed`](crate::Code::HandshakeFailed) when the server denies, or asks for a tag
    /// that could serve for something else; [`Code::BadPayload`](crate::Code::BadPayload) for a malformed
    /// payload; the codes of [`Opener::receive`] for everything before it.
    pub fn receive(mut self, frame: &mut [u8], unix_ns: i64) -> Result<(Vec<u8>, AwaitResult)> {
        let progress = &mut self.0;
        let answer = progress.receive(frame, Kind::Challenge)?;
        if answer.status != "challenge" {
            return Err(refused("the server sent no challenge"));
        }
        let nonce = answer.nonce.as_deref().and_then(hex::decode::<32>);
        let nonce = nonce.ok_or(refused("the nonce is not 32 bytes in hexadecimal digits"))?;
        if nonce.starts_with(&MAGIC) {
            return Err(refused("the nonce begins as a frame does"));
        }
        let response = progress.key.mac().sign(&nonce);
        let claim = Claim::write(&progress.own_id, Some(&response));
        let kind = progress.style.of(Kind::AuthResponse);
        let frame = progress.sealer.seal_step(kind, "", unix_ns, &claim)?;
        Ok((frame, AwaitResult(self.0)))
    }
}

impl AwaitResult {
    /// Takes the server's word that this client is known.
    ///
    /// # Errors
    /// [`Code::HandshakeFailed`](crate::Code::HandshakeFailed) when the server denies or gives no token;
    /// otherwise as [`AwaitChallenge::receive`].
    pub fn receive(self, frame: &mut [u8]) -> Result<Established> {
        let mut progress = self.0;
        let answer = progress.receive(frame, Kind::AuthResponse)?;
        if answer.status != "ok" {
            return Err(refused("the status of the result is not ok"));
        }
        let token = answer.token.unwrap_or_default();
        if !(1..=MAX_TOKEN_LEN).contains(&token.len()) {
            return Err(refused("the token is empty or too long"));
        }
        let Progress { own_id, max_frame, mut sealer, mut opener, .. } = progress;
        sealer.begin_session(&token);
        opener.begin_session(&token);
        let session = Session {
            role: Role::Client,
            own_id,
            peer_id: opener.peer_id().map(str::to_owned),
            session_id: token,
            capabilities: answer.capabilities,
            ttl_ms: 0,
            max_frame,
        };
        Ok(Established { session, sealer, opener })
    }
}
