//! One end of a connection for the tests: control socket, hand-over without cryptography, blocking send and receive
//! over the doorbell. What a transport does from an event loop, done in a straight line.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use eipc_shm::doorbell::{self, Received, Rung, peer_credentials, receive, send_nonblocking, send_with_fd};
use eipc_shm::{
    ALL_LANES, Capacities, Created, Direction, Inbound, Lane, Offer, Outbound, Region, Reply, Segment,
    SegmentKind,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Mode;
use rustix::shm;

use super::SHORTEST;

/// Small enough that lanes wrap and fill all the time.
pub(crate) const CAPACITIES: [u32; 4] = [4_096, 8_192, 4_096, 16_384];
const SESSION: u64 = 0x5e55_1011;
const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

/// A folder for one socket.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let name = format!("eipc-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = std::env::temp_dir().join(name);
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Self(path),
                // A run that was killed left it, and its process ids are given out again.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => panic!("{}: {error}", path.display()),
            }
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Waits until a descriptor can be read; panics at the deadline.
pub(crate) fn wait_readable(fd: &OwnedFd) {
    let end = Instant::now() + DEADLINE;
    loop {
        let Some(left) = end.checked_duration_since(Instant::now()) else {
            panic!("the peer did not do its part in time");
        };
        let left = Timespec::try_from(left).unwrap();
        match poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&left)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return,
            Err(errno) => panic!("{errno}"),
        }
    }
}

pub(crate) fn accept(listener: &OwnedFd) -> OwnedFd {
    wait_readable(listener);
    doorbell::accept(listener.as_fd()).unwrap().unwrap()
}

pub(crate) struct Link<R: Region> {
    socket: OwnedFd,
    /// Whether the peer's end of stream was read.
    pub(crate) ended: bool,
    pub(crate) inbound: Inbound<R>,
    pub(crate) outbound: Outbound<R>,
    /// How often this side slept for data and was woken.
    pub(crate) wakes: u64,
    /// How often this side rang.
    pub(crate) rings: u64,
    /// How often this side slept for room.
    pub(crate) space_waits: u64,
}

impl<S: Segment> Link<S> {
    /// Hands the segment over as docs/shm-abi.md says; the frames around the payloads are left out.
    pub(crate) fn hand_over(socket: OwnedFd, role: Role) -> Self {
        Self::try_hand_over(socket, role).unwrap()
    }

    /// The same with a peer that may die meanwhile: `None` at its end of stream.
    pub(crate) fn try_hand_over(socket: OwnedFd, role: Role) -> Option<Self> {
        let (region, reads) = match role {
            Role::Server => (Self::offer(&socket)?, Direction::ClientToServer),
            Role::Client => (Self::take(&socket)?, Direction::ServerToClient),
        };
        Some(Self::over(region, socket, reads))
    }

    fn offer(socket: &OwnedFd) -> Option<S> {
        let Created { region, offer, .. } = send_offer::<S>(socket);
        let mut reply = [0; 12];
        read_exact(socket, &mut reply)?;
        assert_eq!(Reply::decode(&reply[4..]), Ok(Reply::Ready));
        assert!(!is_linked(&offer), "the client took the name away");
        region.unlink();
        Some(region)
    }

    fn take(socket: &OwnedFd) -> Option<S> {
        let (offer, descriptor) = try_receive_offer::<S>(socket)?;
        let uid = peer_credentials(socket.as_fd()).unwrap().uid;
        let region = S::open(&offer, descriptor, uid).unwrap();
        let reply = Reply::Ready.encode();
        let frame = [&(reply.len() as u32).to_be_bytes(), reply.as_slice()].concat();
        match send_nonblocking(socket.as_fd(), &frame) {
            Ok(sent) => assert_eq!(sent, frame.len()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{error}"),
        }
        Some(region)
    }
}

impl<R: Region> Link<R> {
    /// Takes the seats of one side of a segment.
    pub(crate) fn over(region: R, socket: OwnedFd, reads: Direction) -> Self {
        Self {
            socket,
            ended: false,
            inbound: Inbound::new(region.clone(), reads, SHORTEST).unwrap(),
            outbound: Outbound::new(region, reads.reverse()).unwrap(),
            wakes: 0,
            rings: 0,
            space_waits: 0,
        }
    }

    pub(crate) fn ring(&mut self) {
        self.rings += 1;
        assert!(matches!(
            doorbell::ring(self.socket.as_fd()).unwrap(),
            Rung::Sent | Rung::WouldBlock | Rung::Gone
        ));
    }

    /// Sends one frame if there is room.
    pub(crate) fn try_send(&mut self, lane: Lane, frame: &[u8]) -> bool {
        let pushed = self.outbound.push(lane, frame).unwrap();
        if self.outbound.publish() {
            self.ring();
        }
        pushed
    }

    /// Sends one frame, waiting for room. After the end of stream it goes nowhere.
    pub(crate) fn send(&mut self, lane: Lane, frame: &[u8]) {
        while !self.try_send(lane, frame) && self.wait_for_space(lane) {}
    }

    /// Waits for room by the protocol; false at the end of stream.
    pub(crate) fn wait_for_space(&mut self, lane: Lane) -> bool {
        while !self.ended && !self.outbound.wait_for_space(lane).unwrap() {
            self.space_waits += 1;
            self.sleep();
            self.outbound.clear_wait(lane);
        }
        !self.ended
    }

    /// Receives the next frame in priority order, `None` at the end of stream after everything was delivered.
    pub(crate) fn receive(&mut self, frame: &mut Vec<u8>) -> Option<Lane> {
        loop {
            for lane in Lane::ALL {
                if let Some(length) = self.inbound.next(lane).unwrap() {
                    frame.resize(length, 0);
                    self.inbound.copy_next(lane, frame).unwrap();
                    if self.inbound.release() {
                        self.ring();
                    }
                    return Some(lane);
                }
            }
            if self.ended {
                return None;
            }
            if !self.inbound.begin_wait(ALL_LANES) {
                self.wakes += 1;
                self.sleep();
                self.inbound.end_wait();
            }
        }
    }

    /// Sleeps until the socket says something: doorbells, or the end.
    fn sleep(&mut self) {
        wait_readable(&self.socket);
        let mut bytes = [0; 4_096];
        match receive(self.socket.as_fd(), &mut bytes, false).unwrap() {
            Received::Bytes(read, None) => {
                assert!(bytes[..read].iter().all(|byte| *byte == doorbell::DOORBELL))
            }
            Received::End => {
                self.ended = true;
                self.inbound.end().unwrap();
            }
            other => panic!("{other:?}"),
        }
    }

    /// Waits for a condition that the peer brings about without ringing.
    pub(crate) fn until(&mut self, condition: impl Fn(&Self) -> bool) {
        let end = Instant::now() + DEADLINE;
        while !condition(self) {
            assert!(Instant::now() < end, "the peer did not do its part in time");
            std::thread::yield_now();
        }
    }

    pub(crate) fn wait_for_a_byte(&mut self) {
        self.sleep();
    }

    pub(crate) fn wait_for_end(&mut self) {
        while !self.ended {
            self.sleep();
        }
    }
}

/// The server's first step: makes a segment and offers it.
pub(crate) fn send_offer<S: Segment>(socket: &OwnedFd) -> Created<S> {
    let [a, b, c, d] = CAPACITIES;
    let mut made = S::create(Capacities::new([a, b, c, d, a, b, c, d]).unwrap(), SESSION).unwrap();
    let payload = made.offer.encode();
    let frame = [&(payload.len() as u32).to_be_bytes(), payload.as_slice()].concat();
    let sent = match made.descriptor.take() {
        Some(fd) => send_with_fd(socket.as_fd(), &frame, fd.as_fd()),
        None => send_nonblocking(socket.as_fd(), &frame),
    };
    assert_eq!(sent.unwrap(), frame.len());
    made
}

/// The client's first step: reads the offer and what came with it.
pub(crate) fn receive_offer<S: Segment>(socket: &OwnedFd) -> (Offer, Option<OwnedFd>) {
    try_receive_offer::<S>(socket).unwrap()
}

fn try_receive_offer<S: Segment>(socket: &OwnedFd) -> Option<(Offer, Option<OwnedFd>)> {
    let mut prefix = [0; 4];
    wait_readable(socket);
    let descriptor = match receive(socket.as_fd(), &mut prefix[..1], S::PASSES_DESCRIPTOR).unwrap() {
        Received::Bytes(_, descriptor) => descriptor,
        Received::End => return None,
        Received::WouldBlock => panic!("it was readable"),
    };
    assert_eq!(descriptor.is_some(), S::PASSES_DESCRIPTOR, "what comes with the first byte");
    read_exact(socket, &mut prefix[1..])?;
    let mut payload = vec![0; u32::from_be_bytes(prefix) as usize];
    read_exact(socket, &mut payload)?;
    Some((Offer::decode(&payload, SESSION, 1 << 20).unwrap(), descriptor))
}

/// Whether the segment's name leads to something; a memfd has none.
pub(crate) fn is_linked(offer: &Offer) -> bool {
    offer.kind() == SegmentKind::Named && shm::open(offer.name(), shm::OFlags::RDONLY, Mode::empty()).is_ok()
}

/// `None` if the stream ends before.
fn read_exact(socket: &OwnedFd, mut buffer: &mut [u8]) -> Option<()> {
    while !buffer.is_empty() {
        wait_readable(socket);
        match receive(socket.as_fd(), buffer, false).unwrap() {
            Received::Bytes(read, None) => buffer = &mut buffer[read..],
            Received::End => return None,
            other => panic!("{other:?}"),
        }
    }
    Some(())
}
