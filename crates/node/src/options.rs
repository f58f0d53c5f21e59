//! Options and results as JavaScript sees them, converted to the core's types and back. No rule is decided here.

use std::sync::Arc;
use std::time::Duration;

use eipc_core::{
    ClientConfig, CloseReason, Features, KeyTable, Lane, LiveKeys, ServerConfig, Session, Suite, Suites,
    tls_channel_binding, v1,
};
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::clock;
use crate::error::exception;
use crate::key::NativeKey;
use crate::v1_options::NativeV1Server;

/// What a client brings.
#[napi(object, object_to_js = false)]
pub struct NativeClientOptions<'a> {
    /// Its own id.
    pub service_id: String,
    /// The server id it expects; absent: any.
    pub server_id: Option<String>,
    /// The key of `service_id`.
    pub key: ClassInstance<'a, NativeKey>,
    /// Numbers of the suites it accepts.
    pub suites: Vec<u32>,
    /// Milliseconds for the whole handshake.
    pub handshake_timeout: u32,
    /// Largest segment it maps, bytes; shared memory only.
    pub max_segment: u32,
    /// Whether it does without X25519.
    pub psk_only: bool,
    /// Inside TLS the exporter of the connection, 32 bytes (docs/wire.md, "Channel binding"); otherwise absent.
    pub tls_exporter: Option<Uint8Array>,
}

impl NativeClientOptions<'_> {
    /// The core's configuration.
    pub(crate) fn config(&self, shared_memory: bool) -> Result<ClientConfig, String> {
        let mut config = ClientConfig::new(self.key.psk()?, &self.service_id);
        config.server_id.clone_from(&self.server_id);
        config.suites = Suites::of(&suites(&self.suites)?);
        config.features = features(shared_memory);
        config.handshake_timeout = Duration::from_millis(self.handshake_timeout.into());
        config.psk_only = self.psk_only;
        if let Some(exporter) = &self.tls_exporter {
            config.channel_binding = channel_binding(exporter)?;
        }
        Ok(config)
    }
}

/// A service that may connect.
#[napi(object, object_to_js = false)]
pub struct NativeService<'a> {
    /// Its id.
    pub id: String,
    /// Its keys; several while one is being replaced.
    pub keys: Vec<ClassInstance<'a, NativeKey>>,
    /// What it may do.
    pub capabilities: Vec<String>,
}

/// What a server brings to all its connections.
#[napi(object, object_to_js = false)]
pub struct NativeServerOptions<'a> {
    /// Its own id.
    pub server_id: String,
    /// Who may connect in EIPC/2.
    pub services: Vec<NativeService<'a>>,
    /// Who may connect in v1; absent: nobody.
    pub v1: Option<NativeV1Server<'a>>,
    /// Milliseconds a session lives; 0 for ever.
    pub ttl_ms: f64,
    /// Milliseconds for a whole handshake.
    pub handshake_timeout: u32,
    /// Whether it accepts clients without X25519.
    pub allow_psk_only: bool,
}

/// Identity and keys of a server, and what its handshakes share wherever they come in.
#[napi]
pub struct NativeServer {
    config: ServerConfig,
    keys: Arc<LiveKeys>,
    v1: Option<Arc<v1::ServerConfig>>,
}

/// What differs between the addresses of a server.
#[napi(object, object_to_js = false)]
pub struct NativeAddressOptions {
    /// Numbers of the suites it accepts, best first.
    pub suites: Vec<u32>,
    /// Whether its connections use shared memory.
    pub shared_memory: bool,
    /// Whether they are inside TLS, so that nothing is read of one before it is bound (`StreamSession.bindTls`).
    pub tls: bool,
}

/// A server at one of its addresses.
#[napi]
#[derive(Clone)]
pub struct NativeAddress {
    config: Arc<ServerConfig>,
    v1: Option<Arc<v1::ServerConfig>>,
    is_tls: bool,
}

impl NativeAddress {
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// What v1 clients are served by here, if any are.
    pub(crate) fn v1(&self) -> Option<Arc<v1::ServerConfig>> {
        self.v1.clone()
    }

    /// Whether its connections are inside TLS.
    pub(crate) const fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The same address for one connection, whose ClientHello has to carry the binding of this TLS exporter.
    pub(crate) fn bound(&self, exporter: &[u8]) -> Result<Self, String> {
        let mut config = ServerConfig::clone(&self.config);
        config.channel_binding = channel_binding(exporter)?;
        Ok(Self { config: Arc::new(config), ..self.clone() })
    }
}

#[napi]
impl NativeServer {
    /// Builds the key table; throws `EIPC_KEY` for an id or a key that cannot be used.
    #[napi(constructor)]
    pub fn new(options: NativeServerOptions<'_>) -> Result<Self, String> {
        let mut table = KeyTable::new();
        for service in &options.services {
            for key in &service.keys {
                table
                    .insert(&service.id, key.psk()?, &service.capabilities)
                    .map_err(|error| exception(&error))?;
            }
        }
        let keys = Arc::new(LiveKeys::new(table));
        let mut config = ServerConfig::new(&options.server_id, Box::new(Arc::clone(&keys)));
        config.ttl_ms = milliseconds(options.ttl_ms);
        config.handshake_timeout = Duration::from_millis(options.handshake_timeout.into());
        config.allow_psk_only = options.allow_psk_only;
        let v1 = match &options.v1 {
            Some(v1) => Some(Arc::new(v1.config(&options.server_id, config.handshake_timeout)?)),
            None => None,
        };
        Ok(Self { config, keys, v1 })
    }

    /// Adds a key of a service for one protocol. Throws `EIPC_KEY` for a key that cannot be used or is another's.
    #[napi]
    pub fn add_key(
        &self,
        service_id: String,
        key: &NativeKey,
        capabilities: Vec<String>,
        protocol: u32,
    ) -> Result<(), String> {
        let added = match (&self.v1, protocol) {
            (Some(v1), 1) => v1.keys.change(|table| table.insert(&service_id, key.v1(), &capabilities)),
            _ => {
                let psk = key.psk()?;
                self.keys.change(|table| table.insert(&service_id, psk, &capabilities))
            }
        };
        added.map_err(|error| exception(&error))
    }

    /// Says anew what a service may do, for sessions that begin from now on. Throws `EIPC_MESSAGE_TOO_LARGE` for more than v1 can
    /// tell; nothing is changed then.
    #[napi]
    pub fn grant(&self, service_id: String, capabilities: Vec<String>) -> Result<(), String> {
        if let Some(v1) = &self.v1 {
            v1.keys
                .change(|table| table.grant(&service_id, &capabilities))
                .map_err(|error| exception(&error))?;
        }
        self.keys.change(|table| table.grant(&service_id, &capabilities));
        Ok(())
    }

    /// Has a key refused in so many milliseconds. Live sessions go on.
    #[napi]
    pub fn end_key(&self, key: &NativeKey, milliseconds: f64) {
        let ends = clock::now().after(Duration::from_millis(self::milliseconds(milliseconds)));
        if let Ok(psk) = key.psk() {
            self.keys.change(|table| table.end(psk.key_id(), Some(ends)));
        }
        if let Some(v1) = &self.v1 {
            v1.keys.change(|table| table.end(key.v1_ref(), Some(ends)));
        }
    }

    /// Removes a key. Live sessions go on.
    #[napi]
    pub fn remove_key(&self, key: &NativeKey) {
        if let Ok(psk) = key.psk() {
            self.keys.change(|table| table.remove(psk.key_id()));
        }
        if let Some(v1) = &self.v1 {
            v1.keys.change(|table| table.remove(key.v1_ref()));
        }
    }

    /// Returns this server at an address.
    #[napi]
    pub fn address(&self, options: NativeAddressOptions) -> Result<NativeAddress, String> {
        let mut config = self.config.clone();
        config.suites = suites(&options.suites)?;
        config.features = features(options.shared_memory);
        // Shared memory is EIPC/2's.
        let v1 = self.v1.clone().filter(|_| !options.shared_memory);
        Ok(NativeAddress { config: Arc::new(config), v1, is_tls: options.tls })
    }
}

/// What both sides know about an authenticated session.
#[napi(object, object_from_js = false)]
#[derive(Clone)]
pub struct SessionInfo {
    /// The client's id, proved by its key.
    pub service_id: String,
    /// The server's id.
    pub server_id: String,
    /// 16 hexadecimal digits; in v1 the token, or what frames carry instead of one.
    pub session_id: String,
    /// The id of the key it is under, 16 hexadecimal digits; empty in v1.
    pub key_id: String,
    /// 1 or 2.
    pub protocol: u32,
    /// Number of the suite; 0 in v1.
    pub suite: u32,
    /// What the client may do.
    pub capabilities: Vec<String>,
    /// Milliseconds the session lives; 0 for ever.
    pub ttl_ms: f64,
    /// Largest frame in either direction, bytes.
    pub max_frame: u32,
    /// Whether metas are binary.
    pub binary_meta: bool,
    /// Bytes that a record to send leaves free behind its payload.
    pub tail_length: u32,
    /// In v1 the longest header without the bytes of a message's own strings; otherwise 0.
    pub header_room: u32,
}

impl SessionInfo {
    pub(crate) fn new(session: &Session) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "milliseconds below 2^53")]
        let ttl_ms = session.ttl_ms as f64;
        Self {
            service_id: session.service_id.clone(),
            server_id: session.server_id.clone(),
            session_id: format!("{:016x}", session.session_id),
            key_id: format!("{:016x}", session.key_id),
            protocol: 2,
            suite: u32::from(session.suite as u8),
            capabilities: session.capabilities.clone(),
            ttl_ms,
            max_frame: u32::try_from(session.max_frame).unwrap_or(u32::MAX),
            binary_meta: session.features.contains(Features::BINARY_META),
            tail_length: u32::try_from(session.suite.tag_len()).unwrap_or(u32::MAX),
            header_room: 0,
        }
    }
}

/// Milliseconds as JavaScript has them.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturating, validated in TypeScript"
)]
pub(crate) const fn milliseconds(number: f64) -> u64 {
    number as u64
}

/// The reason of an authenticated close by its number.
pub(crate) fn close_reason(number: u32) -> CloseReason {
    u8::try_from(number).ok().and_then(CloseReason::from_byte).unwrap_or(CloseReason::Normal)
}

/// The lane of a number; P3 for anything that is none.
pub(crate) fn lane(number: u32) -> Lane {
    u8::try_from(number).ok().and_then(Lane::from_byte).unwrap_or(Lane::P3)
}

fn suites(numbers: &[u32]) -> Result<Vec<Suite>, String> {
    let suite = |number: &u32| {
        u8::try_from(*number).ok().and_then(Suite::from_byte).ok_or_else(|| {
            Error::new(
                eipc_core::Code::HandshakeFailed.name().to_owned(),
                format!("there is no suite number {number}"),
            )
        })
    };
    numbers.iter().map(suite).collect()
}

/// What a TLS exporter becomes in a ClientHello.
fn channel_binding(exporter: &[u8]) -> Result<[u8; 32], String> {
    let exporter: &[u8; 32] = exporter.try_into().map_err(|_| {
        let context = format!("a TLS exporter has 32 bytes, not {}", exporter.len());
        Error::new(eipc_core::Code::Internal.name().to_owned(), context)
    })?;
    Ok(tls_channel_binding(exporter))
}

fn features(shared_memory: bool) -> Features {
    let features = Features::default();
    if shared_memory { features.union(Features::SHARED_MEMORY) } else { features }
}
