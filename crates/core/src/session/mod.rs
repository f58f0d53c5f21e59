//! Sessions: who the peer is, which keys hold, what may come next.
//!
//! The only place where `wire` and `crypto` meet. [`Connection`] is the whole stream plane of one
//! session, sans-IO; [`Sealer`] and [`Opener`] are its two directions and serve shared memory as well.

pub(crate) mod admission;
mod config;
mod connection;
mod control;
mod envelope;
mod epoch;
mod frame_key;
mod handover;
pub mod handshake_v2;
pub mod inspect;
mod key_store;
mod keys;
mod lanes;
mod open;
mod seal;
mod sec_header;
mod sequence;
mod suite;
pub mod v1;
mod verify;

pub use admission::AdmissionLimits;
pub use config::{ClientConfig, ServerConfig, Session, tls_channel_binding};
pub use connection::{Connection, Received, State};
pub use control::{CloseFrame, CloseReason};
pub use envelope::Envelope;
pub use key_store::{Credential, KeyStore, KeyTable, LiveKeys};
pub use keys::{Exporter, Psk};
pub use open::Opener;
pub use seal::Sealer;
pub use sec_header::MetaKind;
pub use suite::{Direction, Features, Plane, Role, Suite, Suites};
