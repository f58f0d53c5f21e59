//! Lies in the rings, each by itself behind five honest messages: indices, records, frames, flags, the counters of a close.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use eipc_core::CloseReason;
use eipc_shm::{Direction, Lane};

use super::peer::Peer;
use super::{Report, Victim, wait_for_the_test};
use crate::common::tail_at;

/// Honest messages and an honest end: what the attacks differ from.
pub(crate) fn honest(victim: &Victim) -> Report {
    let mut peer = victim.meet();
    peer.exchange_and_close(victim.count);
    vec![("received", peer.received)]
}

/// Flags of both directions that say anything, always anew, beside honest traffic.
pub(crate) fn lying_flags(victim: &Victim) -> Report {
    let mut peer = victim.meet();
    let (target, stop) = (peer.target, AtomicBool::new(false));
    let lies = thread::scope(|scope| {
        let liar = scope.spawn(|| {
            let mut lies = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                for direction in Direction::ALL {
                    target.raw.set_consumer_waiting(direction, lies % 3);
                    for lane in Lane::ALL {
                        target.raw.set_producer_waiting(direction, lane, lies % 3);
                    }
                }
                lies = lies.wrapping_add(1);
                thread::yield_now();
            }
            u64::from(lies)
        });
        let mut sent = 0;
        while sent < victim.count && !peer.stream.is_over() {
            sent += u64::from(peer.send(Lane::P1, 200).unwrap());
            peer.publish();
            // A liar has to ring by itself.
            peer.stream.ring();
            peer.receive().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        liar.join().unwrap()
    });
    peer.close(CloseReason::Normal, [0; 4]);
    vec![("lies", lies), ("received", peer.received)]
}

/// Reads the socket and gives no room back, until the test ends.
pub(crate) fn never_releases(victim: &Victim) -> Report {
    let mut peer = victim.meet();
    peer.ask_for_bells();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            wait_for_the_test();
            stop.store(true, Ordering::Relaxed);
        });
        while !stop.load(Ordering::Relaxed) && !peer.stream.is_over() {
            thread::yield_now();
        }
    });
    vec![]
}

/// One lie by its name, then silence until the victim has hung up. With a count of 0 before the victim has looked at all.
pub(crate) fn lie(victim: &Victim, case: &str) -> Report {
    let recorded = (case == "other-session").then(|| victim.meet().seal(Lane::P3, 100));
    let mut peer = if victim.count == 0 { victim.meet_at_once() } else { victim.meet() };
    for _ in 0..5 {
        assert!(peer.send(Lane::P2, 100).unwrap());
    }
    peer.publish();
    let tail = tail_at(peer.sends, Lane::P2);
    let head = tail_at(peer.sends.reverse(), Lane::P2) + 128;
    let raw = peer.target.raw;
    let published = raw.u64_at(tail).load(Ordering::Acquire);
    let (data, _) = peer.target.lane(peer.sends, Lane::P2);
    match case {
        "tail-backwards" => {
            // It must have been seen before it can go back.
            while raw.u64_at(tail + 128).load(Ordering::Acquire) != published {
                peer.stream.ring();
                thread::yield_now();
            }
            raw.set_tail(peer.sends, Lane::P2, published - 8);
        }
        "tail-beyond" => raw.set_tail(peer.sends, Lane::P2, published + (1 << 40)),
        "tail-odd" => raw.set_tail(peer.sends, Lane::P2, published + 4),
        "record-kind" => publish_record(&peer, data, published, 64, 7),
        "record-beyond" => publish_record(&peer, data, published, 1 << 20, 1),
        "record-short" => publish_record(&peer, data, published, 8, 1),
        // The victim looks at a head only when its lane is full.
        "head-beyond" => {
            raw.u64_at(head).store(1 << 40, Ordering::Release);
            peer.ask_for_bells();
        }
        "bad-tag" => {
            let mut frame = peer.seal(Lane::P2, 100);
            *frame.last_mut().unwrap() ^= 1;
            push(&mut peer, Lane::P2, &frame);
        }
        "skipped" => {
            let _lost = peer.seal(Lane::P2, 100);
            let frame = peer.seal(Lane::P2, 100);
            push(&mut peer, Lane::P2, &frame);
        }
        "replayed" => {
            let frame = peer.seal(Lane::P2, 100);
            push(&mut peer, Lane::P2, &frame);
            push(&mut peer, Lane::P2, &frame);
        }
        "other-lane" => {
            let frame = peer.seal(Lane::P3, 100);
            push(&mut peer, Lane::P0, &frame);
        }
        "other-session" => {
            push(&mut peer, Lane::P3, &recorded.unwrap());
        }
        "close-more" => peer.close(CloseReason::Normal, [0, 0, 1, 0]),
        "close-fewer" => peer.close(CloseReason::Normal, [0, 0, u64::MAX, 0]),
        "close-then-publish" => {
            let frame = peer.seal(Lane::P2, 100);
            // The close counts the five; the sixth comes all the same.
            peer.say_close(CloseReason::Normal, [0, 0, u64::MAX, 0]);
            push(&mut peer, Lane::P2, &frame);
        }
        _ => panic!("no such case: {case}"),
    }
    peer.stream.ring();
    while !peer.stream.is_over() {
        thread::yield_now();
    }
    vec![]
}

fn push(peer: &mut Peer, lane: Lane, frame: &[u8]) {
    assert!(peer.outbound.push(lane, frame).unwrap());
    peer.publish();
}

/// Publishes a header behind the honest records, and room for a record of 64 bytes.
fn publish_record(peer: &Peer, data: usize, published: u64, length: u32, kind: u32) {
    peer.target.raw.set_header(data + published as usize, length, kind);
    peer.target.raw.set_tail(peer.sends, Lane::P2, published + 72);
}
