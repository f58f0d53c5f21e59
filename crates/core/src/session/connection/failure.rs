//! How a connection fails: why, and what the peer is told of it.

use crate::error::Error;
use crate::session::control::Alert;

/// A failure and the frame that tells the peer, if it is told.
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) alert: Option<Vec<u8>>,
    pub(super) is_hello_forged: bool,
}

impl Failure {
    /// A failed handshake: the one alert without a tag.
    pub(super) fn handshake(error: Error) -> Self {
        Self { alert: Some(Alert::HandshakeRefused.unprotected_frame()), ..Self::silent(error) }
    }

    /// A failure nobody is told of.
    pub(super) const fn silent(error: Error) -> Self {
        Self { error, alert: None, is_hello_forged: false }
    }
}
