//! The attacker is the peer process: it holds the segment mapped and writes any byte of it at any time.
//!
//! A scribbler on every index, length, kind and flag of both directions, under traffic: what comes out is correct data or
//! a fault, never a panic, a hang or a message that nobody sent. Once with a write between any two steps of the victim, so
//! that every write is met, and once beside it, so that values change between a look and its use.
//!
//! `EIPC_HOSTILE_WRITES` says how many writes (`make hostile`: 10 000 000); each test takes its part of them.
#![cfg(all(target_os = "linux", not(loom)))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod common;

use std::cell::Cell;
use std::env;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::strike::{DATA, Target};
use common::{Dice, Raw, SHORTEST, counter_of, length, message};
use eipc_shm::map::memfd::MemfdRegion;
use eipc_shm::map::named::NamedRegion;
use eipc_shm::{
    ALL_LANES, Capacities, Direction, Fault, HeapRegion, Inbound, Lane, Layout, Outbound, PushError, Region,
    Segment,
};
use rustix::fs::Mode;
use rustix::shm;

const DIRECTION: Direction = Direction::ClientToServer;
const CAPACITY: u32 = 4_096;
/// Size of the segment.
const LEN: usize = DATA + 8 * CAPACITY as usize;

const fn target(raw: Raw) -> Target {
    Target { raw, capacities: [CAPACITY; 8] }
}

/// How many writes all tests of this file make together.
fn wanted_writes() -> u64 {
    env::var("EIPC_HOSTILE_WRITES").map_or(100_000, |number| number.parse().unwrap())
}

/// Strikes until told to stop.
fn scribble(raw: Raw, dice: &mut Dice, stop: &AtomicBool) -> u64 {
    let mut writes = 0;
    while !stop.load(Ordering::Relaxed) {
        target(raw).strike(dice);
        writes += 1;
        // Now and then a pause, so that traffic gets somewhere before the next blow.
        for _ in 0..dice.below(4_000) {
            std::hint::spin_loop();
        }
    }
    writes
}

/// Changes one value of the traffic to and fro, as fast as it can, until told to stop: what is right at the look may be
/// wrong at the use.
fn flip(raw: Raw, dice: &mut Dice, stop: &AtomicBool) -> u64 {
    let flip = target(raw).flip(dice, DIRECTION, DIRECTION);
    let mut flips = 0;
    while !stop.load(Ordering::Relaxed) {
        // For a moment, and now and then for as long as another thread of this core takes.
        flip.once(|| match dice.below(256) {
            0 => thread::yield_now(),
            pauses => (0..pauses % 64).for_each(|_| std::hint::spin_loop()),
        });
        (0..dice.below(64)).for_each(|_| std::hint::spin_loop());
        flips += 1;
    }
    flips
}

/// Two honest ends of one direction, as far as the segment lets them be: each method is one step.
struct Victim<R: Region> {
    outbound: Outbound<R>,
    inbound: Inbound<R>,
    sent: u64,
    /// Messages that came out whole.
    received: u64,
    /// Lengths of records that were announced and not copied yet.
    announced: [Option<usize>; 4],
}

impl<R: Region> Victim<R> {
    fn new(region: &R) -> Self {
        Self {
            outbound: Outbound::new(region.clone(), DIRECTION).unwrap(),
            inbound: Inbound::new(region.clone(), DIRECTION, SHORTEST).unwrap(),
            sent: 0,
            received: 0,
            announced: [None; 4],
        }
    }

    fn send(&mut self) -> Result<(), Fault> {
        let lane = Lane::ALL[usize::try_from(self.sent % 4).unwrap()];
        match self.outbound.push(lane, &message(self.sent, length(self.sent, 2_040))) {
            Ok(true) => self.sent += 1,
            Ok(false) => {
                let _ = self.outbound.wait_for_space(lane)?;
                self.outbound.clear_wait(lane);
            }
            Err(PushError::Fault(fault)) => return Err(fault),
            Err(error) => panic!("{error}"),
        }
        Ok(())
    }

    fn wait(&mut self) {
        let _ = self.inbound.begin_wait(ALL_LANES);
        self.inbound.end_wait();
    }

    fn look(&mut self, lane: Lane) -> Result<(), Fault> {
        let next = self.inbound.next(lane)?;
        if let Some(length) = next {
            assert!((SHORTEST as usize..=CAPACITY as usize / 2 - 8).contains(&length));
        }
        let announced = &mut self.announced[lane.index()];
        assert!(announced.is_none() || *announced == next, "what was announced stays announced");
        *announced = next;
        Ok(())
    }

    fn copy(&mut self, lane: Lane) -> Result<(), Fault> {
        let Some(length) = self.announced[lane.index()].take() else { return Ok(()) };
        let mut frame = [0; CAPACITY as usize];
        self.inbound.copy_next(lane, &mut frame[..length]).unwrap();
        // The hash stands in for the tag: bytes the scribbler hit are refused here.
        match counter_of(&frame[..length]) {
            Some(counter) => assert!(counter < self.sent, "a message nobody sent"),
            None => return Err(Fault::Poisoned),
        }
        self.received += 1;
        Ok(())
    }

    /// One step of any kind.
    fn step(&mut self, dice: &mut Dice) -> Result<(), Fault> {
        match dice.below(16) {
            0..4 => self.send(),
            4 | 5 => {
                let _ = self.outbound.publish();
                Ok(())
            }
            6 => {
                let _ = self.inbound.release();
                Ok(())
            }
            7 => {
                self.wait();
                Ok(())
            }
            8..12 => self.look(Lane::ALL[dice.below(4)]),
            _ => self.copy(Lane::ALL[dice.below(4)]),
        }
    }

    /// Traffic until either end gives up.
    fn run(&mut self, rounds: usize) -> Result<(), Fault> {
        for _ in 0..rounds {
            for _ in 0..4 {
                self.send()?;
            }
            let _ = self.outbound.publish();
            self.wait();
            for lane in Lane::ALL {
                for _ in 0..2 {
                    self.look(lane)?;
                    self.copy(lane)?;
                }
            }
            let _ = self.inbound.release();
        }
        Ok(())
    }
}

/// A write between any two steps of the victim, or none, or several; one connection after the other.
fn survive_each_write<R: Region>(make: impl Fn() -> (R, Raw), wanted: u64) {
    let mut dice = Dice(0x5eed);
    let (mut writes, mut received, mut connections) = (0, 0, 0_u64);
    while writes < wanted {
        let (region, raw) = make();
        let mut victim = Victim::new(&region);
        connections += 1;
        // Warm first, so that there are records of many positions to hit.
        victim.run(dice.below(8)).unwrap();
        loop {
            if victim.step(&mut dice).is_err() {
                break;
            }
            for _ in 0..dice.below(8).saturating_sub(5) {
                target(raw).strike(&mut dice);
                writes += 1;
            }
        }
        received += victim.received;
    }
    println!("{writes} writes in {connections} connections, {received} messages came out whole");
    assert!(received > connections, "nothing was tested");
}

/// Writes by a thread beside the victim's, as a peer on another core makes them.
fn survive_beside<R: Region + Send + 'static>(
    make: impl Fn() -> (R, Raw),
    attack: fn(Raw, &mut Dice, &AtomicBool) -> u64,
    wanted: u64,
) {
    let (mut writes, mut received, mut faults, mut round) = (0, 0, 0, 0);
    while writes < wanted || round < 50 {
        round += 1;
        let (region, raw) = make();
        let mut victim = Victim::new(&region);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let scribbler = scope.spawn(|| attack(raw, &mut Dice(round), &stop));
            let result = catch_unwind(AssertUnwindSafe(|| victim.run(2_000)));
            stop.store(true, Ordering::Relaxed);
            writes += scribbler.join().unwrap();
            faults += u64::from(result.unwrap().is_err());
        });
        received += victim.received;
    }
    println!(
        "{writes} writes beside {round} connections, {faults} faults, {received} messages came out whole"
    );
    assert!(received > 0 && faults > 0, "nothing was tested");
}

fn heap() -> (HeapRegion, Raw) {
    let region = HeapRegion::new(Layout::new(Capacities::new([CAPACITY; 8]).unwrap())).unwrap();
    let raw = Raw(region.as_ptr());
    (region, raw)
}

/// A segment and a second mapping of it, which goes when the next one is made.
struct Mapped<R>(Cell<Option<Raw>>, fn() -> (R, Raw));

impl<R> Mapped<R> {
    fn new(make: fn() -> (R, Raw)) -> Self {
        Self(Cell::new(None), make)
    }

    fn make(&self) -> (R, Raw) {
        let (region, raw) = (self.1)();
        if let Some(last) = self.0.replace(Some(raw)) {
            last.unmap(LEN);
        }
        (region, raw)
    }
}

fn memfd() -> (MemfdRegion, Raw) {
    let made = MemfdRegion::create(Capacities::new([CAPACITY; 8]).unwrap(), 1).unwrap();
    (made.region, Raw::map(made.descriptor.unwrap().as_fd(), LEN))
}

fn named() -> (NamedRegion, Raw) {
    let made = NamedRegion::create(Capacities::new([CAPACITY; 8]).unwrap(), 1).unwrap();
    let fd = shm::open(made.offer.name(), shm::OFlags::RDWR, Mode::empty()).unwrap();
    (made.region, Raw::map(fd.as_fd(), LEN))
}

#[test]
fn each_write_to_the_heap_region_gets_only_faults_and_correct_data() {
    survive_each_write(heap, wanted_writes() * 7 / 10);
}

#[test]
fn each_write_to_the_memfd_gets_only_faults_and_correct_data() {
    let mapped = Mapped::new(memfd);
    survive_each_write(|| mapped.make(), wanted_writes() / 20);
}

#[test]
fn a_scribbler_beside_the_heap_region_gets_only_faults_and_correct_data() {
    survive_beside(heap, scribble, wanted_writes() / 200);
}

#[test]
fn a_scribbler_with_its_own_mapping_of_the_memfd_gets_only_faults_and_correct_data() {
    let mapped = Mapped::new(memfd);
    survive_beside(|| mapped.make(), scribble, wanted_writes() / 200);
}

#[test]
fn a_scribbler_with_its_own_mapping_of_the_named_segment_gets_only_faults_and_correct_data() {
    let mapped = Mapped::new(named);
    survive_beside(|| mapped.make(), scribble, wanted_writes() / 200);
}

#[test]
fn a_value_that_flips_beside_the_victim_gets_only_faults_and_correct_data() {
    survive_beside(heap, flip, wanted_writes() / 4);
}

#[test]
fn a_value_that_flips_in_its_own_mapping_of_the_memfd_gets_only_faults_and_correct_data() {
    let mapped = Mapped::new(memfd);
    survive_beside(|| mapped.make(), flip, wanted_writes() / 4);
}
