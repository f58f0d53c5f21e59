//! The EIPC/2 handshake (`docs/wire.md`), one consuming type per role and step.
//!
//! ```text
//! client  ClientStart → AwaitServerHello → AwaitAccept → Established
//! server  ServerStart → AwaitFinish ─────────────────→ Established   (with the sealed SessionAccept)
//! ```
//!
//! A step takes the peer's frame and gives the own answer and the next step, or fails for good: a failed
//! handshake leaves no state to go on from. Time limits, alerts and the stream are `connection`'s.

mod accept;
mod client;
pub(super) mod hello;
mod server;

pub use client::{AwaitAccept, AwaitServerHello, ClientStart};
pub use server::{AwaitFinish, HelloRefused, ServerStart};

use super::admission::LiveSession;
use super::config::Session;
use super::epoch::Scope;
use super::keys::{Exporter, Master};
use super::open::Opener;
use super::seal::Sealer;
use super::suite::{Features, Plane, Role, Suite};
use crate::crypto::digest::sha256;
use crate::error::{Code, Error, Result};
use crate::message::Kind;
use crate::time::Time;
use crate::wire::limits::{MAC_LEN, UNAUTHENTICATED_FRAME_LIMIT};
use crate::wire::preamble::{FLAG_MAC, VERSION_2};
use crate::wire::{Expect, Preamble, RawFrame};

/// A session both sides have proved.
#[derive(Debug)]
pub struct Established {
    /// What both know.
    pub session: Session,
    /// The keys at work.
    pub planes: Planes,
    /// Secrets for purposes outside EIPC.
    pub exporter: Exporter,
    /// A server's hold on its session id.
    pub(crate) live: Option<LiveSession>,
}

/// Both directions of the stream and, if agreed on, of shared memory.
#[derive(Debug)]
pub struct Planes {
    /// Seals this side's frames on the stream.
    pub sealer: Sealer,
    /// Opens the peer's frames on the stream.
    pub opener: Opener,
    /// Both directions of shared memory, if it was agreed on.
    pub segment: Option<(Sealer, Opener)>,
}

impl Planes {
    fn derive(
        master: &Master,
        role: Role,
        session_id: u64,
        suite: Suite,
        features: Features,
        max_frame: usize,
        now: Time,
    ) -> Result<Self> {
        let binary_meta = features.contains(Features::BINARY_META);
        let plane = |plane| {
            let sends = Scope { suite, plane, direction: role.sends() };
            let receives = Scope { suite, plane, direction: role.receives() };
            Ok::<_, Error>((
                Sealer::new(master, sends, session_id, binary_meta, max_frame, now)?,
                Opener::new(master, receives, session_id, binary_meta, max_frame)?,
            ))
        };
        let (sealer, opener) = plane(Plane::Stream)?;
        let shares = features.contains(Features::SHARED_MEMORY);
        let segment = if shares { Some(plane(Plane::SharedMemory)?) } else { None };
        Ok(Self { sealer, opener, segment })
    }

    fn set_max_frame(&mut self, max_frame: usize) {
        self.sealer.set_max_frame(max_frame);
        self.opener.set_max_frame(max_frame);
        if let Some((sealer, opener)) = &mut self.segment {
            sealer.set_max_frame(max_frame);
            opener.set_max_frame(max_frame);
        }
    }
}

/// What every handshake frame looks like.
const EXPECT: Expect =
    Expect { version: VERSION_2, flags: FLAG_MAC, tag_len: MAC_LEN, max_frame: UNAUTHENTICATED_FRAME_LIMIT };

/// The preamble of the only ClientFinish there is.
const FINISH_PREAMBLE: Preamble = preamble(Kind::AuthResponse, 0);

const fn preamble(kind: Kind, payload_len: u32) -> Preamble {
    Preamble { version: VERSION_2, kind: kind.byte(), flags: FLAG_MAC, header_len: 0, payload_len }
}

/// Checks the shape of a handshake frame and that it is the awaited one.
fn expect_kind(frame: &mut [u8], kind: Kind) -> Result<RawFrame<'_>> {
    let raw = RawFrame::parse(frame, &EXPECT)?;
    if raw.kind() != kind.byte() {
        return Err(if Kind::from_byte(raw.kind()).is_some_and(Kind::is_handshake) {
            Error::new(Code::HandshakeFailed, "another handshake message was due")
        } else {
            Error::new(Code::Protocol, "a frame arrived before the handshake was done")
        });
    }
    if raw.header_len() != 0 {
        return Err(refused("a handshake message has no header"));
    }
    Ok(raw)
}

/// Hashes everything both hellos say, except ServerHello's tag.
pub(super) fn transcript_1(client_hello: &[u8], server_hello: &[u8]) -> [u8; 32] {
    sha256(&[b"EIPC/2 th1\0", client_hello, server_hello])
}

/// Adds the server's proof and what the client is about to say.
pub(super) fn transcript_2(th1: &[u8; 32], server_tag: &[u8]) -> [u8; 32] {
    sha256(&[b"EIPC/2 th2\0", th1, server_tag, &FINISH_PREAMBLE.to_bytes()])
}

/// A handshake failure with its local reason; the peer sees one generic alert.
const fn refused(why: &'static str) -> Error {
    Error::new(Code::HandshakeFailed, why)
}
