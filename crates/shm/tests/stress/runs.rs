//! The runs: two threads over one region, two processes over a mapping each; and which of them are wanted.

use std::env;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread;

use eipc_shm::{
    Capacities, Created, Direction, HeapRegion, Layout, Region, Segment, SystemSegment, doorbell,
};

use crate::common::link::{CAPACITIES, Folder, Link, Role, accept};
use crate::common::this_binary;
use crate::exchange::exchange;

/// How many records each side sends, unless EIPC_STRESS_RECORDS says another number.
const RECORDS: u64 = 20_000;
/// Tells the peer process where to connect.
const PEER: &str = "EIPC_STRESS_PEER";

fn records() -> u64 {
    env::var("EIPC_STRESS_RECORDS").map_or(RECORDS, |number| number.parse().unwrap())
}

/// What a run says of itself, so that a figure can be quoted.
fn report<R: Region>(name: &str, link: &Link<R>, records: u64) {
    println!(
        "{name}: {records} records each way, all checked; {} sleeps for data, {} for room, {} rings",
        link.wakes, link.space_waits, link.rings
    );
    assert!(link.rings > 0, "nobody was ever woken");
}

/// Both sides in threads of this process, over one mapping.
fn between_threads<R: Region + Send>(name: &str, region: R) {
    let folder = Folder::new();
    let listener = doorbell::listen(&folder.socket(), 0o600).unwrap();
    let client = doorbell::connect(&folder.socket()).unwrap();
    let server = accept(&listener);
    let records = records();
    let side = |region: R, socket: OwnedFd, sends: Direction| {
        move || {
            let mut link = Link::over(region, socket, sends.reverse());
            exchange(&mut link, sends, records);
            link
        }
    };
    thread::scope(|scope| {
        let client = scope.spawn(side(region.clone(), client, Direction::ClientToServer));
        let server = scope.spawn(side(region, server, Direction::ServerToClient));
        report(name, &client.join().unwrap(), records);
        server.join().unwrap();
    });
}

fn capacities() -> Capacities {
    let [a, b, c, d] = CAPACITIES;
    Capacities::new([a, b, c, d, d, c, b, a]).unwrap()
}

fn over_the_heap(name: &str) {
    between_threads(name, HeapRegion::new(Layout::new(capacities())).unwrap());
}

fn over_one_mapping(name: &str) {
    let Created { region, .. } = SystemSegment::create(capacities(), 7).unwrap();
    region.unlink();
    between_threads(name, region);
}

fn over_a_mapping_each(name: &str) {
    let folder = Folder::new();
    let listener = doorbell::listen(&folder.socket(), 0o600).unwrap();
    let mut peer = this_binary().env(PEER, folder.socket()).spawn().unwrap();
    let socket = accept(&listener);
    assert_eq!(doorbell::peer_credentials(socket.as_fd()).unwrap().pid, Some(peer.id()));
    let mut link = Link::<SystemSegment>::hand_over(socket, Role::Server);
    exchange(&mut link, Direction::ServerToClient, records());
    report(name, &link, records());
    drop(link);
    assert!(peer.wait().unwrap().success(), "the peer found something wrong");
}

fn be_the_peer(path: &Path) {
    let socket = doorbell::connect(path).unwrap();
    let mut link = Link::<SystemSegment>::hand_over(socket, Role::Client);
    exchange(&mut link, Direction::ClientToServer, records());
}

/// Takes its name, to report under.
type Run = fn(&str);

/// What there is to run, by name.
const RUNS: [(&str, Run); 3] = [
    ("two_threads_over_the_heap", over_the_heap),
    ("two_threads_over_one_mapping", over_one_mapping),
    ("two_processes_over_a_mapping_each", over_a_mapping_each),
];

/// Runs what the first argument is a part of the name of, or everything if it is an option; `--list` lists, as other
/// test programs do.
pub(crate) fn main() {
    if let Some(path) = env::var_os(PEER) {
        return be_the_peer(path.as_ref());
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    let filter = arguments.first().filter(|first| !first.starts_with('-')).map_or("", String::as_str);
    for (name, run) in RUNS.into_iter().filter(|(name, _)| name.contains(filter)) {
        if arguments.iter().any(|argument| argument == "--list") {
            println!("{name}: test");
        } else {
            run(name);
        }
    }
}
