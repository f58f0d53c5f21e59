//! Hand-overs by a hostile server: every kind of descriptor, number of descriptors, and wrong moment.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use eipc_shm::doorbell::DOORBELL;
use eipc_shm::{Capacities, Offer, Reply};
use rustix::fs::{Gid, MemfdFlags, Mode, OFlags, SealFlags, Uid};

use super::stream::{Said, Stream};
use super::{Report, Victim};
use crate::common::descriptors::{SEALS, memory_file, send_with_fds};

/// What the victim answered, in the report.
const READY: u64 = 1;
const REFUSED: u64 = 2;
const HUNG_UP: u64 = 3;

pub(crate) fn offer(victim: &Victim, case: &str) -> Report {
    let mut stream = victim.stream();
    assert!(matches!(stream.listen(), Said::Established), "no session");
    let session_id = stream.connection.session().unwrap().session_id;
    let offer = Offer::memfd(Capacities::DEFAULT, session_id);
    let accept = stream.transmit();
    let now = stream.now();
    let payload = match case {
        "offer-of-another-session" => Offer::memfd(Capacities::DEFAULT, session_id ^ 1).encode(),
        "offer-too-large" => Offer::memfd(Capacities::new([1 << 28; 8]).unwrap(), session_id).encode(),
        _ => offer.encode(),
    };
    stream.connection.send_segment(&payload, now).unwrap();
    let frame = stream.transmit();
    let fds = descriptors(case, &offer, &stream);
    let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
    let socket = stream.socket();
    // A victim that hangs up in the middle has said enough.
    let _ = match case {
        "offer-with-accept" => send_with_fds(socket, &accept, &fds) && send_with_fds(socket, &frame, &[]),
        "offer-with-second-byte" => {
            send_with_fds(socket, &accept, &[])
                && send_with_fds(socket, &frame[..1], &[])
                && send_with_fds(socket, &frame[1..], &fds)
        }
        _ => send_with_fds(socket, &accept, &[]) && send_with_fds(socket, &frame, &fds),
    };
    let answer = answer(&mut stream);
    if case == "offer-and-again-after-ready" {
        send_with_fds(stream.socket(), &[DOORBELL], &fds);
    }
    while !stream.is_over() {
        std::thread::yield_now();
    }
    vec![("answer", answer)]
}

fn answer(stream: &mut Stream) -> u64 {
    match stream.listen() {
        Said::Segment(payload) if payload == Reply::Ready.encode() => READY,
        Said::Segment(_) => REFUSED,
        _ => HUNG_UP,
    }
}

fn descriptors(case: &str, offer: &Offer, stream: &Stream) -> Vec<OwnedFd> {
    let (total, header) = (offer.total(), offer.header_page());
    let good = || memory_file(MemfdFlags::CLOEXEC, total, &header, SEALS);
    let one = match case {
        "offer-none" => return vec![],
        "offer-two" => return vec![good(), good()],
        "offer-unsealed" => memory_file(MemfdFlags::CLOEXEC, total, &header, SealFlags::empty()),
        "offer-write-sealed" => memory_file(MemfdFlags::CLOEXEC, total, &header, SEALS | SealFlags::WRITE),
        "offer-short" => memory_file(MemfdFlags::CLOEXEC, total - 4_096, &header, SEALS),
        "offer-long" => memory_file(MemfdFlags::CLOEXEC, total + 4_096, &header, SEALS),
        "offer-other-header" => memory_file(MemfdFlags::CLOEXEC, total, &[0x45; 4_096], SEALS),
        "offer-other-owner" => {
            let fd = good();
            rustix::fs::fchown(&fd, Some(Uid::from_raw(65_534)), Some(Gid::from_raw(65_534))).unwrap();
            fd
        }
        // Where no huge page can be had, the file is made all the same: they are needed when it is touched.
        "offer-huge-pages" => {
            let flags = MemfdFlags::CLOEXEC | MemfdFlags::HUGETLB | MemfdFlags::ALLOW_SEALING;
            rustix::fs::memfd_create("x", flags).unwrap()
        }
        "offer-read-only" | "offer-path" => {
            let flags = if case == "offer-path" { OFlags::PATH } else { OFlags::RDONLY };
            let file = good();
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()).unwrap()
        }
        "offer-tmpfs-file" => {
            let path = format!("/dev/shm/eipc-hostile-{}", std::process::id());
            let file = File::create_new(&path).unwrap();
            std::fs::remove_file(&path).unwrap();
            file.set_len(total).unwrap();
            file.into()
        }
        "offer-directory" => File::open("/").unwrap().into(),
        "offer-device" => File::options().read(true).write(true).open("/dev/zero").unwrap().into(),
        "offer-pipe" => rustix::pipe::pipe().unwrap().0,
        "offer-its-own-socket" => stream.socket().try_clone_to_owned().unwrap(),
        _ => good(),
    };
    vec![one]
}
