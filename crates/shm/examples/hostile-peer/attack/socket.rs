//! Attacks on the control socket.

use std::fs::File;
use std::io::ErrorKind;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use eipc_core::CloseReason;
use eipc_shm::Lane;
use eipc_shm::doorbell::{DOORBELL, send_nonblocking};

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
    peer.exchange_and_close(100);
    vec![("doorbells", rung), ("received", peer.received)]
}

/// So many doorbells a second, each a system call of its own, or with a count of 0 as many as go, until the test ends.
pub(crate) fn doorbells_by_rate(victim: &Victim) -> Report {
    let peer = victim.meet_at_once();
    let (stop, begun) = (AtomicBool::new(false), Instant::now());
    let many = [DOORBELL; 4_096];
    let mut rung = 0_u64;
    thread::scope(|scope| {
        scope.spawn(|| {
            wait_for_the_test();
            stop.store(true, Ordering::Relaxed);
        });
        while !stop.load(Ordering::Relaxed) {
            let due = begun.elapsed().as_micros() as u64 * victim.count / 1_000_000;
            let bytes = if victim.count == 0 { &many[..] } else { &many[..1] };
            // A full socket omits the bell, as an honest peer does.
            if victim.count == 0 || rung < due {
                match send_nonblocking(peer.stream.socket(), bytes) {
                    Ok(sent) => rung += sent as u64,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
                    Err(_) => break,
                }
            } else {
                thread::yield_now();
            }
        }
    });
    vec![("doorbells", rung), ("milliseconds", begun.elapsed().as_millis() as u64)]
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
