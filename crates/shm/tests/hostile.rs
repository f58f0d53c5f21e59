//! The attacker is the peer process: it holds the segment mapped and writes any byte of it at any time.
//!
//! Each refusal rule of docs/shm-abi.md by itself. All of them at random, under traffic, are in `scribbler.rs`; the
//! descriptor that the peer hands over is in `descriptors.rs`.
#![cfg(not(loom))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::atomic::Ordering;

use common::{Raw, SHORTEST, tail_at};
use eipc_shm::{Capacities, Direction, Fault, HeapRegion, Inbound, Lane, Layout, Outbound, PushError};

const DIRECTION: Direction = Direction::ClientToServer;
const CAPACITY: u32 = 4_096;
/// Where the data of P0, client to server, begin.
const DATA: usize = 12_288;

struct Victim {
    region: HeapRegion,
    raw: Raw,
}

impl Victim {
    fn new() -> Self {
        let region = HeapRegion::new(Layout::new(Capacities::new([CAPACITY; 8]).unwrap())).unwrap();
        let raw = Raw(region.as_ptr());
        Self { region, raw }
    }

    fn inbound(&self) -> Inbound<HeapRegion> {
        Inbound::new(self.region.clone(), DIRECTION, SHORTEST).unwrap()
    }

    fn outbound(&self) -> Outbound<HeapRegion> {
        Outbound::new(self.region.clone(), DIRECTION).unwrap()
    }

    fn record(&self, at: usize, length: u32, kind: u32) {
        self.raw.set_header(DATA + at, length, kind);
    }

    fn publish(&self, tail: u64) {
        self.raw.set_tail(DIRECTION, Lane::P0, tail);
    }

    /// Brings a consumer to a position by honest records of 64 bytes.
    fn inbound_at(&self, position: u64) -> Inbound<HeapRegion> {
        let mut inbound = self.inbound();
        for at in (0..position).step_by(64) {
            self.record(usize::try_from(at).unwrap() % CAPACITY as usize, 56, 1);
            self.publish(at + 64);
            assert_eq!(inbound.next(Lane::P0), Ok(Some(56)));
            inbound.copy_next(Lane::P0, &mut [0; 56]).unwrap();
            let _ = inbound.release();
        }
        inbound
    }
}

/// Asserts the fault, and that the object is finished: it does not recover when the segment does.
fn refused(mut inbound: Inbound<HeapRegion>, victim: &Victim, fault: Fault) {
    assert_eq!(inbound.next(Lane::P0), Err(fault));
    victim.record(0, 56, 1);
    victim.publish(64);
    for lane in Lane::ALL {
        assert_eq!(inbound.next(lane), Err(fault));
    }
    let heads: Vec<u64> = heads(victim);
    assert!(!inbound.release());
    inbound.end_wait();
    assert_eq!(heads, self::heads(victim), "a poisoned consumer writes nothing");
}

fn heads(victim: &Victim) -> Vec<u64> {
    let head = |lane| victim.raw.u64_at(tail_at(DIRECTION, lane) + 128).load(Ordering::Acquire);
    Lane::ALL.into_iter().map(head).collect()
}

#[test]
fn a_tail_that_goes_backwards_is_refused() {
    let victim = Victim::new();
    let inbound = victim.inbound_at(128);
    victim.publish(64);
    refused(inbound, &victim, Fault::TailBackwards);
}

#[test]
fn a_tail_more_than_a_capacity_ahead_is_refused() {
    for tail in [u64::from(CAPACITY) + 8, u64::MAX - 7, 1 << 63] {
        let victim = Victim::new();
        let inbound = victim.inbound();
        victim.record(0, 56, 1);
        victim.publish(tail);
        refused(inbound, &victim, Fault::TailBeyondCapacity);
    }
    let victim = Victim::new();
    let inbound = victim.inbound_at(128);
    victim.publish(128 + u64::from(CAPACITY) + 8);
    refused(inbound, &victim, Fault::TailBeyondCapacity);
}

#[test]
fn room_is_counted_from_the_released_head_not_from_what_was_read() {
    // A producer that overtakes the head overwrites records that we may be copying.
    let victim = Victim::new();
    let mut inbound = victim.inbound();
    victim.record(0, 56, 1);
    victim.publish(64);
    assert_eq!(inbound.next(Lane::P0), Ok(Some(56)));
    inbound.copy_next(Lane::P0, &mut [0; 56]).unwrap();
    victim.record(64, 56, 1);
    victim.publish(u64::from(CAPACITY) + 64);
    refused(inbound, &victim, Fault::TailBeyondCapacity);
}

#[test]
fn a_misaligned_tail_is_refused() {
    for tail in [1, 4, 63, 65] {
        let victim = Victim::new();
        let inbound = victim.inbound();
        victim.record(0, 56, 1);
        victim.publish(tail);
        refused(inbound, &victim, Fault::TailMisaligned);
    }
}

#[test]
fn a_record_that_reaches_past_the_tail_is_refused() {
    for length in [57, 2_000, CAPACITY, u32::MAX - 7, u32::MAX] {
        for kind in [1, 2] {
            let victim = Victim::new();
            let inbound = victim.inbound();
            victim.record(0, length, kind);
            victim.publish(64);
            refused(inbound, &victim, Fault::RecordBeyondTail);
        }
    }
}

#[test]
fn a_record_that_reaches_past_the_end_is_refused() {
    for kind in [1, 2] {
        let victim = Victim::new();
        let inbound = victim.inbound_at(4_032);
        victim.record(4_032, 57, kind);
        victim.publish(4_032 + 1_024);
        refused(inbound, &victim, Fault::RecordBeyondEnd);
    }
}

#[test]
fn a_kind_that_does_not_exist_is_refused() {
    for kind in [0, 3, 0x0100, u32::MAX] {
        let victim = Victim::new();
        let inbound = victim.inbound();
        victim.record(0, 56, kind);
        victim.publish(64);
        refused(inbound, &victim, Fault::RecordKind);
    }
}

#[test]
fn a_frame_too_short_for_its_header_and_tag_is_refused() {
    for length in [0, 1, SHORTEST - 1] {
        let victim = Victim::new();
        let inbound = victim.inbound();
        victim.record(0, length, 1);
        victim.publish(1_024);
        refused(inbound, &victim, Fault::RecordTooShort);
    }
}

#[test]
fn a_frame_longer_than_half_the_lane_is_refused() {
    let victim = Victim::new();
    let inbound = victim.inbound();
    victim.record(0, CAPACITY / 2 - 7, 1);
    victim.publish(u64::from(CAPACITY));
    refused(inbound, &victim, Fault::RecordTooLong);
}

#[test]
fn two_paddings_in_a_row_are_refused() {
    let victim = Victim::new();
    let inbound = victim.inbound_at(4_032);
    victim.record(4_032, 56, 2);
    victim.record(0, 56, 2);
    victim.publish(4_032 + 1_024);
    refused(inbound, &victim, Fault::PaddingRepeated);
}

#[test]
fn padding_that_ends_before_the_end_is_refused() {
    for length in [0, 48, 55] {
        let victim = Victim::new();
        let inbound = victim.inbound_at(4_032);
        victim.record(4_032, length, 2);
        victim.publish(4_032 + 1_024);
        refused(inbound, &victim, Fault::PaddingLength);
    }
}

#[test]
fn padding_without_its_record_is_refused() {
    let victim = Victim::new();
    let inbound = victim.inbound_at(4_032);
    victim.record(4_032, 56, 2);
    victim.publish(4_096);
    refused(inbound, &victim, Fault::PaddingAlone);
}

#[test]
fn a_tail_is_checked_at_the_end_of_stream_too() {
    let victim = Victim::new();
    let mut inbound = victim.inbound_at(128);
    victim.publish(64);
    assert_eq!(inbound.end(), Err(Fault::TailBackwards));
    assert_eq!(inbound.next(Lane::P0), Err(Fault::TailBackwards));
}

#[test]
fn a_length_that_changes_after_its_check_changes_nothing() {
    let victim = Victim::new();
    let mut inbound = victim.inbound();
    victim.record(0, 56, 1);
    victim.publish(64);
    assert_eq!(inbound.next(Lane::P0), Ok(Some(56)));
    victim.record(0, u32::MAX, 2);
    victim.publish(8);
    assert_eq!(inbound.next(Lane::P0), Ok(Some(56)), "what was announced stays announced");
    inbound.copy_next(Lane::P0, &mut [0; 56]).unwrap();
    assert_eq!(inbound.next(Lane::P0), Err(Fault::TailBackwards));
}

#[test]
fn a_head_no_honest_consumer_stores_is_refused() {
    // (head before, head then): the producer has published 2 × 2 048 and reads the head because the lane is full.
    let cases = [
        (2_048, 2_040, Fault::HeadBackwards),
        (0, 4_104, Fault::HeadBeyondTail),
        (0, u64::MAX - 7, Fault::HeadBeyondTail),
        (0, 2_044, Fault::HeadMisaligned),
        (0, 1, Fault::HeadMisaligned),
    ];
    for (before, then, fault) in cases {
        for wait in [false, true] {
            let victim = Victim::new();
            let mut outbound = victim.outbound();
            let mut published = 0;
            let mut fill = |outbound: &mut Outbound<HeapRegion>| {
                while outbound.push(Lane::P0, &[0; 2_040]).unwrap() {
                    published += 2_048;
                }
                let _ = outbound.publish();
                published
            };
            fill(&mut outbound);
            victim.raw.set_head(DIRECTION, Lane::P0, before);
            fill(&mut outbound);
            victim.raw.set_head(DIRECTION, Lane::P0, then);
            if wait {
                assert_eq!(outbound.wait_for_space(Lane::P0), Err(fault));
            } else {
                assert!(
                    matches!(outbound.try_reserve(Lane::P0, 2_040), Err(PushError::Fault(f)) if f == fault)
                );
            }
            victim.raw.set_head(DIRECTION, Lane::P0, before);
            assert!(matches!(outbound.push(Lane::P1, &[0; 56]), Err(PushError::Fault(f)) if f == fault));
            assert!(!outbound.publish());
        }
    }
}

#[test]
fn a_head_may_not_pass_what_was_published_even_if_more_was_written() {
    let victim = Victim::new();
    let mut outbound = victim.outbound();
    assert!(outbound.push(Lane::P0, &[0; 2_040]).unwrap());
    let _ = outbound.publish();
    assert!(outbound.push(Lane::P0, &[0; 2_040]).unwrap());
    victim.raw.set_head(DIRECTION, Lane::P0, 4_096);
    assert!(matches!(outbound.try_reserve(Lane::P0, 2_040), Err(PushError::Fault(Fault::HeadBeyondTail))));
}

#[test]
fn room_that_was_found_is_there_whatever_the_head_says_then() {
    // A sequence number is taken between the question and the push: after a yes the push must not fail.
    for (pushed, head) in [(0, 8), (0, u64::MAX), (2_048, 4_096), (2_048, 1)] {
        let victim = Victim::new();
        let mut outbound = victim.outbound();
        for _ in 0..pushed / 2_048 {
            assert!(outbound.push(Lane::P0, &[0; 2_040]).unwrap());
        }
        let _ = outbound.publish();
        assert!(outbound.try_reserve(Lane::P0, 2_040).unwrap(), "exactly half a lane is free, or all of it");
        victim.raw.set_head(DIRECTION, Lane::P0, head);
        assert!(outbound.push(Lane::P0, &[0; 2_040]).unwrap(), "{pushed} {head}");
    }
}

#[test]
fn what_was_seen_stays_seen_when_the_tail_goes_back() {
    let victim = Victim::new();
    let mut inbound = victim.inbound();
    victim.record(0, 56, 1);
    victim.record(64, 56, 1);
    victim.publish(128);
    assert_eq!(inbound.next(Lane::P0), Ok(Some(56)));
    inbound.copy_next(Lane::P0, &mut [0; 56]).unwrap();
    victim.publish(64);
    assert!(inbound.has_data(), "nobody falls asleep over a record that was published");
    assert_eq!(inbound.next(Lane::P0), Ok(Some(56)));
}
