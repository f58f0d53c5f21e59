//! What an owner decides before a connection begins, and what it knows once a session stands.

use super::admission::{Admission, AdmissionLimits};
use super::key_store::KeyStore;
use super::keys::Psk;
use super::suite::{Features, Role, Suite, Suites};
use crate::crypto::digest::sha256;
use crate::wire::limits::MAX_FRAME_SIZE;
use core::fmt;
use core::time::Duration;
use std::sync::Arc;

/// How long a handshake may take in all.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a client brings to a connection.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The key that proves this service's identity.
    pub psk: Arc<Psk>,
    /// This service's id.
    pub service_id: String,
    /// The id the server must have; `None` leaves the check to the owner, who pins the first one seen.
    pub server_id: Option<String>,
    /// The suites offered, all of them acceptable. The default is every one; where nothing else encrypts
    /// the owner leaves suite 1 out.
    pub suites: Suites,
    /// The features offered; strict sequence is always among them.
    pub features: Features,
    /// Do without X25519: no forward secrecy, and only where the server allows it.
    pub psk_only: bool,
    /// What [`tls_channel_binding`] makes of the TLS exporter; zero without TLS.
    pub channel_binding: [u8; 32],
    /// How long the handshake may take in all; 10 s.
    pub handshake_timeout: Duration,
}

impl ClientConfig {
    /// Makes a configuration with the defaults of the wire text.
    #[must_use]
    pub fn new(psk: Arc<Psk>, service_id: &str) -> Self {
        Self {
            psk,
            service_id: service_id.to_owned(),
            server_id: None,
            suites: Suites::AVAILABLE,
            features: Features::default(),
            psk_only: false,
            channel_binding: [0; 32],
            handshake_timeout: HANDSHAKE_TIMEOUT,
        }
    }
}

/// What a server brings to all its connections at one address. A clone is the same server at another
/// address: it shares the keys, the nonces they have used, their rates, and the ids of live sessions.
#[derive(Clone)]
pub struct ServerConfig {
    /// The server's own id, told in SessionAccept; 1..=64 of `[a-z0-9._-]`, or every client refuses it.
    pub server_id: String,
    /// The suites accepted, best first; the first one offered is taken. The default is that of local and
    /// TLS addresses; for any other the owner leaves suite 1 out, which does not encrypt.
    pub suites: Vec<Suite>,
    /// Accept a client that does without X25519.
    pub allow_psk_only: bool,
    /// The features granted to a client that offers them.
    pub features: Features,
    /// How long a session lives; 0 for ever.
    pub ttl_ms: u64,
    /// The largest frame in either direction, 4 096..=1 048 576; other values are taken to the nearest.
    pub max_frame: usize,
    /// What [`tls_channel_binding`] makes of the TLS exporter; zero without TLS.
    pub channel_binding: [u8; 32],
    /// How long a handshake may take in all; 10 s.
    pub handshake_timeout: Duration,
    /// How much one key may ask.
    pub admission: AdmissionLimits,
    /// Where keys are found.
    pub keys: Arc<dyn KeyStore>,
    pub(super) shared: Arc<Admission>,
    /// Stands in for an unknown key, so that the work is the same. No secret: a tag under it is refused too.
    pub(super) dummy: Option<Arc<Psk>>,
}

impl ServerConfig {
    /// Makes a configuration with the defaults of the wire text.
    #[must_use]
    pub fn new(server_id: &str, keys: Box<dyn KeyStore>) -> Self {
        Self {
            server_id: server_id.to_owned(),
            suites: vec![Suite::HmacSha256, Suite::Aes256Gcm, Suite::ChaCha20Poly1305],
            allow_psk_only: false,
            features: Features::default(),
            ttl_ms: 0,
            max_frame: MAX_FRAME_SIZE,
            channel_binding: [0; 32],
            handshake_timeout: HANDSHAKE_TIMEOUT,
            admission: AdmissionLimits::default(),
            keys: Arc::from(keys),
            shared: Arc::default(),
            dummy: Psk::new(&[0xff; 32]).ok().map(Arc::new),
        }
    }
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ServerConfig").field("server_id", &self.server_id).finish_non_exhaustive()
    }
}

/// Makes the `channel_binding` of a session inside TLS. `exporter` is that of the TLS 1.3 connection: label
/// "EXPORTER-Channel-Binding" (RFC 9266), empty context, 32 bytes.
#[must_use]
pub fn tls_channel_binding(exporter: &[u8; 32]) -> [u8; 32] {
    sha256(&[b"EIPC/2 cb tls\0", exporter])
}

/// What both sides know about an authenticated session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Which side this is.
    pub role: Role,
    /// The client's id, proved by its key.
    pub service_id: String,
    /// The server's id, as it told behind its proof.
    pub server_id: String,
    /// Random, unique among the server's live sessions, never 0.
    pub session_id: u64,
    /// The public name of the key that both proved to have.
    pub key_id: u64,
    /// How frames are protected.
    pub suite: Suite,
    /// What was agreed on.
    pub features: Features,
    /// What the client may do, as the server says. Information, never a right by itself.
    pub capabilities: Vec<String>,
    /// How long the session lives; 0 for ever.
    pub ttl_ms: u64,
    /// The largest frame in either direction.
    pub max_frame: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_channel_binding_is_that_of_the_wire_text() {
        // python: sha256(b"EIPC/2 cb tls\0" + bytes([7] * 32))
        let binding = tls_channel_binding(&[7; 32]);
        assert_eq!(binding[..8], [0xe7, 0xdb, 0x98, 0x2a, 0x73, 0xc8, 0xef, 0xb0]);
        assert_eq!(binding[28..], [0x59, 0x3e, 0x3a, 0x07]);
    }
}
