//! Options and results of v1 as JavaScript sees them, converted to the core's types and back. No rule is decided here.

use std::time::Duration;

use eipc_core::wire::limits::{BINARY_META_LEN, MAC_LEN, PREAMBLE_LEN};
use eipc_core::{Role, v1};
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::batch::{PREFIX, RECORD_HEAD};
use crate::error::exception;
use crate::key::NativeKey;
use crate::options::{NativeService, SessionInfo, milliseconds};

/// What a receiver of v1 demands; `docs/wire.md`, "Options for unusual peers".
#[napi(object, object_to_js = false)]
pub struct NativeV1Rules {
    /// Whether any string is a timestamp.
    pub any_timestamp: bool,
    /// Whether a peer may send under other ids than its own.
    pub any_source: bool,
    /// Whether a frame may leave the token out.
    pub session_id_when_present: bool,
    /// Whether the handshake whose frames are all `ack` is spoken, or as a server also accepted.
    pub ack_handshake: bool,
    /// Numbers of the replay window.
    pub window: u32,
}

impl NativeV1Rules {
    fn options(&self, handshake_timeout: Duration) -> Result<v1::Options, String> {
        let window = v1::WindowSize::new(self.window as usize);
        Ok(v1::Options {
            timestamp: if self.any_timestamp {
                v1::TimestampRule::AnyString
            } else {
                v1::TimestampRule::Strict
            },
            source: if self.any_source { v1::SourceRule::Any } else { v1::SourceRule::Peer },
            session_id: if self.session_id_when_present {
                v1::SessionIdRule::WhenPresent
            } else {
                v1::SessionIdRule::Always
            },
            ack_handshake: self.ack_handshake,
            replay_window: window.ok_or_else(|| {
                Error::new("ERR_OUT_OF_RANGE".to_owned(), format!("window {}", self.window))
            })?,
            handshake_timeout,
            ..v1::Options::default()
        })
    }
}

/// What a client with a handshake brings.
#[napi(object, object_to_js = false)]
pub struct NativeV1Client<'a> {
    /// Its own id.
    pub service_id: String,
    /// The server id it expects; absent: any.
    pub server_id: Option<String>,
    /// The key of `service_id`.
    pub key: ClassInstance<'a, NativeKey>,
    /// Milliseconds for the whole handshake.
    pub handshake_timeout: u32,
    /// What it demands.
    pub rules: NativeV1Rules,
}

impl NativeV1Client<'_> {
    /// The core's configuration.
    pub(crate) fn config(&self) -> Result<v1::ClientConfig, String> {
        let mut config = v1::ClientConfig::new(self.key.v1(), &self.service_id);
        config.server_id.clone_from(&self.server_id);
        config.options = self.rules.options(Duration::from_millis(self.handshake_timeout.into()))?;
        Ok(config)
    }
}

/// What either side of a connection without a handshake brings.
#[napi(object, object_to_js = false)]
pub struct NativeV1Mac<'a> {
    /// Whether this is the server's side.
    pub is_server: bool,
    /// Its own id.
    pub own_id: String,
    /// The id it expects of the peer; absent: that of its first frame.
    pub peer_id: Option<String>,
    /// The key both have.
    pub key: ClassInstance<'a, NativeKey>,
    /// What its frames carry as `session_id`.
    pub session_id: String,
    /// What the peer may do; a server's.
    pub capabilities: Vec<String>,
    /// What it demands.
    pub rules: NativeV1Rules,
}

impl NativeV1Mac<'_> {
    /// The core's configuration.
    pub(crate) fn config(&self) -> Result<v1::MacConfig, String> {
        let mut config = v1::MacConfig::new(self.key.v1(), &self.own_id);
        config.role = if self.is_server { Role::Server } else { Role::Client };
        config.peer_id.clone_from(&self.peer_id);
        config.session_id.clone_from(&self.session_id);
        config.capabilities.clone_from(&self.capabilities);
        config.options = self.rules.options(Duration::ZERO)?;
        Ok(config)
    }
}

/// What a server brings for its v1 clients.
#[napi(object, object_to_js = false)]
pub struct NativeV1Server<'a> {
    /// Who may connect.
    pub services: Vec<NativeService<'a>>,
    /// Whether the key of the first frame is the whole proof, without a handshake.
    pub mac_only: bool,
    /// Milliseconds a session lives; 0 for ever.
    pub ttl_ms: f64,
    /// What it demands.
    pub rules: NativeV1Rules,
}

impl NativeV1Server<'_> {
    /// The core's configuration.
    pub(crate) fn config(
        &self,
        server_id: &str,
        handshake_timeout: Duration,
    ) -> Result<v1::ServerConfig, String> {
        let mut keys = v1::KeyTable::new();
        for service in &self.services {
            for key in &service.keys {
                keys.insert(&service.id, key.v1(), &service.capabilities)
                    .map_err(|error| exception(&error))?;
            }
        }
        let mut config = v1::ServerConfig::new(server_id, keys);
        config.authentication =
            if self.mac_only { v1::Authentication::MacOnly } else { v1::Authentication::Challenge };
        config.ttl_ms = milliseconds(self.ttl_ms);
        config.options = self.rules.options(handshake_timeout)?;
        Ok(config)
    }
}

impl SessionInfo {
    /// What is known of a v1 session. `header_room` is the core's.
    pub(crate) fn of_v1(session: &v1::Session, header_room: usize) -> Self {
        let peer_id = session.peer_id.clone().unwrap_or_default();
        let (service_id, server_id) = match session.role {
            Role::Client => (session.own_id.clone(), peer_id),
            Role::Server => (peer_id, session.own_id.clone()),
        };
        #[allow(clippy::cast_precision_loss, reason = "milliseconds below 2^53")]
        let ttl_ms = session.ttl_ms as f64;
        let word = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            service_id,
            server_id,
            session_id: session.session_id.clone(),
            key_id: String::new(),
            protocol: 1,
            suite: 0,
            capabilities: session.capabilities.clone(),
            ttl_ms,
            max_frame: word(session.max_frame),
            // Records say what a header will; the frame is written natively.
            binary_meta: true,
            tail_length: word(tail_length(header_room)),
            header_room: word(header_room),
        }
    }
}

/// What a record has to leave free behind its payload, so that the frame made of it fits in its place: the frame's own parts, less
/// those of the record. What escapes add to a message's strings comes on top.
const fn tail_length(header_room: usize) -> usize {
    let frame = PREFIX + PREAMBLE_LEN + header_room + MAC_LEN;
    frame.saturating_sub(RECORD_HEAD + BINARY_META_LEN)
}
