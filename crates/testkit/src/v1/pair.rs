//! Two v1 connections against each other on a virtual clock, joined by byte streams.

use eipc_core::crypto::random::Random;
use eipc_core::v1::{ClientConfig, Connection, Received, ServerConfig};
use eipc_core::wire::{Deframed, Deframer};
use eipc_core::{Error, Kind, Meta, Time};
use std::sync::Arc;

/// What one end saw, without borrowed bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A step of the handshake.
    Progress,
    /// The end of the handshake.
    Established,
    /// A message: kind and payload.
    Message(Kind, Vec<u8>),
    /// The end of the connection.
    Failed(Error),
}

/// One end: a connection and its deframer.
#[derive(Debug)]
pub struct End {
    /// The connection itself.
    pub connection: Connection,
    deframer: Deframer,
    random: Random,
}

/// Both ends and the time.
#[derive(Debug)]
pub struct Pair {
    /// The client's end.
    pub client: End,
    /// The server's end.
    pub server: End,
    /// The virtual clock.
    pub now: Time,
}

impl End {
    /// Wraps a connection.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        let deframer = Deframer::new(connection.frame_limit());
        Self { connection, deframer, random: Random::system() }
    }

    /// Takes everything the connection wants to write.
    pub fn transmit(&mut self) -> Vec<u8> {
        core::iter::from_fn(|| self.connection.poll_transmit()).flatten().collect()
    }

    /// Receives bytes of the stream; stops at the first failure.
    pub fn receive(&mut self, mut input: &[u8], now: Time) -> Vec<Seen> {
        let mut seen = Vec::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            self.deframer.set_limit(self.connection.frame_limit());
            let length = match self.deframer.poll(&mut input, &mut buffer) {
                Ok(Deframed::Frame(length)) => length,
                Ok(Deframed::NeedInput) => return seen,
                Ok(other) => panic!("unexpected {other:?}"),
                Err(error) => {
                    seen.push(Seen::Failed(self.connection.abort(error)));
                    return seen;
                }
            };
            seen.push(match self.connection.handle_frame(&mut buffer[..length], &self.random, now) {
                Ok(Received::Progress) => Seen::Progress,
                Ok(Received::Established) => Seen::Established,
                Ok(Received::Message(envelope)) => {
                    Seen::Message(envelope.kind(), envelope.payload().to_vec())
                }
                Err(error) => {
                    seen.push(Seen::Failed(error));
                    return seen;
                }
            });
        }
    }

    /// Seals a message, with its length prefix.
    ///
    /// # Errors
    /// Those of [`Connection::seal_record`].
    pub fn message(&mut self, kind: Kind, payload: &[u8]) -> Result<Vec<u8>, Error> {
        let meta = Meta { request_id: "req-1".into(), timestamp_ns: 1, ..Meta::default() };
        let mut bytes = vec![0; 4];
        self.connection.seal_record(kind, &meta, payload, &mut bytes)?;
        let length = u32::try_from(bytes.len() - 4).unwrap();
        bytes[..4].copy_from_slice(&length.to_be_bytes());
        Ok(bytes)
    }
}

impl Pair {
    /// Begins both ends at time 0.
    #[must_use]
    pub fn new(client: ClientConfig, server: Arc<ServerConfig>) -> Self {
        let now = Time(0);
        let client = Connection::client(client, 1_775_217_600_000_000_000, now).unwrap();
        let server = Connection::server(server, 1_775_217_600_000_000_000, now);
        Self { client: End::new(client), server: End::new(server), now }
    }

    /// Carries bytes to and fro until neither end has anything to say; returns what each end saw.
    pub fn run(&mut self) -> (Vec<Seen>, Vec<Seen>) {
        let (mut client, mut server) = (Vec::new(), Vec::new());
        loop {
            let to_server = self.client.transmit();
            let to_client = self.server.transmit();
            if to_server.is_empty() && to_client.is_empty() {
                return (client, server);
            }
            server.extend(self.server.receive(&to_server, self.now));
            client.extend(self.client.receive(&to_client, self.now));
        }
    }
}
