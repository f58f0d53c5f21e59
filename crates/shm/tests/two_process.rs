//! Two real processes: hand-over, traffic, sleeping and waking, a full lane, and the sudden death of either; over each
//! kind of segment that this system can make (Linux: also over the one that it never offers).
//!
//! Every test runs its survivor in a process of its own (this binary again, see `isolated`), which starts the peer
//! as a third one: so it can count its descriptors, mappings and threads, and killing the peer kills nothing else.
//! Nothing sleeps for a time: all waiting is for a condition, with a deadline.
#![cfg(all(unix, not(loom)))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod common;

use std::env;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, ExitStatus, Stdio};

use common::link::{CAPACITIES, Folder, Link, Role, accept, is_linked, receive_offer, send_offer};
use common::{SHORTEST, counter_of, length, message, this_binary};
use eipc_shm::map::named::NamedRegion;
use eipc_shm::{Lane, Segment, doorbell};

/// Tells the peer process what to do: path, kind of segment, role and task, separated by "|".
const PEER: &str = "EIPC_TEST_PEER";
/// Tells the binary that it is the isolated survivor.
const ISOLATED: &str = "EIPC_TEST_ISOLATED";

/// Makes a test of each body for each kind of segment.
macro_rules! for_each_kind {
    ($($body:ident)*) => {
        #[cfg(target_os = "linux")]
        mod memfd {
            use eipc_shm::map::memfd::MemfdRegion;
            $(#[test] fn $body() {
                super::isolated(concat!("memfd::", stringify!($body)), super::$body::<MemfdRegion>);
            })*
        }
        mod named {
            $(#[test] fn $body() {
                super::isolated(concat!("named::", stringify!($body)), super::$body::<super::NamedRegion>);
            })*
        }
    };
}

for_each_kind! {
    messages_cross_both_ways_unharmed_and_sleepers_are_woken
    a_full_lane_holds_its_producer_back_until_the_consumer_rings
    what_a_killed_producer_had_published_is_delivered_in_order_and_once
    a_producer_that_waits_for_a_killed_consumer_sees_the_end
    a_segment_outlives_the_server_that_is_killed_after_its_offer
    a_client_that_is_killed_before_it_mapped_leaves_nothing_once_the_server_gives_up
}

/// Runs a test's body alone in a process.
fn isolated(name: &str, body: impl FnOnce()) {
    if env::var_os(ISOLATED).is_some() {
        return body();
    }
    let status = this_binary().args([name, "--exact", "--nocapture"]).env(ISOLATED, "1").status().unwrap();
    assert!(status.success(), "{name} failed in its own process");
}

/// Not a test: where the peer process begins.
#[test]
fn peer_process() {
    let Ok(orders) = env::var(PEER) else { return };
    let [path, kind, role, task] = orders.split('|').collect::<Vec<_>>().try_into().unwrap();
    let socket = doorbell::connect(path.as_ref()).unwrap();
    let role = if role == "server" { Role::Server } else { Role::Client };
    match kind {
        #[cfg(target_os = "linux")]
        "memfd" => obey::<eipc_shm::map::memfd::MemfdRegion>(socket, role, task),
        _ => obey::<NamedRegion>(socket, role, task),
    }
}

fn obey<S: Segment>(socket: OwnedFd, role: Role, task: &str) {
    if task == "stop halfway" {
        let _made = (role == Role::Server).then(|| send_offer::<S>(&socket));
        common::link::wait_readable(&socket); // until it is killed, or the survivor is gone
        return;
    }
    let mut link = Link::<S>::hand_over(socket, role);
    match task {
        "echo" => echo(&mut link),
        "drain after a ring" => drain_after_a_ring(&mut link),
        "flood" => flood(&mut link),
        "never read" => link.wait_for_end(),
        task => panic!("no such task: {task}"),
    }
}

/// A peer process on the other side of a link.
struct Peer(Child);

impl Peer {
    /// Starts a peer and hands the segment over; the peer takes the other role.
    fn start<S: Segment>(role: Role, task: &str) -> (Self, Link<S>) {
        let (peer, socket) = Self::connected::<S>(role, task);
        (peer, Link::hand_over(socket, role))
    }

    /// Starts a peer that has connected.
    fn connected<S: Segment>(role: Role, task: &str) -> (Self, OwnedFd) {
        let folder = Folder::new();
        let path = folder.socket();
        let listener = doorbell::listen(&path, 0o600).unwrap();
        let kind = if S::PASSES_DESCRIPTOR { "memfd" } else { "named" };
        let theirs = if role == Role::Server { "client" } else { "server" };
        let child = this_binary()
            .args(["peer_process", "--exact", "--nocapture"])
            .env(PEER, format!("{}|{kind}|{theirs}|{task}", path.display()))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let socket = accept(&listener);
        assert_eq!(doorbell::peer_credentials(socket.as_fd()).unwrap().pid, Some(child.id()));
        (Self(child), socket)
    }

    fn kill(&mut self) {
        // SIGKILL
        self.0.kill().unwrap();
    }

    fn wait(mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

/// What a process holds: descriptors, mappings of segments, threads.
#[cfg(target_os = "linux")]
fn holdings() -> (usize, usize, usize) {
    let count = |path| fs::read_dir(path).unwrap().count();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let is_segment = |line: &&str| line.contains("memfd:") || line.contains("/dev/shm/e");
    (count("/proc/self/fd"), maps.lines().filter(is_segment).count(), count("/proc/self/task"))
}

/// What a process holds: descriptors, which is all that this system lists.
#[cfg(not(target_os = "linux"))]
fn holdings() -> usize {
    fs::read_dir("/dev/fd").unwrap().count()
}

const BOTH: [Role; 2] = [Role::Server, Role::Client];

/// Sends everything back, on its lane.
fn echo<S: Segment>(link: &mut Link<S>) {
    let mut frame = Vec::new();
    while let Some(lane) = link.receive(&mut frame) {
        link.send(lane, &frame);
    }
    assert!(link.wakes > 0, "this side never slept");
}

fn messages_cross_both_ways_unharmed_and_sleepers_are_woken<S: Segment>() {
    for role in BOTH {
        let before = holdings();
        let (peer, mut link) = Peer::start::<S>(role, "echo");
        let mut frame = Vec::new();
        let mut next = [0; 4];
        for round in 0..3_000_u64 {
            // A window of up to 8 in flight: 1 forces both sides to sleep, 8 makes batches.
            let window = 1 + round % 8;
            for at in 0..window {
                let lane = (round + at) as usize % 4;
                let counter = next[lane] + at / 4;
                let sent = message(counter * 4 + lane as u64, length(round + at, 1_500));
                link.send(Lane::from_index(lane).unwrap(), &sent);
            }
            for _ in 0..window {
                let lane = link.receive(&mut frame).unwrap().index();
                assert_eq!(counter_of(&frame), Some(next[lane] * 4 + lane as u64));
                next[lane] += 1;
            }
        }
        assert!(link.wakes >= 10, "this side slept {} times only", link.wakes);
        assert!(link.rings >= 10, "the peer was rung {} times only", link.rings);
        drop(link);
        assert!(peer.wait().success());
        assert_eq!(holdings(), before);
    }
}

/// Leaves its lanes alone until it is rung, then takes everything in order and answers with the count.
fn drain_after_a_ring<S: Segment>(link: &mut Link<S>) {
    link.wait_for_a_byte();
    let mut frame = Vec::new();
    let mut received = 0;
    while link.receive(&mut frame).is_some() {
        match counter_of(&frame) {
            Some(u64::MAX) => link.send(Lane::P0, &message(received, SHORTEST as usize)),
            counter => assert_eq!(counter, Some(received)),
        }
        received += 1;
    }
}

fn a_full_lane_holds_its_producer_back_until_the_consumer_rings<S: Segment>() {
    for role in BOTH {
        let before = holdings();
        let (peer, mut link) = Peer::start::<S>(role, "drain after a ring");
        let mut sent = 0;
        while link.try_send(Lane::P1, &message(sent, length(sent, 1_500))) {
            sent += 1;
        }
        assert!(link.outbound.occupancy(Lane::P1) > u64::from(CAPACITIES[1]) / 2);
        assert!(!link.outbound.wait_for_space(Lane::P1).unwrap(), "the peer does not read");
        link.outbound.clear_wait(Lane::P1);
        link.ring();
        while sent < 5_000 {
            link.send(Lane::P1, &message(sent, length(sent, 1_500)));
            sent += 1;
        }
        assert!(link.space_waits > 0, "the lane was never full again");
        link.send(Lane::P1, &message(u64::MAX, SHORTEST as usize));
        let mut frame = Vec::new();
        assert_eq!(link.receive(&mut frame), Some(Lane::P0));
        assert_eq!(counter_of(&frame), Some(5_000), "each arrived once, in order");
        drop(link);
        assert!(peer.wait().success());
        assert_eq!(holdings(), before);
    }
}

/// Publishes for ever on all lanes, and counts in the lane's drop counter what it has published.
fn flood<S: Segment>(link: &mut Link<S>) {
    for counter in 0.. {
        for lane in Lane::ALL {
            let sent = message(counter * 4 + lane.index() as u64, length(counter, 1_500));
            link.send(lane, &sent);
            link.outbound.note_dropped(lane, 1);
        }
    }
}

/// Takes everything up to the end of stream, checking it, and returns how much it was in each lane.
fn take_all<S: Segment>(link: &mut Link<S>, mut next: [u64; 4]) -> [u64; 4] {
    let mut frame = Vec::new();
    while let Some(lane) = link.receive(&mut frame) {
        let lane = lane.index();
        assert_eq!(counter_of(&frame), Some(next[lane] * 4 + lane as u64), "in order, once, whole");
        next[lane] += 1;
    }
    next
}

fn what_a_killed_producer_had_published_is_delivered_in_order_and_once<S: Segment>() {
    let before = holdings();
    for round in 0..20_u64 {
        let (mut peer, mut link) = Peer::start::<S>(BOTH[round as usize % 2], "flood");
        // Either killed while it sleeps before full lanes, or in the middle of traffic.
        let mut next = [0; 4];
        if round % 4 < 2 {
            link.until(|link| link.inbound.dropped(Lane::P0) > round % 2);
        } else {
            let mut frame = Vec::new();
            for _ in 0..40 * round {
                let lane = link.receive(&mut frame).unwrap().index();
                assert_eq!(counter_of(&frame), Some(next[lane] * 4 + lane as u64));
                next[lane] += 1;
            }
        }
        peer.kill();
        peer.wait();
        let received = take_all(&mut link, next);
        for lane in Lane::ALL {
            let published = link.inbound.dropped(lane);
            let received = received[lane.index()];
            // It died at most between a publication and counting it.
            assert!(received == published || received == published + 1, "{received} of {published}");
        }
        drop(link);
        assert_eq!(holdings(), before, "nothing is left of the connection");
    }
}

fn a_producer_that_waits_for_a_killed_consumer_sees_the_end<S: Segment>() {
    let before = holdings();
    for role in BOTH {
        let (mut peer, mut link) = Peer::start::<S>(role, "never read");
        let mut sent = 0;
        while link.try_send(Lane::P2, &message(sent, 1_000)) {
            sent += 1;
        }
        assert!(sent > 0);
        peer.kill();
        assert!(!link.wait_for_space(Lane::P2), "the end of stream, not room");
        peer.wait();
        drop(link);
        assert_eq!(holdings(), before);
    }
}

fn a_segment_outlives_the_server_that_is_killed_after_its_offer<S: Segment>() {
    let before = holdings();
    let (mut peer, socket) = Peer::connected::<S>(Role::Client, "stop halfway");
    let uid = doorbell::peer_credentials(socket.as_fd()).unwrap().uid;
    let (offer, descriptor) = receive_offer::<S>(&socket);
    peer.kill();
    peer.wait();
    let region = S::open(&offer, descriptor, uid).unwrap();
    assert!(!is_linked(&offer), "whoever maps it second takes its name away");
    drop((region, socket));
    assert_eq!(holdings(), before);
}

fn a_client_that_is_killed_before_it_mapped_leaves_nothing_once_the_server_gives_up<S: Segment>() {
    let before = holdings();
    let (mut peer, socket) = Peer::connected::<S>(Role::Server, "stop halfway");
    let made = send_offer::<S>(&socket);
    assert_eq!(is_linked(&made.offer), !S::PASSES_DESCRIPTOR);
    peer.kill();
    peer.wait();
    drop((made.region, socket));
    assert!(!is_linked(&made.offer));
    assert_eq!(holdings(), before);
}
