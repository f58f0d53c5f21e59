//! The reader of shared memory under a script of writes: the fuzz target `shm_reader` and the replay of its corpus.
//!
//! The input is an offer and a script of steps, each a step of the victim or a write of the peer; one word changes to and fro
//! in another thread meanwhile, as often as it gets to it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;

use eipc_shm::{
    ALL_LANES, Budget, Capacities, Direction, Fault, HeapRegion, Inbound, Lane, Layout, Offer, Outbound,
    PushError, Reply,
};

use super::Raw;

const CAPACITY: u32 = 4_096;
const DATA: usize = 12_288;
const LEN: usize = DATA + 8 * CAPACITY as usize;
const SHORTEST: u32 = 56;
const READS: Direction = Direction::ClientToServer;

/// The bytes of a script, eaten from the front; behind its end there are zeros.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut taken = [0; N];
        let count = N.min(self.0.len());
        taken[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take::<1>()[0]
    }

    fn lane(&mut self) -> Lane {
        Lane::ALL[usize::from(self.byte() & 3)]
    }
}

/// Runs one script. Panics for what no peer may bring about.
pub(crate) fn shm_reader(input: &[u8]) {
    let mut script = Script(input);
    offers(script.take::<80>());
    let region = HeapRegion::new(Layout::new(Capacities::new([CAPACITY; 8]).unwrap())).unwrap();
    let raw = Raw(region.as_ptr());
    let _mutator =
        Mutator::at(raw, usize::from(u16::from_le_bytes(script.take())), u64::from_le_bytes(script.take()));
    let mut victim = Victim {
        inbound: Inbound::new(region.clone(), READS, SHORTEST).unwrap(),
        outbound: Outbound::new(region.clone(), READS.reverse()).unwrap(),
        fault: None,
    };
    while !script.0.is_empty() {
        match script.byte() % 16 {
            0 => raw.set_tail(READS, script.lane(), u64::from(u16::from_le_bytes(script.take()))),
            1 => raw.set_tail(READS, script.lane(), u64::from_le_bytes(script.take())),
            2 => raw.set_head(READS.reverse(), script.lane(), u64::from(u16::from_le_bytes(script.take()))),
            3 => raw.set_head(READS.reverse(), script.lane(), u64::from_le_bytes(script.take())),
            4 => {
                let at = DATA + usize::from(u16::from_le_bytes(script.take())) * 8 % (LEN - DATA);
                raw.set_header(at, u32::from(u16::from_le_bytes(script.take())), u32::from(script.byte()));
            }
            5 => {
                let at = usize::from(u16::from_le_bytes(script.take())) * 8 % LEN;
                raw.u64_at(at).store(u64::from_le_bytes(script.take()), Ordering::Relaxed);
            }
            6 => raw.set_consumer_waiting(READS.reverse(), u32::from(script.byte())),
            7 => raw.set_producer_waiting(READS, script.lane(), u32::from(script.byte())),
            step => victim.step(step, &mut script),
        }
    }
}

/// Payloads of the hand-over: what is read is written again as the same.
fn offers(payload: [u8; 80]) {
    for length in [8, 72, 80] {
        if let Ok(reply) = Reply::decode(&payload[..length]) {
            assert_eq!(Reply::decode(&reply.encode()), Ok(reply));
        }
        if let Ok(offer) = Offer::decode(
            &payload[..length],
            u64::from_be_bytes(*payload[48..].first_chunk().unwrap()),
            1 << 26,
        ) {
            assert_eq!(offer.encode(), payload[..length], "one offer has one encoding");
            assert!(offer.total() <= 1 << 26);
        }
    }
}

struct Victim {
    inbound: Inbound<HeapRegion>,
    outbound: Outbound<HeapRegion>,
    /// The reading end's fault: it stays.
    fault: Option<Fault>,
}

impl Victim {
    fn step(&mut self, step: u8, script: &mut Script<'_>) {
        match step {
            8..=10 => self.receive(script.lane()),
            11 => {
                let mut budget = Budget::new(usize::from(script.byte()) * 64).only(script.byte() | 1);
                let next = self.inbound.next_by_priority(&mut budget);
                if let Some(Some((lane, length))) = self.judged(next) {
                    budget.spend(lane, length);
                    self.copy(lane, length);
                }
            }
            12 => {
                let _ = self.inbound.release();
                let _ = self.inbound.begin_wait(script.byte() & ALL_LANES);
                self.inbound.end_wait();
            }
            13 => {
                let lane = script.lane();
                let frame = vec![7; usize::from(u16::from_le_bytes(script.take()) % 2_100)];
                match self.outbound.try_reserve(lane, frame.len()) {
                    Ok(true) => {
                        assert!(self.outbound.push(lane, &frame).unwrap(), "room that was found is there")
                    }
                    Ok(false) | Err(PushError::TooLarge { .. }) => {}
                    Err(PushError::Fault(fault)) => assert_eq!(self.outbound.fault(), Some(fault)),
                    Err(error) => panic!("{error}"),
                }
                let _ = self.outbound.publish();
            }
            14 => {
                let lane = script.lane();
                let _ = self.outbound.wait_for_space(lane);
                self.outbound.clear_wait(lane);
                assert!(self.outbound.occupancy(lane) <= u64::from(CAPACITY));
            }
            _ => {
                let ended = self.inbound.end();
                self.judged(ended);
            }
        }
    }

    fn receive(&mut self, lane: Lane) {
        let next = self.inbound.next(lane);
        if let Some(Some(length)) = self.judged(next) {
            self.copy(lane, length);
        }
    }

    fn copy(&mut self, lane: Lane, length: usize) {
        assert!((SHORTEST as usize..=CAPACITY as usize / 2 - 8).contains(&length), "a length no frame has");
        // Exactly as long as announced: a byte more would be outside of this allocation.
        let mut frame = vec![0; length].into_boxed_slice();
        self.inbound.copy_next(lane, &mut frame).unwrap();
    }

    /// Once refused, refused for ever, and for the same reason.
    fn judged<T>(&mut self, outcome: Result<T, Fault>) -> Option<T> {
        match (outcome, self.fault) {
            (Ok(value), None) => Some(value),
            (Ok(_), Some(fault)) => panic!("the reader goes on after {fault:?}"),
            (Err(fault), Some(first)) => {
                assert_eq!(fault, first);
                None
            }
            (Err(fault), None) => {
                self.fault = Some(fault);
                None
            }
        }
    }
}

/// The other thread. There is one for all scripts: starting one takes longer than a script.
struct Mutator;

/// Where it writes, and what to flip; no region is nowhere.
struct Job {
    raw: Option<Raw>,
    offset: usize,
    flip: u64,
}

static JOB: LazyLock<Arc<Mutex<Job>>> = LazyLock::new(|| {
    let job = Arc::new(Mutex::new(Job { raw: None, offset: 0, flip: 0 }));
    let shared = Arc::clone(&job);
    thread::spawn(move || {
        loop {
            {
                let job = shared.lock().unwrap();
                if let Some(raw) = job.raw {
                    let word: &AtomicU64 = raw.u64_at(job.offset);
                    for _ in 0..64 {
                        word.fetch_xor(job.flip, Ordering::Relaxed);
                    }
                }
            }
            thread::yield_now();
        }
    });
    job
});

impl Mutator {
    fn at(raw: Raw, place: usize, flip: u64) -> Self {
        *JOB.lock().unwrap() = Job { raw: Some(raw), offset: place * 8 % LEN, flip };
        Self
    }
}

impl Drop for Mutator {
    // Behind this nobody writes to the region, which is freed next.
    fn drop(&mut self) {
        JOB.lock().unwrap().raw = None;
    }
}
