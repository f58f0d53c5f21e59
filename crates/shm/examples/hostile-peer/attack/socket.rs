//! Attacks on the control socket.

use std::fs::File;
use std::process::{Command, Stdio};

use eipc_core::CloseReason;
use eipc_shm::Lane;

use super::{Report, Victim, wait_for_the_test};

/// Neither socket nor ring is ever read, and every message is asked to ring, until the test ends.
pub(crate) fn never_reads(victim: &Victim) -> Report {
    let mut peer = victim.meet();
    peer.ask_for_bells();
    wait_for_the_test();
    vec![]
}

/// So many doorbells as fast as they go, then honest messages.
pub(crate) fn doorbells(victim: &Victim) -> Report {
    let mut peer = victim.meet();
    let mut rung = 0;
    while rung < victim.count {
        // One by one, and as many as a read of the victim takes, and more.
        for count in [1, 4_096, 65_536] {
            assert!(peer.stream.write(&vec![1; count]), "the victim hung up");
            rung += count as u64;
        }
    }
    for _ in 0..100 {
        peer.exchange();
    }
    peer.close(CloseReason::Normal, [0; 4]);
    vec![("doorbells", rung), ("received", peer.received)]
}

/// The first half of a control frame, then honest traffic without doorbells, until the test ends.
pub(crate) fn half_frame(victim: &Victim) -> Report {
    let mut peer = victim.meet();
    let now = peer.stream.now();
    peer.stream.connection.close(CloseReason::Normal, Some([0; 4]), now).unwrap();
    let frame = peer.stream.transmit();
    assert!(peer.stream.write(&frame[..frame.len() / 2]));
    let mut sent = 0;
    while sent < victim.count {
        sent += u64::from(peer.send(Lane::P1, 200).unwrap());
        let _ = peer.outbound.publish();
        peer.receive().unwrap();
    }
    wait_for_the_test();
    vec![("sent", sent)]
}

/// Another process keeps the socket, and this one goes.
pub(crate) fn inherited(victim: &Victim) -> Report {
    let peer = victim.meet();
    // Standard input is a descriptor that every child keeps.
    let socket = File::from(peer.stream.socket().try_clone_to_owned().unwrap());
    let child =
        Command::new("sleep").arg("600").stdin(socket).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    vec![("heir", child.unwrap().id().into())]
}
