//! The steps of a handshake as a connection takes them: which one is due, what is sent, what the peer is
//! told when it fails.
//!
//! What the messages must say is in `handshake_v2`; time limits and the stream are `connection`'s.

use super::Failure;
use crate::crypto::random::Random;
use crate::error::{Code, Error};
use crate::session::control::Alert;
use crate::session::handshake_v2::{AwaitAccept, AwaitFinish, AwaitServerHello, Established, ServerStart};
use crate::time::Time;
use crate::wire::limits::{MAX_FRAME_SIZE, UNAUTHENTICATED_FRAME_LIMIT};

/// The message that is awaited.
#[derive(Debug)]
pub(super) enum Handshaking {
    ClientHello(ServerStart),
    Finish(Box<AwaitFinish>),
    ServerHello(Box<AwaitServerHello>),
    Accept(Box<AwaitAccept>),
}

/// What a frame led to.
#[derive(Debug)]
pub(super) struct Step {
    /// What to answer, if anything.
    pub(super) transmit: Option<Vec<u8>>,
    pub(super) next: Next,
}

#[derive(Debug)]
pub(super) enum Next {
    Step(Handshaking),
    Established(Box<Established>),
}

impl Handshaking {
    /// `docs/wire.md`: 4 096 bytes until the peer has proved itself, for the server by ClientFinish, for
    /// the client by ServerHello.
    pub(super) const fn frame_limit(&self) -> usize {
        match self {
            Self::Accept(_) => MAX_FRAME_SIZE,
            _ => UNAUTHENTICATED_FRAME_LIMIT,
        }
    }

    /// Returns what the peer is told when this side gives up.
    pub(super) fn alert(&mut self, now: Time) -> Vec<u8> {
        let sealed = match self {
            Self::Accept(client) => client.alert(now),
            _ => None,
        };
        sealed.unwrap_or_else(|| Alert::HandshakeRefused.unprotected_frame())
    }

    /// Takes the peer's frame; a failure leaves nothing to go on from.
    pub(super) fn handle_frame(self, frame: &mut [u8], random: &Random, now: Time) -> Result<Step, Failure> {
        if Alert::is_unprotected(frame) {
            let error = Error::new(Code::HandshakeFailed, "the peer refused or gave up");
            return Err(Failure::silent(error));
        }
        match self {
            Self::ClientHello(start) => {
                let (hello, next) = start.receive(frame, random, now).map_err(|refused| Failure {
                    is_hello_forged: refused.is_forged,
                    ..Failure::handshake(refused.error)
                })?;
                Ok(Step { transmit: Some(hello), next: Next::Step(Self::Finish(Box::new(next))) })
            }
            Self::Finish(await_finish) => {
                let (accept, established) = await_finish.receive(frame, now).map_err(Failure::handshake)?;
                Ok(Step { transmit: Some(accept), next: Next::Established(Box::new(established)) })
            }
            Self::ServerHello(await_hello) => {
                let (finish, next) = await_hello.receive(frame, now).map_err(Failure::handshake)?;
                Ok(Step { transmit: Some(finish), next: Next::Step(Self::Accept(Box::new(next))) })
            }
            Self::Accept(await_accept) => {
                let established = await_accept.receive_or_reject(frame).map_err(|rejected| Failure {
                    alert: Some(Self::Accept(rejected.client).alert(now)),
                    ..Failure::silent(rejected.error)
                })?;
                Ok(Step { transmit: None, next: Next::Established(Box::new(established)) })
            }
        }
    }
}
