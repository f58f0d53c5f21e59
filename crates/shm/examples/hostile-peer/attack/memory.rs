//! Attacks on the memory of the segment: nonsense, values that flip, holes, another size.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use eipc_shm::Direction;
use rustix::fs::{FallocateFlags, SealFlags};

use super::{Report, Victim};
use crate::common::Dice;
use crate::common::strike::Target;

/// Random writes to every index, length, kind and flag, one connection after the other.
pub(crate) fn scribble(victim: &Victim) -> Report {
    each_connection(victim, |target, _, stop, limit, dice| {
        until(stop, limit, || {
            target.strike(dice);
            // So that traffic gets somewhere before the next blow.
            (0..dice.below(2_000)).for_each(|_| std::hint::spin_loop());
        })
    })
}

/// One value changes to and fro beside the victim: right when it looks, wrong when it acts.
pub(crate) fn flip(victim: &Victim) -> Report {
    each_connection(victim, |target, sends, stop, limit, dice| {
        let flip = target.flip(dice, sends, sends.reverse());
        until(stop, limit.min(1_000), || {
            flip.once(|| match dice.below(1_024) {
                0 => thread::yield_now(),
                pauses => (0..pauses % 64).for_each(|_| std::hint::spin_loop()),
            });
            (0..dice.below(200)).for_each(|_| std::hint::spin_loop());
        })
    })
}

/// Holes, which the seals do not forbid: pages become zeros and are fresh when they are touched.
pub(crate) fn punch(victim: &Victim) -> Report {
    let (mut holes, mut connections) = (0, 0);
    let mut dice = Dice(victim.seed);
    while holes < victim.count {
        let mut peer = victim.meet();
        let memory = peer.memory.try_clone().unwrap();
        let dice = &mut dice;
        holes += peer.traffic_beside(
            |target, _, stop, limit| {
                let pages = target.len() / 4_096;
                until(stop, limit, || {
                    let (from, count) = match dice.below(16) {
                        0 => (0, pages),
                        1..4 => (dice.below(3), 1), // the header page and those of the indices
                        _ => (dice.below(pages), 1),
                    };
                    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                    rustix::fs::fallocate(&memory, flags, from as u64 * 4_096, count as u64 * 4_096).unwrap();
                    (0..dice.below(20_000)).for_each(|_| std::hint::spin_loop());
                })
            },
            victim.count - holes,
        );
        connections += 1;
    }
    vec![("holes", holes), ("connections", connections)]
}

/// Another size and other seals, which the kernel refuses; then honest traffic and an honest end.
pub(crate) fn truncate(victim: &Victim) -> Report {
    let mut peer = victim.meet();
    let total = peer.target.len() as u64;
    let sizes = [0, 4_096, total - 4_096, total + 4_096, 1 << 40];
    let mut refused =
        sizes.iter().filter(|size| rustix::fs::ftruncate(&peer.memory, **size).is_err()).count();
    for seals in [SealFlags::WRITE, SealFlags::FUTURE_WRITE, SealFlags::SHRINK] {
        refused += usize::from(rustix::fs::fcntl_add_seals(&peer.memory, seals).is_err());
    }
    peer.exchange_and_close(victim.count);
    vec![("refused", refused as u64), ("received", peer.received)]
}

fn each_connection(
    victim: &Victim,
    attack: fn(Target, Direction, &AtomicBool, u64, &mut Dice) -> u64,
) -> Report {
    let (mut writes, mut connections, mut received) = (0, 0, 0);
    let mut dice = Dice(victim.seed);
    while writes < victim.count {
        let mut peer = victim.meet();
        let dice = &mut dice;
        let beside = |target, sends, stop: &AtomicBool, limit| attack(target, sends, stop, limit, dice);
        writes += peer.traffic_beside(beside, victim.count - writes);
        connections += 1;
        received += peer.received;
    }
    vec![("writes", writes), ("connections", connections), ("received", received)]
}

/// Repeats `strike` until told to stop, at most `limit` times.
fn until(stop: &AtomicBool, limit: u64, mut strike: impl FnMut()) -> u64 {
    let mut count = 0;
    while count < limit && !stop.load(Ordering::Relaxed) {
        strike();
        count += 1;
    }
    count
}
