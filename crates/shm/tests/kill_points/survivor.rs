//! The process that outlives every death, and what it checks after each.

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::time::Duration;

use eipc_shm::map::memfd::MemfdRegion;
use eipc_shm::{Lane, doorbell};
use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};

use crate::common::link::{Folder, Link, Role, accept};
use crate::common::this_binary;
use crate::orders::{Order, Traffic};
use crate::victim::{Counters, Task, flood};

/// The most that may pass between a death and the survivor's knowledge of it: the requirement's own bound.
const MOST: Duration = Duration::from_secs(1);

pub(crate) struct Survivor {
    place: Place,
    honest: [Honest; 2],
}

impl Survivor {
    pub(crate) fn new() -> Self {
        Self { place: Place::new(), honest: [Role::Client, Role::Server].map(Honest::start) }
    }

    /// Lets a peer die as ordered, checks everything that a survivor is promised, and returns how long the news took.
    pub(crate) fn survive(&mut self, order: &Order, round: u64) -> Duration {
        let before = Holdings::now();
        let mut victim = self.place.start(order.role, order.traffic, Some(order));
        let mut arrived = Counters::default();
        let seen = self.meet(order, round, &mut arrived);
        let status = victim.wait().unwrap();
        assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "{order}: {status}");
        let killed = last_words(&mut victim, order);
        drop(victim);
        let latency = seen.checked_sub(killed).unwrap();
        assert!(latency < MOST, "{order}: the survivor knew after {latency:?}");
        if let Some(arrivals) = order.arrivals() {
            assert_eq!(arrived.total(), arrivals, "{order}: what was published arrives, and nothing else");
        }
        assert_eq!(Holdings::now(), before, "{order}: nothing is left of the connection");
        self.honest[order.pass.unwrap_or_default() as usize % 2].exchange();
        latency
    }

    /// Takes part in the traffic up to the end of the peer. Returns when that was known.
    fn meet(&self, order: &Order, round: u64, arrived: &mut Counters) -> Duration {
        let link = || Link::<MemfdRegion>::try_hand_over(accept(&self.place.listener), other(order.role));
        match order.traffic {
            Traffic::Echo => converse(&mut link().unwrap(), round, arrived),
            Traffic::Flood => {
                let mut link = link().unwrap();
                let mut frame = Vec::new();
                while let Some(lane) = link.receive(&mut frame) {
                    arrived.check(lane, &frame);
                }
                monotonic()
            }
            Traffic::Sink => {
                flood(&mut link().unwrap());
                monotonic()
            }
            Traffic::Reconnect => loop {
                let Some(mut link) = link() else { return monotonic() };
                if !exchange_one(&mut link, Lane::P0) {
                    return monotonic();
                }
            },
        }
    }
}

fn converse(link: &mut Link<MemfdRegion>, round: u64, arrived: &mut Counters) -> Duration {
    let mut frame = Vec::new();
    let mut sent = Counters::default();
    // Up to 8 under way: 1 forces both sides to sleep, 8 makes batches.
    for turn in round.. {
        let window = 1 + turn % 8;
        for at in 0..window {
            let lane = Lane::ALL[(turn + at) as usize % 4];
            link.send(lane, &sent.message(lane));
        }
        for _ in 0..window {
            match link.receive(&mut frame) {
                Some(lane) => arrived.check(lane, &frame),
                None => return monotonic(),
            }
        }
    }
    unreachable!("somebody was to die")
}

/// Sends a message and waits for the answer; false if the peer is gone.
fn exchange_one(link: &mut Link<MemfdRegion>, lane: Lane) -> bool {
    let mut frame = Vec::new();
    link.send(lane, &Counters::default().message(lane));
    let answer = link.receive(&mut frame);
    if let Some(lane) = answer {
        Counters::default().check(lane, &frame);
    }
    answer.is_some()
}

/// A peer that lives, always about to connect: with it a new connection is tried after each death.
struct Honest {
    place: Place,
    role: Role,
    child: Child,
}

impl Honest {
    fn start(role: Role) -> Self {
        let place = Place::new();
        let child = place.start(role, Traffic::Reconnect, None);
        Self { place, role, child }
    }

    fn exchange(&self) {
        let mut link = Link::<MemfdRegion>::hand_over(accept(&self.place.listener), other(self.role));
        for lane in Lane::ALL {
            assert!(exchange_one(&mut link, lane), "a new connection exchanges a message");
        }
    }
}

impl Drop for Honest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where peers connect.
struct Place {
    folder: Folder,
    listener: OwnedFd,
}

impl Place {
    fn new() -> Self {
        let folder = Folder::new();
        let listener = doorbell::listen(&folder.socket(), 0o600).unwrap();
        Self { folder, listener }
    }

    fn start(&self, role: Role, traffic: Traffic, death: Option<&Order>) -> Child {
        let mut command = this_binary();
        let (name, task) = Task { path: self.folder.socket(), role, traffic }.variable();
        command.env(name, task).stdout(Stdio::null());
        if let Some(order) = death {
            command.env("EIPC_KILL", order.to_string()).stderr(Stdio::piped());
        }
        command.spawn().unwrap()
    }
}

/// What this process holds: descriptors, mappings, threads.
#[derive(Debug, PartialEq)]
struct Holdings {
    descriptors: usize,
    mappings: usize,
    threads: usize,
}

impl Holdings {
    fn now() -> Self {
        let count = |path| fs::read_dir(path).unwrap().count();
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        Self {
            descriptors: count("/proc/self/fd"),
            // The heap and the stack may grow; what else is mapped has a name.
            mappings: maps.lines().filter(|line| line.contains("memfd:")).count(),
            threads: count("/proc/self/task"),
        }
    }
}

/// Returns when the victim says that it died, which proves that it died where it was to.
fn last_words(victim: &mut Child, order: &Order) -> Duration {
    let mut words = String::new();
    victim.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    let time = words.strip_prefix(&format!("EIPC_KILL {order} ")).and_then(|rest| rest.trim().parse().ok());
    Duration::from_nanos(time.unwrap_or_else(|| panic!("{order}: it said {words:?}")))
}

fn monotonic() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap()
}

fn other(role: Role) -> Role {
    if role == Role::Server { Role::Client } else { Role::Server }
}
