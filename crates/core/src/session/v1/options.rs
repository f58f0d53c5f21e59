//! What an owner decides about a v1 session, and what it knows once one stands.
//!
//! Every default is the strict rule of `docs/wire.md`, "v1, hardened". An option that relaxes one is for
//! a peer that is known to need it.

use super::key::{Key, KeyTable};
use super::replay::WindowSize;
use crate::session::config::HANDSHAKE_TIMEOUT;
use crate::session::{LiveKeys, Role};
use crate::wire::header_v1::TimestampRule;
use crate::wire::limits::{MAX_FRAME_SIZE, UNAUTHENTICATED_FRAME_LIMIT};
use core::fmt;
use core::time::Duration;
use std::sync::Arc;

/// What the `service_id` of a received header must be. The own id is refused in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum SourceRule {
    /// The authenticated peer's.
    #[default]
    Peer,
    /// Any other than the own: for a program that sends under several names with one key.
    Any,
}

/// What the `session_id` of a received header must be, in a session that has a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum SessionIdRule {
    /// The token. An empty one is wrong too.
    #[default]
    Always,
    /// The token, or empty: for the C SDK. Frames without one that were recorded in another session of the
    /// same key then pass too, if they count further.
    WhenPresent,
}

/// What both sides may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Relaxes the timestamp.
    pub timestamp: TimestampRule,
    /// Relaxes the source.
    pub source: SourceRule,
    /// Relaxes the session id.
    pub session_id: SessionIdRule,
    /// Speak, or as a server also accept, the old handshake in which all four frames have the type `ack`.
    pub ack_handshake: bool,
    /// How far behind the newest frame an older one may arrive.
    pub replay_window: WindowSize,
    /// The largest frame in either direction, 4 096..=1 048 576; other values are taken to the nearest.
    pub max_frame: usize,
    /// How long the handshake may take in all; 10 s.
    pub handshake_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timestamp: TimestampRule::Strict,
            source: SourceRule::Peer,
            session_id: SessionIdRule::Always,
            ack_handshake: false,
            replay_window: WindowSize::default(),
            max_frame: MAX_FRAME_SIZE,
            handshake_timeout: HANDSHAKE_TIMEOUT,
        }
    }
}

impl Options {
    pub(super) fn max_frame(&self) -> usize {
        self.max_frame.clamp(UNAUTHENTICATED_FRAME_LIMIT, MAX_FRAME_SIZE)
    }
}

/// What a client brings to a connection with a handshake.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The key that proves this service's identity.
    pub key: Arc<Key>,
    /// This service's id.
    pub service_id: String,
    /// The id the server's frames must carry; `None` takes that of the challenge.
    pub server_id: Option<String>,
    /// The rules.
    pub options: Options,
}

impl ClientConfig {
    /// Makes a configuration with strict rules.
    #[must_use]
    pub fn new(key: Arc<Key>, service_id: &str) -> Self {
        Self { key, service_id: service_id.to_owned(), server_id: None, options: Options::default() }
    }
}

/// How a server learns who its client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Authentication {
    /// By the four-step handshake.
    #[default]
    Challenge,
    /// By the key of the first frame, which is a message already. Nothing separates sessions: recorded
    /// frames open a new one.
    MacOnly,
}

/// What a server brings to all its connections.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The server's own id, which its frames carry; the original's is `eipc-server`.
    pub server_id: String,
    /// The keys that are tried. They can be changed while the server runs.
    pub keys: Arc<LiveKeys<KeyTable>>,
    /// How clients prove themselves.
    pub authentication: Authentication,
    /// How long a session lives; 0 for ever. The original's hour unless said otherwise.
    pub ttl_ms: u64,
    /// The rules.
    pub options: Options,
}

impl ServerConfig {
    /// Makes a configuration with strict rules.
    #[must_use]
    pub fn new(server_id: &str, keys: KeyTable) -> Self {
        Self {
            server_id: server_id.to_owned(),
            keys: Arc::new(LiveKeys::new(keys)),
            authentication: Authentication::Challenge,
            ttl_ms: 3_600_000,
            options: Options::default(),
        }
    }
}

/// What one side of a connection without any handshake brings: both have agreed on the key beforehand.
#[derive(Clone, Debug)]
pub struct MacConfig {
    /// Which side this is; it changes nothing on the wire.
    pub role: Role,
    /// The key both sides have.
    pub key: Arc<Key>,
    /// The own id, which this side's frames carry.
    pub service_id: String,
    /// The id the peer's frames must carry; `None` takes that of its first.
    pub peer_id: Option<String>,
    /// What this side's frames carry as `session_id`; the peer's are not compared with anything.
    pub session_id: String,
    /// What the peer may do, if this is the server's side.
    pub capabilities: Vec<String>,
    /// The rules.
    pub options: Options,
}

impl MacConfig {
    /// Makes a client's configuration with strict rules and no session id.
    #[must_use]
    pub fn new(key: Arc<Key>, service_id: &str) -> Self {
        Self {
            role: Role::Client,
            key,
            service_id: service_id.to_owned(),
            peer_id: None,
            session_id: String::new(),
            capabilities: Vec::new(),
            options: Options::default(),
        }
    }
}

/// What is known about an authenticated session. `Debug` leaves the token out.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// Which side this is.
    pub role: Role,
    /// The own id.
    pub own_id: String,
    /// The peer's id. On a server the one that belongs to the key that verified; on a client what the
    /// server's frames say; `None` before the first of them.
    pub peer_id: Option<String>,
    /// The token of the session; empty where there is none.
    pub session_id: String,
    /// What the client may do, as the server says. Information, never a right by itself.
    pub capabilities: Vec<String>,
    /// How long the session lives, if this side knows; 0 for ever.
    pub ttl_ms: u64,
    /// The largest frame in either direction.
    pub max_frame: usize,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = formatter.debug_struct("v1::Session");
        out.field("role", &self.role).field("own_id", &self.own_id).field("peer_id", &self.peer_id);
        out.field("capabilities", &self.capabilities).finish_non_exhaustive()
    }
}
