//! Two connections against each other on a virtual clock, joined by byte streams.
//!
//! The bytes really pass through length prefixes and deframers, so that limits and states are those of a
//! socket. A test may take, change, drop or add bytes between the two.

use eipc_core::crypto::random::Random;
use eipc_core::message::Meta;
use eipc_core::wire::{Deframed, Deframer, header_binary};
use eipc_core::{
    ClientConfig, CloseFrame, Connection, Error, Kind, MetaKind, Priority, Received, Sealer, ServerConfig,
    Time,
};
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
    /// A hand-over payload.
    Segment(Vec<u8>),
    /// The peer closes.
    Close(CloseFrame),
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
                    seen.push(Seen::Failed(self.connection.abort(error, now)));
                    return seen;
                }
            };
            let frame = &mut buffer[..length];
            seen.push(match self.connection.handle_frame(frame, &self.random, now) {
                Ok(Received::Progress) => Seen::Progress,
                Ok(Received::Established) => Seen::Established,
                Ok(Received::Message(envelope)) => {
                    Seen::Message(envelope.kind(), envelope.payload().to_vec())
                }
                Ok(Received::Segment(payload)) => Seen::Segment(payload.to_vec()),
                Ok(Received::Close(close)) => Seen::Close(close),
                Err(error) => {
                    seen.push(Seen::Failed(error));
                    return seen;
                }
            });
        }
    }

    /// Seals a message for the stream at time 0, with its length prefix.
    ///
    /// # Errors
    /// Those of [`Connection::seal_record`].
    pub fn message(&mut self, kind: Kind, payload: &[u8]) -> Result<Vec<u8>, Error> {
        self.message_at(kind, payload, Time(0))
    }

    /// Seals a message for the stream, with its length prefix.
    ///
    /// # Errors
    /// Those of [`Connection::seal_record`].
    pub fn message_at(&mut self, kind: Kind, payload: &[u8], now: Time) -> Result<Vec<u8>, Error> {
        let (tag_len, _) = self.connection.record_limits().unwrap_or((32, 0));
        let (meta_len, mut frame) = record(&meta(Priority::P1), payload, tag_len);
        self.connection.seal_record(kind, Priority::P1, MetaKind::Binary, meta_len, &mut frame, now)?;
        let mut bytes = u32::try_from(frame.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend(frame);
        Ok(bytes)
    }
}

impl Pair {
    /// Begins both ends at time 0.
    #[must_use]
    pub fn new(client: ClientConfig, server: Arc<ServerConfig>) -> Self {
        let now = Time(0);
        let client = Connection::client(client, &Random::system(), now).unwrap();
        Self { client: End::new(client), server: End::new(Connection::server(server, now)), now }
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

    /// Moves the clock to both ends' next deadline, calls both, and returns their outcomes.
    pub fn pass_deadline(&mut self) -> (Result<(), Error>, Result<(), Error>) {
        let deadlines = [self.client.connection.poll_deadline(), self.server.connection.poll_deadline()];
        self.now = deadlines.into_iter().flatten().min().expect("somebody waits");
        let client = self.client.connection.handle_timeout(self.now);
        (client, self.server.connection.handle_timeout(self.now))
    }
}

/// Makes the meta of a message that says no more than its priority.
#[must_use]
pub fn meta(priority: Priority) -> Meta<'static> {
    Meta { priority, ..Meta::default() }
}

/// Lays out a frame for [`Sealer::seal`]; returns the length of the binary meta and the frame.
#[must_use]
pub fn record(meta: &Meta<'_>, payload: &[u8], tag_len: usize) -> (usize, Vec<u8>) {
    let meta_len = header_binary::encoded_len(meta).unwrap();
    let mut frame = vec![0; Sealer::META_OFFSET + meta_len];
    header_binary::write(meta, &mut frame[Sealer::META_OFFSET..]).unwrap();
    frame.extend_from_slice(payload);
    frame.resize(frame.len() + tag_len, 0);
    (meta_len, frame)
}
