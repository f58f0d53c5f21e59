//! What a connection tells its owner: what a frame meant and where the connection stands.

use crate::session::control::CloseFrame;
use crate::session::envelope::Envelope;

/// What a frame of the peer meant.
#[derive(Debug)]
pub enum Received<'a> {
    /// A step of the handshake; look at [`poll_transmit`](super::Connection::poll_transmit).
    Progress,
    /// The handshake is done; look at [`session`](super::Connection::session).
    Established,
    /// A message.
    Message(Envelope<'a>),
    /// The payload of an `S` frame, for the shared-memory crate.
    Segment(&'a [u8]),
    /// The peer closes. Deliver up to these counters, then call
    /// [`finish_close`](super::Connection::finish_close).
    Close(CloseFrame),
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not authenticated yet.
    Handshaking,
    /// Messages may be sent and received.
    Open,
    /// One side has said that it closes; messages may still arrive.
    Closing,
    /// Over; only [`poll_transmit`](super::Connection::poll_transmit) may still have something.
    Closed,
}
