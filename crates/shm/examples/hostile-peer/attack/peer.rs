//! A session with its segment: everything a hostile peer holds.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use eipc_core::{CloseReason, Error, Kind, Meta, MetaKind, Opener, PayloadFormat, Priority, Sealer};
use eipc_shm::doorbell::peer_credentials;
use eipc_shm::map::memfd::MemfdRegion;
use eipc_shm::{ALL_LANES, Budget, Capacities, Direction, Inbound, Lane, Offer, Outbound, Reply, Segment};
use eipc_testkit::record;

use super::stream::{Said, Stream};
use crate::common::strike::Target;
use crate::common::{Raw, message, tail_at};

/// Bytes of a lane that may wait for the victim. What it takes when the attack is over tries nothing.
const AHEAD: u64 = 16 * 1024;

/// A session that has the segment.
pub(crate) struct Peer {
    pub(crate) stream: Stream,
    pub(crate) memory: OwnedFd,
    pub(crate) target: Target,
    pub(crate) sends: Direction,
    pub(crate) sealer: Sealer,
    opener: Opener,
    pub(crate) outbound: Outbound<MemfdRegion>,
    inbound: Inbound<MemfdRegion>,
    counter: u64,
    /// Messages of the victim that arrived whole.
    pub(crate) received: u64,
}

impl Peer {
    /// Completes handshake and hand-over; `None` if the victim refuses the handshake.
    pub(crate) fn meet(mut stream: Stream, is_server: bool) -> Option<Self> {
        if !matches!(stream.listen(), Said::Established) {
            return None;
        }
        if is_server {
            return Some(Self::offer(stream));
        }
        let Said::Segment(payload) = stream.listen() else { panic!("no offer") };
        let session_id = stream.connection.session().unwrap().session_id;
        let offer = Offer::decode(&payload, session_id, 1 << 30).unwrap();
        let memory = stream.descriptor.take().unwrap();
        let uid = peer_credentials(stream.socket()).unwrap().uid;
        let region = MemfdRegion::open(&offer, Some(memory.try_clone().unwrap()), uid).unwrap();
        let now = stream.now();
        stream.connection.send_segment(&Reply::Ready.encode(), now).unwrap();
        stream.flush();
        Some(Self::new(stream, memory, region, &offer, Direction::ClientToServer))
    }

    /// Waits until the victim has sent something: it uses the session.
    pub(crate) fn wait_for_a_message(&mut self) {
        while self.received == 0 && !self.stream.is_over() {
            self.receive().expect("an honest victim");
            thread::yield_now();
        }
    }

    fn offer(mut stream: Stream) -> Self {
        let session_id = stream.connection.session().unwrap().session_id;
        let made = MemfdRegion::create(Capacities::DEFAULT, session_id).unwrap();
        stream.flush();
        let now = stream.now();
        stream.connection.send_segment(&made.offer.encode(), now).unwrap();
        let memory = made.descriptor.unwrap();
        let frame = stream.transmit();
        let sent = eipc_shm::doorbell::send_with_fd(stream.socket(), &frame, memory.as_fd()).unwrap();
        assert_eq!(sent, frame.len());
        let Said::Segment(_) = stream.listen() else { panic!("not ready") };
        Self::new(stream, memory, made.region, &made.offer, Direction::ServerToClient)
    }

    fn new(
        mut stream: Stream,
        memory: OwnedFd,
        region: MemfdRegion,
        offer: &Offer,
        sends: Direction,
    ) -> Self {
        let (sealer, opener) = stream.connection.use_segment().unwrap();
        let mut capacities = [0; 8];
        capacities.iter_mut().zip(offer.capacities().iter()).for_each(|(to, from)| *to = from);
        let raw = Raw::map(memory.as_fd(), offer.total() as usize);
        Self {
            stream,
            memory,
            target: Target { raw, capacities },
            sends,
            sealer,
            opener,
            outbound: Outbound::new(region.clone(), sends).unwrap(),
            inbound: Inbound::new(region, sends.reverse(), 56).unwrap(),
            counter: 0,
            received: 0,
        }
    }

    /// The next message, which proves itself, sealed for a lane.
    pub(crate) fn seal(&mut self, lane: Lane, length: usize) -> Vec<u8> {
        self.counter += 1;
        let priority = Priority::ALL[lane.index()];
        let meta = Meta { priority, payload_format: PayloadFormat::Bytes, ..Meta::default() };
        let payload = message(self.counter, length);
        let (meta_len, mut frame) = record(&meta, &payload, self.sealer.tag_len());
        let now = self.stream.now();
        self.sealer.seal(Kind::Features, priority, MetaKind::Binary, meta_len, &mut frame, now).unwrap();
        frame
    }

    /// Pushes one message if there is room; an error is our own attack, met by our own ring.
    pub(crate) fn send(&mut self, lane: Lane, length: usize) -> Result<bool, ()> {
        if !self.outbound.try_reserve(lane, length + 128).map_err(drop)? {
            return Ok(false);
        }
        let frame = self.seal(lane, length);
        self.outbound.push(lane, &frame).map_err(drop)
    }

    /// Publishes and rings if the victim sleeps.
    pub(crate) fn publish(&mut self) {
        if self.outbound.publish() {
            self.stream.ring();
        }
    }

    /// Takes what the victim has sent.
    pub(crate) fn receive(&mut self) -> Result<(), ()> {
        let mut budget = Budget::new(usize::MAX);
        while let Some((lane, length)) = self.inbound.next_by_priority(&mut budget).map_err(drop)? {
            let mut frame = vec![0; length];
            self.inbound.copy_next(lane, &mut frame).map_err(drop)?;
            self.opener.receive(&mut frame).map_err(|_: Error| ())?;
            self.received += 1;
        }
        if self.inbound.release() {
            self.stream.ring();
        }
        Ok(())
    }

    /// Asks the victim to ring for data, as somebody who sleeps.
    pub(crate) fn ask_for_bells(&mut self) {
        let _ = self.inbound.begin_wait(ALL_LANES);
    }

    /// Honest traffic both ways, as far as the segment lets it be, beside `attack` in a second thread, until the victim
    /// hangs up. Returns what the attack counted.
    pub(crate) fn traffic_beside<A>(&mut self, attack: A, limit: u64) -> u64
    where
        A: FnOnce(Target, Direction, &AtomicBool, u64) -> u64 + Send,
    {
        let (target, sends, stop) = (self.target, self.sends, AtomicBool::new(false));
        let taken = target.raw.u64_at(tail_at(sends, Lane::P0) + 128);
        while taken.load(Ordering::Relaxed) == 0 && !self.stream.is_over() {
            self.exchange();
        }
        thread::scope(|scope| {
            let attacker = scope.spawn(|| attack(target, sends, &stop, limit));
            while !attacker.is_finished() && !self.stream.is_over() {
                self.exchange();
            }
            stop.store(true, Ordering::Relaxed);
            attacker.join().unwrap()
        })
    }

    /// One round of traffic; goes on whatever is met.
    fn exchange(&mut self) {
        for lane in Lane::ALL {
            let tail = tail_at(self.sends, lane);
            let [tail, head] =
                [tail, tail + 128].map(|at| self.target.raw.u64_at(at).load(Ordering::Relaxed));
            if tail.wrapping_sub(head) < AHEAD {
                let _ = self.send(lane, 200 * (lane.index() + 1));
            }
        }
        self.publish();
        let _ = self.receive();
        thread::yield_now();
    }

    /// Honest traffic until so many P0 messages are sent, and an honest end.
    pub(crate) fn exchange_and_close(&mut self, count: u64) {
        while self.sealer.counter(eipc_core::Lane::P0) < count && !self.stream.is_over() {
            self.exchange();
        }
        self.close(CloseReason::Normal, [0; 4]);
    }

    /// Says that it closes; the lanes' counters are the true ones and `more`, which may wrap.
    pub(crate) fn say_close(&mut self, reason: CloseReason, more: [u64; 4]) {
        let mut counters = Priority::ALL.map(|lane| self.sealer.counter(lane));
        counters.iter_mut().zip(more).for_each(|(counter, more)| *counter = counter.wrapping_add(more));
        let now = self.stream.now();
        self.stream.connection.close(reason, Some(counters), now).unwrap();
        self.stream.flush();
    }

    /// Closes and waits for the victim's answer; meanwhile what it sends has room.
    pub(crate) fn close(&mut self, reason: CloseReason, more: [u64; 4]) {
        self.say_close(reason, more);
        while !self.stream.is_over() {
            let _ = self.receive();
            thread::yield_now();
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.target.raw.unmap(self.target.len());
    }
}
