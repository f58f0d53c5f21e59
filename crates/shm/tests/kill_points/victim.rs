//! The peers of the survivor: the one that dies, and the honest one with which a new connection is tried.

use std::env;
use std::path::{Path, PathBuf};

use eipc_shm::map::memfd::MemfdRegion;
use eipc_shm::{Lane, doorbell};

use crate::common::link::{Link, Role};
use crate::common::{counter_of, length, message};
use crate::orders::Traffic;

/// Tells a process that it is a peer: role, traffic and the survivor's path, separated by "|".
const TASK: &str = "EIPC_TEST_PEER";

/// What a peer has to do.
pub(crate) struct Task {
    pub(crate) path: PathBuf,
    pub(crate) role: Role,
    pub(crate) traffic: Traffic,
}

impl Task {
    /// Returns the variable that gives this task.
    pub(crate) fn variable(&self) -> (&'static str, String) {
        let Self { path, role, traffic } = self;
        (TASK, format!("{role:?}|{traffic:?}|{}", path.display()))
    }
}

/// Returns the task of this process, if it is a peer.
pub(crate) fn task() -> Option<Task> {
    let variable = env::var(TASK).ok()?;
    let [role, traffic, path] = variable.splitn(3, '|').collect::<Vec<_>>().try_into().unwrap();
    let role = if role == "Server" { Role::Server } else { Role::Client };
    let traffic = match traffic {
        "Echo" => Traffic::Echo,
        "Flood" => Traffic::Flood,
        "Sink" => Traffic::Sink,
        _ => Traffic::Reconnect,
    };
    Some(Task { path: path.into(), role, traffic })
}

/// Takes part until it dies, or the survivor ends the connection.
pub(crate) fn obey(task: &Task) {
    match task.traffic {
        Traffic::Echo => echo(&mut connect(&task.path, task.role)),
        Traffic::Flood => flood(&mut connect(&task.path, task.role)),
        Traffic::Sink => sink(&mut connect(&task.path, task.role)),
        Traffic::Reconnect => loop {
            echo(&mut connect(&task.path, task.role));
        },
    }
}

fn connect(path: &Path, role: Role) -> Link<MemfdRegion> {
    Link::hand_over(doorbell::connect(path).unwrap(), role)
}

/// Answers each message with one of its own, in the same lane.
fn echo(link: &mut Link<MemfdRegion>) {
    let mut frame = Vec::new();
    let (mut arrived, mut sent) = (Counters::default(), Counters::default());
    while let Some(lane) = link.receive(&mut frame) {
        arrived.check(lane, &frame);
        link.send(lane, &sent.message(lane));
    }
}

/// Sends without reading, until it waits for room that will never come.
pub(crate) fn flood(link: &mut Link<MemfdRegion>) {
    let mut sent = Counters::default();
    for lane in Lane::ALL.into_iter().cycle() {
        let message = sent.message(lane);
        while !link.try_send(lane, &message) {
            if !link.wait_for_space(lane) {
                return;
            }
        }
    }
}

fn sink(link: &mut Link<MemfdRegion>) {
    let mut frame = Vec::new();
    let mut arrived = Counters::default();
    while let Some(lane) = link.receive(&mut frame) {
        arrived.check(lane, &frame);
    }
}

/// The messages of one end: numbered lane by lane, of every length.
#[derive(Default)]
pub(crate) struct Counters([u64; 4]);

impl Counters {
    /// Makes the next message of a lane.
    pub(crate) fn message(&mut self, lane: Lane) -> Vec<u8> {
        let number = self.next(lane);
        message(number, length(number, 1_500))
    }

    /// Checks that a frame is the next of its lane: whole, in order, once.
    pub(crate) fn check(&mut self, lane: Lane, frame: &[u8]) {
        assert_eq!(counter_of(frame), Some(self.next(lane)), "the next of {lane:?}, whole");
    }

    /// How many there were.
    pub(crate) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    fn next(&mut self, lane: Lane) -> u64 {
        let counter = &mut self.0[lane.index()];
        *counter += 1;
        (*counter - 1) * 4 + lane.index() as u64
    }
}
