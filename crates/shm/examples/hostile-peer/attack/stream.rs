//! The control socket with an honest handshake: what every attack begins with.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eipc_core::crypto::random::Random;
use eipc_core::wire::{Deframed, Deframer};
use eipc_core::{ClientConfig, Connection, Received, Role, ServerConfig, Time};
use eipc_shm::doorbell::{self, receive, send_nonblocking};

use crate::common::link::wait_readable;

/// One connection.
pub(crate) struct Stream {
    socket: OwnedFd,
    pub(crate) connection: Connection,
    deframer: Deframer,
    random: Random,
    begun: Instant,
    /// What came with the first byte of the offer.
    pub(crate) descriptor: Option<OwnedFd>,
}

/// What the victim said.
pub(crate) enum Said {
    Established,
    Segment(Vec<u8>),
    /// A close, an alert, the end of the stream: it is over.
    Over,
}

impl Stream {
    pub(crate) fn client(socket: OwnedFd, config: ClientConfig) -> Self {
        let connection = Connection::client(config, &Random::system(), Time(0)).unwrap();
        Self::new(socket, connection)
    }

    pub(crate) fn server(socket: OwnedFd, config: Arc<ServerConfig>) -> Self {
        Self::new(socket, Connection::server(config, Time(0)))
    }

    fn new(socket: OwnedFd, connection: Connection) -> Self {
        let deframer = Deframer::new(connection.frame_limit());
        let random = Random::system();
        Self { socket, connection, deframer, random, begun: Instant::now(), descriptor: None }
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(crate) fn now(&self) -> Time {
        Time(0).after(self.begun.elapsed())
    }

    /// What the connection wants to write.
    pub(crate) fn transmit(&mut self) -> Vec<u8> {
        std::iter::from_fn(|| self.connection.poll_transmit()).flatten().collect()
    }

    /// Writes all of it; false when the victim is gone.
    pub(crate) fn write(&self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match send_nonblocking(self.socket(), bytes) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_micros(50));
                }
                Err(_) => return false,
            }
        }
        true
    }

    pub(crate) fn flush(&mut self) {
        let bytes = self.transmit();
        self.write(&bytes);
    }

    /// Reads until the victim has said something of interest.
    pub(crate) fn listen(&mut self) -> Said {
        let mut frame = vec![0; 1 << 20];
        loop {
            self.flush();
            let mut buffer = vec![0; self.deframer.missing().min(4_096)];
            let is_client = self.connection.session().is_some_and(|session| session.role == Role::Client);
            let expects = is_client && self.descriptor.is_none() && !self.deframer.is_mid_frame();
            wait_readable(&self.socket);
            let length = match receive(self.socket.as_fd(), &mut buffer, expects) {
                Ok(doorbell::Received::Bytes(length, descriptor)) => {
                    self.descriptor = self.descriptor.take().or(descriptor);
                    length
                }
                Ok(doorbell::Received::WouldBlock) => continue,
                _ => return Said::Over,
            };
            let mut input = &buffer[..length];
            self.deframer.set_limit(self.connection.frame_limit());
            let Ok(Deframed::Frame(length)) = self.deframer.poll(&mut input, &mut frame) else { continue };
            let now = self.now();
            match self.connection.handle_frame(&mut frame[..length], &self.random, now) {
                Ok(Received::Progress) => {}
                Ok(Received::Established) => return Said::Established,
                Ok(Received::Segment(payload)) => return Said::Segment(payload.to_vec()),
                Ok(Received::Message(_) | Received::Close(_)) | Err(_) => return Said::Over,
            }
        }
    }

    /// Looks whether the victim has hung up, without waiting; what it says otherwise is not listened to.
    pub(crate) fn is_over(&self) -> bool {
        let mut buffer = [0; 4_096];
        loop {
            match receive(self.socket(), &mut buffer, false) {
                // A frame among the doorbells: an alert or a close.
                Ok(doorbell::Received::Bytes(length, _)) if buffer[..length].contains(&0) => return true,
                Ok(doorbell::Received::Bytes(..)) => {}
                Ok(doorbell::Received::WouldBlock) => return false,
                _ => return true,
            }
        }
    }

    pub(crate) fn ring(&self) {
        let _ = doorbell::ring(self.socket());
    }
}
