//! Close and death: what was published is delivered, once, and whoever waits for the dead learns of it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use eipc_shm::Lane;
use loom::thread;

use crate::side::{Side, connection, connection_of};
use crate::socket::Read;
use crate::{executions, explore, frame, report};

#[test]
fn what_was_published_before_the_end_is_there_after_it() {
    explore(|| {
        let (mut client, mut server) = connection();
        let sending = thread::spawn(move || {
            assert!(client.try_send(Lane::P3, &frame(3)) && client.try_send(Lane::P0, &frame(0)));
            client.close();
        });
        while server.read() != Read::End {}
        assert_eq!(server.receive(), Some((Lane::P0, frame(0).to_vec())));
        assert_eq!(server.receive(), Some((Lane::P3, frame(3).to_vec())));
        assert_eq!(server.receive(), None);
        sending.join().unwrap();
    });
}

/// When a process dies. A step is an access to the segment, or a ring.
struct Death {
    /// So many steps it takes before.
    steps: usize,
    taken: AtomicUsize,
}

impl Death {
    fn after(steps: usize) -> Arc<Self> {
        Arc::new(Self { steps, taken: AtomicUsize::new(0) })
    }

    /// Lives through one more step, or dies.
    fn step(&self) {
        if self.taken.fetch_add(1, Ordering::Relaxed) == self.steps {
            resume_unwind(Box::new(Died));
        }
    }
}

struct Died;

/// Runs what a process does up to its death, then closes its socket; returns whether it died.
fn live(process: &mut Side, life: impl FnOnce(&mut Side)) -> bool {
    let end = catch_unwind(AssertUnwindSafe(|| life(process)));
    process.close();
    match end {
        Ok(()) => false,
        Err(reason) if reason.is::<Died>() => true,
        Err(failure) => resume_unwind(failure),
    }
}

/// Explores a model with a client that dies at its first step, at its second, and so on, until it survives.
/// `model` returns whether the client died.
fn at_every_step(model: impl Fn(Arc<Death>) -> bool + Send + Sync + 'static) {
    let started = Instant::now();
    let model = Arc::new(model);
    let mut explored = 0;
    for steps in 0.. {
        let deaths = Arc::new(AtomicUsize::new(0));
        let (model, counted) = (Arc::clone(&model), Arc::clone(&deaths));
        explored += executions(move || {
            counted.fetch_add(usize::from(model(Death::after(steps))), Ordering::Relaxed);
        });
        if deaths.load(Ordering::Relaxed) == 0 {
            return report(&format!("death at each of {steps} steps: "), explored, started);
        }
    }
}

#[test]
fn what_a_dead_writer_had_published_is_delivered_once_and_its_reader_wakes() {
    at_every_step(|death| {
        let all = [(Lane::P0, frame(0).to_vec()), (Lane::P3, frame(3).to_vec())];
        // Four steps write two records, head and body each; the fifth publishes the one in P0, the sixth that in P3. It may
        // die before it looks whether anybody sleeps.
        let published = death.steps.saturating_sub(4).min(all.len());
        let (mut client, mut server) = connection_of(Arc::new(move || death.step()));
        let sending = thread::spawn(move || {
            live(&mut client, |client| {
                assert!(client.outbound.push(Lane::P3, &frame(3)).unwrap());
                assert!(client.outbound.push(Lane::P0, &frame(0)).unwrap());
                client.publish();
            })
        });
        let mut received: Vec<_> = std::iter::from_fn(|| server.receive()).collect();
        received.sort();
        assert_eq!(received, all[..published]);
        sending.join().unwrap()
    });
}

#[test]
fn a_writer_that_waits_for_a_dead_reader_learns_of_its_death() {
    at_every_step(|death| {
        let (mut client, mut server) = connection_of(Arc::new(move || death.step()));
        for n in 0..2 {
            assert!(server.send(Lane::P0, &frame(n)));
        }
        let receiving = thread::spawn(move || {
            live(&mut client, |client| {
                for n in 0..2 {
                    assert_eq!(client.receive(), Some((Lane::P0, frame(n).to_vec())));
                }
            })
        });
        let sent = (2..4).take_while(|n| server.send(Lane::P0, &frame(*n))).count();
        let died = receiving.join().unwrap();
        assert!(died || sent == 2, "room that was given back before the end is used");
        died
    });
}
