//! What two sides exchange and how: streams of frames that each can compute, batches, and sleep.

use eipc_shm::{ALL_LANES, Budget, Direction, Lane, Region};

use crate::common::link::Link;
use crate::common::{Dice, SHORTEST};

/// The longest frame that fits into half of the smallest lane.
const LONGEST: usize = 4_096 / 2 - 8;

/// What one side sends in one lane: every length and byte of it follows from the lane, the direction and a counter.
struct Stream {
    dice: Dice,
    next: Vec<u8>,
}

impl Stream {
    fn new(direction: Direction, lane: Lane) -> Self {
        let seed = 1 + direction.index() as u64 * 4 + lane.index() as u64;
        let mut stream = Self { dice: Dice(seed), next: Vec::new() };
        stream.advance();
        stream
    }

    fn all(direction: Direction) -> [Self; 4] {
        Lane::ALL.map(|lane| Self::new(direction, lane))
    }

    /// Goes on to the next frame: mostly a short one, and every size up to the limit.
    fn advance(&mut self) {
        let longest = if self.dice.below(16) == 0 { LONGEST } else { 200 };
        let length = SHORTEST as usize + self.dice.below(longest + 1 - SHORTEST as usize);
        self.next.clear();
        while self.next.len() < length {
            self.next.extend_from_slice(&self.dice.next().to_le_bytes());
        }
        self.next.truncate(length);
    }
}

/// Sends and receives until both are done, in batches of changing length, and sleeps when neither gets on.
pub(crate) fn exchange<R: Region>(link: &mut Link<R>, sends: Direction, records: u64) {
    let mut outgoing = Stream::all(sends);
    let mut incoming = Stream::all(sends.reverse());
    let mut dice = Dice(7 + sends.index() as u64);
    let (mut sent, mut received) = (0, 0);
    let mut frame = Vec::new();
    while sent < records || received < records {
        let before = (sent, received);
        let mut full = None;
        for _ in 0..(1 + dice.below(8)).min((records - sent) as usize) {
            let lane = Lane::ALL[dice.below(4)];
            let stream = &mut outgoing[lane.index()];
            if !link.outbound.push(lane, &stream.next).unwrap() {
                full = Some(lane);
                break;
            }
            stream.advance();
            sent += 1;
        }
        if link.outbound.publish() {
            link.ring();
        }
        let mut budget = Budget::new(2_048);
        for _ in 0..1 + dice.below(8) {
            let Some((lane, length)) = link.inbound.next_by_priority(&mut budget).unwrap() else { break };
            frame.resize(length, 0);
            link.inbound.copy_next(lane, &mut frame).unwrap();
            budget.spend(lane, length);
            let stream = &mut incoming[lane.index()];
            assert!(frame == stream.next, "record {received} of {lane:?} is not what was sent");
            stream.advance();
            received += 1;
        }
        if link.inbound.release() {
            link.ring();
        }
        if (sent, received) == before {
            assert!(!link.ended, "the stream ended after {received} of {records} records");
            wait(link, full);
        }
    }
}

/// Sleeps until there may be room in a lane that was full, or data.
fn wait<R: Region>(link: &mut Link<R>, full: Option<Lane>) {
    if full.is_some_and(|lane| link.outbound.wait_for_space(lane).unwrap()) {
        return;
    }
    link.space_waits += u64::from(full.is_some());
    if !link.inbound.begin_wait(ALL_LANES) {
        link.wakes += u64::from(full.is_none());
        link.wait_for_a_byte();
        link.inbound.end_wait();
    }
    if let Some(lane) = full {
        link.outbound.clear_wait(lane);
    }
}
