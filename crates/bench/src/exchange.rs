//! The control socket until a segment is in both hands: handshake and hand-over, as docs/shm-abi.md has them.

use std::error::Error;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use eipc_core::crypto::random::Random;
use eipc_core::wire::{Deframed, Deframer};
use eipc_core::{
    ClientConfig, Connection, Features, KeyTable, Opener, Psk, Received, Role, Sealer, ServerConfig, Suite,
    Time,
};
use eipc_shm::doorbell::{self, peer_credentials, receive, send_nonblocking, send_with_fd};
use eipc_shm::{Capacities, Created, Offer, Reply, Segment, SystemSegment};

const SERVICE: &str = "bench";
/// The largest frame of a handshake or hand-over.
const FRAME_MOST: usize = 1 << 16;
/// What a client maps at most, in bytes.
const SEGMENT_MOST: u64 = 64 << 20;

/// What both sides have after the hand-over.
pub(crate) struct Established {
    pub(crate) socket: OwnedFd,
    pub(crate) region: SystemSegment,
    pub(crate) sealer: Sealer,
    pub(crate) opener: Opener,
    pub(crate) role: Role,
}

/// Runs the handshake as this role, over a socket, under a key that both sides have, and hands the segment over.
pub(crate) fn establish(
    socket: OwnedFd,
    role: Role,
    key: &[u8; 32],
    suite: Suite,
) -> Result<Established, Box<dyn Error>> {
    let features = Features::default().union(Features::SHARED_MEMORY);
    let psk = Arc::new(Psk::new(key)?);
    let connection = if role == Role::Client {
        let config = ClientConfig { features, ..ClientConfig::new(psk, SERVICE) };
        Connection::client(config, &Random::system(), Time(0))?
    } else {
        let mut keys = KeyTable::new();
        keys.insert(SERVICE, psk, &[])?;
        let mut config = ServerConfig::new("eipc", Box::new(keys));
        config.suites = vec![suite];
        config.features = features;
        Connection::server(Arc::new(config), Time(0))
    };
    let deframer = Deframer::new(connection.frame_limit());
    let exchange = Exchange { socket, connection, deframer, descriptor: None, begun: Instant::now() };
    match role {
        Role::Client => exchange.accept_segment(),
        Role::Server => exchange.offer_segment(),
    }
}

struct Exchange {
    socket: OwnedFd,
    connection: Connection,
    deframer: Deframer,
    /// What came with the first byte of the offer.
    descriptor: Option<OwnedFd>,
    begun: Instant,
}

impl Exchange {
    fn offer_segment(mut self) -> Result<Established, Box<dyn Error>> {
        self.await_session()?;
        self.flush()?;
        let Created { region, offer, descriptor } =
            SystemSegment::create(Capacities::DEFAULT, self.session_id()?)?;
        self.connection.send_segment(&offer.encode(), self.now())?;
        let frame = self.transmission();
        match descriptor {
            Some(descriptor) => {
                let sent = send_with_fd(self.socket.as_fd(), &frame, descriptor.as_fd())?;
                self.write(frame.get(sent..).unwrap_or_default())?;
            }
            None => self.write(&frame)?,
        }
        if Reply::decode(&self.await_segment()?)? != Reply::Ready {
            return Err("the client refused the segment".into());
        }
        region.unlink();
        self.finish(region, Role::Server)
    }

    fn accept_segment(mut self) -> Result<Established, Box<dyn Error>> {
        self.await_session()?;
        let offer = Offer::decode(&self.await_segment()?, self.session_id()?, SEGMENT_MOST)?;
        let uid = peer_credentials(self.socket.as_fd())?.uid;
        let region = SystemSegment::open(&offer, self.descriptor.take(), uid)?;
        self.connection.send_segment(&Reply::Ready.encode(), self.now())?;
        self.flush()?;
        self.finish(region, Role::Client)
    }

    fn finish(mut self, region: SystemSegment, role: Role) -> Result<Established, Box<dyn Error>> {
        let (sealer, opener) = self.connection.use_segment()?;
        Ok(Established { socket: self.socket, region, sealer, opener, role })
    }

    fn await_session(&mut self) -> Result<(), Box<dyn Error>> {
        while self.listen()?.is_some() || self.connection.session().is_none() {}
        Ok(())
    }

    fn await_segment(&mut self) -> Result<Vec<u8>, Box<dyn Error>> {
        loop {
            if let Some(payload) = self.listen()? {
                return Ok(payload);
            }
        }
    }

    fn session_id(&self) -> Result<u64, Box<dyn Error>> {
        Ok(self.connection.session().ok_or("there is no session")?.session_id)
    }

    /// Takes one frame of the peer; returns the payload of a hand-over frame.
    fn listen(&mut self) -> Result<Option<Vec<u8>>, Box<dyn Error>> {
        let mut frame = vec![0; FRAME_MOST];
        loop {
            self.flush()?;
            // Never beyond the frame's end: a larger read could reach into the offer and lose its descriptor.
            let mut buffer = vec![0; self.deframer.missing().min(FRAME_MOST)];
            let is_client = self.connection.session().is_some_and(|session| session.role == Role::Client);
            let expects = SystemSegment::PASSES_DESCRIPTOR && is_client && !self.deframer.is_mid_frame();
            let length = match receive(self.socket.as_fd(), &mut buffer, expects)? {
                doorbell::Received::Bytes(length, descriptor) => {
                    self.descriptor = self.descriptor.take().or(descriptor);
                    length
                }
                doorbell::Received::WouldBlock => {
                    thread::yield_now();
                    continue;
                }
                doorbell::Received::End => return Err("the other process ended during the handshake".into()),
            };
            let mut input = buffer.get(..length).unwrap_or_default();
            self.deframer.set_limit(self.connection.frame_limit());
            let Deframed::Frame(length) = self.deframer.poll(&mut input, &mut frame)? else { continue };
            let bytes = frame.get_mut(..length).unwrap_or_default();
            let now = Time(0).after(self.begun.elapsed());
            return match self.connection.handle_frame(bytes, &Random::system(), now)? {
                Received::Progress | Received::Established => Ok(None),
                Received::Segment(payload) => Ok(Some(payload.to_vec())),
                Received::Message(_) | Received::Close(_) => {
                    Err("the other process said something else".into())
                }
            };
        }
    }

    fn now(&self) -> Time {
        Time(0).after(self.begun.elapsed())
    }

    fn transmission(&mut self) -> Vec<u8> {
        std::iter::from_fn(|| self.connection.poll_transmit()).flatten().collect()
    }

    fn flush(&mut self) -> Result<(), Box<dyn Error>> {
        let bytes = self.transmission();
        self.write(&bytes)
    }

    fn write(&self, mut bytes: &[u8]) -> Result<(), Box<dyn Error>> {
        while !bytes.is_empty() {
            match send_nonblocking(self.socket.as_fd(), bytes) {
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => thread::yield_now(),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
