//! The control socket of a shared-memory connection: one writer, one reader, the doorbell.
//!
//! Bytes and descriptors only. What they mean is `shared_link`'s business; when the socket is readable is the event loop's. One
//! owner writes it, so a doorbell never enters a frame (docs/shm-abi.md, "Waking").

use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use eipc_shm::doorbell::{self, Rung};

use crate::event_loop::{READABLE, WRITABLE};

/// Bytes waiting for the socket; the descriptor goes with the first of them.
struct Waiting {
    bytes: Vec<u8>,
    written: usize,
    descriptor: Option<OwnedFd>,
}

/// A connected, non-blocking Unix socket.
pub(crate) struct ControlSocket {
    socket: OwnedFd,
    waiting: VecDeque<Waiting>,
    has_ended: bool,
}

impl ControlSocket {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self { socket, waiting: VecDeque::new(), has_ended: false }
    }

    pub(crate) fn descriptor(&self) -> i32 {
        self.socket.as_raw_fd()
    }

    /// Whether the peer's end of stream was seen.
    pub(crate) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Whether something is not written yet.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// What to watch the socket for: nothing after the end of stream, which would be readable for ever.
    pub(crate) fn interest(&self) -> i32 {
        match (self.has_ended, self.waiting.is_empty()) {
            (true, _) => 0,
            (false, true) => READABLE,
            (false, false) => READABLE | WRITABLE,
        }
    }

    /// Reads once, into `buffer`; see [`doorbell::receive`].
    pub(crate) fn read(
        &mut self,
        buffer: &mut [u8],
        accept_descriptor: bool,
    ) -> Result<doorbell::Received, doorbell::ReceiveError> {
        let received = doorbell::receive(self.socket.as_fd(), buffer, accept_descriptor);
        if matches!(received, Ok(doorbell::Received::End)) {
            self.has_ended = true;
        }
        received
    }

    /// Queues bytes behind those that wait, with a descriptor to go with the first of them.
    pub(crate) fn queue(&mut self, bytes: Vec<u8>, descriptor: Option<OwnedFd>) {
        if !bytes.is_empty() {
            self.waiting.push_back(Waiting { bytes, written: 0, descriptor });
        }
    }

    /// Writes what the socket takes now. A broken socket shows at the next read.
    pub(crate) fn flush(&mut self) {
        while let Some(waiting) = self.waiting.front_mut() {
            let rest = waiting.bytes.get(waiting.written..).unwrap_or_default();
            let sent = match &waiting.descriptor {
                Some(descriptor) => doorbell::send_with_fd(self.socket.as_fd(), rest, descriptor.as_fd()),
                None => doorbell::send_nonblocking(self.socket.as_fd(), rest),
            };
            match sent {
                Ok(count) => {
                    waiting.written += count;
                    waiting.descriptor = None; // it went with the first byte
                    if waiting.written >= waiting.bytes.len() {
                        self.waiting.pop_front();
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => self.waiting.clear(),
            }
        }
    }

    /// Wakes the peer. Omitted while a frame waits: every byte that will be read is a doorbell.
    pub(crate) fn ring(&self) {
        if self.waiting.is_empty() && !self.has_ended {
            // Sent, or the socket is full of unread bytes, or the peer is gone: in each case nothing is left to do.
            let _: Result<Rung, std::io::Error> = doorbell::ring(self.socket.as_fd());
        }
    }
}
