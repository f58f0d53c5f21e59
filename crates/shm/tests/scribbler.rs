//! The attacker is the peer process: it holds the segment mapped and writes any byte of it at any time.
//!
//! A scribbler on every index, length and kind of both directions, under traffic: what comes out is correct data or
//! a fault, never a panic, a hang or a message that nobody sent.
#![cfg(all(target_os = "linux", not(loom)))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod common;

use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::{Dice, Raw, SHORTEST, counter_of, length, message};
use eipc_shm::map::memfd::MemfdRegion;
use eipc_shm::map::named::NamedRegion;
use eipc_shm::{
    ALL_LANES, Capacities, Direction, HeapRegion, Inbound, Lane, Layout, Outbound, PushError, Region, Segment,
};
use rustix::fs::Mode;
use rustix::shm;

const DIRECTION: Direction = Direction::ClientToServer;
const CAPACITY: u32 = 4_096;
/// Where the data of the lanes begin.
const DATA: usize = 12_288;
/// Size of the segment.
const LEN: usize = DATA + 8 * CAPACITY as usize;

/// Writes nonsense over the whole segment, now anywhere, now where it hurts, until told to stop.
fn scribble(raw: Raw, dice: &mut Dice, stop: &AtomicBool) -> u64 {
    let mut writes = 0;
    while !stop.load(Ordering::Relaxed) {
        let direction = Direction::ALL[dice.below(2)];
        let lane = Lane::ALL[dice.below(4)];
        let small = dice.next() % 16_384;
        match dice.below(8) {
            0 => raw.set_tail(direction, lane, small & !7),
            1 => raw.set_tail(direction, lane, small),
            2 => raw.set_head(direction, lane, small & !7),
            3 => raw.set_head(direction, lane, dice.next()),
            4 => raw.set_header(
                DATA + dice.below((LEN - DATA) / 8) * 8,
                dice.next() as u32 % 9_000,
                dice.next() as u32 % 4,
            ),
            5 => raw.set_header(DATA + dice.below((LEN - DATA) / 8) * 8, dice.next() as u32, 1),
            6 => raw.u32_at(dice.below(LEN / 4) * 4).store(dice.next() as u32, Ordering::Relaxed),
            _ => raw.u64_at(dice.below(LEN / 8) * 8).store(dice.next(), Ordering::Relaxed),
        }
        writes += 1;
        // Now and then a pause, so that traffic gets somewhere before the next blow.
        for _ in 0..dice.below(4_000) {
            std::hint::spin_loop();
        }
    }
    writes
}

/// Runs traffic both ways over a region until either end gives up; returns how many messages arrived whole.
fn traffic<R: Region>(outbound: &mut Outbound<R>, inbound: &mut Inbound<R>, limit: usize) -> u64 {
    let mut frame = [0; CAPACITY as usize];
    let (mut sent, mut received) = (0_u64, 0_u64);
    for _ in 0..limit {
        for _ in 0..4 {
            let lane = Lane::ALL[usize::try_from(sent % 4).unwrap()];
            match outbound.push(lane, &message(sent, length(sent, 2_040))) {
                Ok(true) => sent += 1,
                Ok(false) => match outbound.wait_for_space(lane) {
                    Ok(_) => outbound.clear_wait(lane),
                    Err(_) => return received,
                },
                Err(PushError::Fault(_)) => return received,
                Err(error) => panic!("{error}"),
            }
        }
        let _ = outbound.publish();
        let _ = inbound.begin_wait(ALL_LANES);
        inbound.end_wait();
        for lane in Lane::ALL {
            for _ in 0..2 {
                match inbound.next(lane) {
                    Ok(Some(length)) => {
                        assert!((SHORTEST as usize..=CAPACITY as usize / 2 - 8).contains(&length));
                        inbound.copy_next(lane, &mut frame[..length]).unwrap();
                        // The hash stands in for the tag: bytes the scribbler hit are refused here.
                        match counter_of(&frame[..length]) {
                            Some(counter) => assert!(counter < sent, "a message nobody sent"),
                            None => return received,
                        }
                        received += 1;
                    }
                    Ok(None) => break,
                    Err(_) => return received,
                }
            }
        }
        let _ = inbound.release();
    }
    received
}

fn survive<R: Region + Send + 'static>(make: impl Fn() -> (R, Raw), rounds: u64) {
    let (mut received, mut writes) = (0, 0);
    for round in 1..=rounds {
        let (region, raw) = make();
        let mut outbound = Outbound::new(region.clone(), DIRECTION).unwrap();
        let mut inbound = Inbound::new(region.clone(), DIRECTION, SHORTEST).unwrap();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let scribbler = scope.spawn(|| scribble(raw, &mut Dice(round), &stop));
            let result = catch_unwind(AssertUnwindSafe(|| traffic(&mut outbound, &mut inbound, 20_000)));
            stop.store(true, Ordering::Relaxed);
            writes += scribbler.join().unwrap();
            received += result.unwrap();
        });
        drop(region);
    }
    assert!(writes > rounds / 2 && received > 0, "{writes} writes, {received} messages: nothing was tested");
}

#[test]
fn a_scribbler_on_the_heap_region_gets_only_faults_and_correct_data() {
    survive(
        || {
            let region = HeapRegion::new(Layout::new(Capacities::new([CAPACITY; 8]).unwrap())).unwrap();
            let raw = Raw(region.as_ptr());
            (region, raw)
        },
        400,
    );
}

#[test]
fn a_scribbler_with_its_own_mapping_of_the_memfd_gets_only_faults_and_correct_data() {
    let make = || {
        let made = MemfdRegion::create(Capacities::new([CAPACITY; 8]).unwrap(), 1).unwrap();
        (made.region, Raw::map(made.descriptor.unwrap().as_fd(), LEN))
    };
    survive(make, 200);
}

#[test]
fn a_scribbler_with_its_own_mapping_of_the_named_segment_gets_only_faults_and_correct_data() {
    let make = || {
        let made = NamedRegion::create(Capacities::new([CAPACITY; 8]).unwrap(), 1).unwrap();
        let fd = shm::open(made.offer.name(), shm::OFlags::RDWR, Mode::empty()).unwrap();
        (made.region, Raw::map(fd.as_fd(), LEN))
    };
    survive(make, 200);
}
