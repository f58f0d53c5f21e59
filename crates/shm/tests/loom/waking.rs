//! Nobody sleeps for ever: each model ends only if every sleeper is woken for what it waits for.

use eipc_shm::{ALL_LANES, Lane};
use loom::thread;

use crate::side::connection;
use crate::{explore, frame};

#[test]
fn a_record_wakes_its_reader() {
    explore(|| {
        let (mut client, mut server) = connection();
        let sending = thread::spawn(move || {
            for n in 0..2 {
                assert!(client.send(Lane::P0, &frame(n)));
            }
        });
        for n in 0..2 {
            assert_eq!(server.receive().unwrap().1, frame(n));
        }
        sending.join().unwrap();
    });
}

#[test]
fn room_wakes_its_writer() {
    explore(|| {
        let (mut client, mut server) = connection();
        for n in 0..2 {
            assert!(client.send(Lane::P0, &frame(n)));
        }
        let sending = thread::spawn(move || {
            for n in 2..4 {
                assert!(client.send(Lane::P0, &frame(n)));
            }
        });
        for n in 0..2 {
            assert_eq!(server.receive().unwrap().1, frame(n), "these are there: it does not sleep");
        }
        sending.join().unwrap();
    });
}

#[test]
fn a_writer_and_a_reader_that_both_sleep_wake_each_other() {
    explore(|| {
        let (mut client, mut server) = connection();
        for n in 0..2 {
            assert!(client.send(Lane::P0, &frame(n)));
        }
        let sending = thread::spawn(move || assert!(client.send(Lane::P0, &frame(2))));
        for n in 0..3 {
            assert_eq!(server.receive().unwrap().1, frame(n));
        }
        sending.join().unwrap();
    });
}

/// Takes minutes, so `make loom` runs it and `make check` does not.
#[test]
#[ignore = "a million executions"]
fn three_records_go_through_a_lane_for_two() {
    explore(|| {
        let (mut client, mut server) = connection();
        assert!(client.send(Lane::P0, &frame(0)));
        let sending = thread::spawn(move || {
            for n in 1..3 {
                assert!(client.send(Lane::P0, &frame(n)));
            }
        });
        for n in 0..3 {
            assert_eq!(server.receive().unwrap().1, frame(n));
        }
        sending.join().unwrap();
    });
}

#[test]
fn a_writer_that_needs_padding_is_woken_when_there_is_room_for_both() {
    explore(|| {
        let (mut client, mut server) = connection();
        assert!(client.send(Lane::P0, &[]) && client.send(Lane::P0, &frame(1)));
        let sending = thread::spawn(move || assert!(client.send(Lane::P0, &frame(2))));
        assert_eq!(server.receive().unwrap().1, [0; 0]);
        assert_eq!(server.receive().unwrap().1, frame(1));
        sending.join().unwrap();
        assert_eq!(server.receive().unwrap().1, frame(2));
    });
}

#[test]
fn one_release_wakes_a_writer_that_waits_for_two_lanes() {
    const LANES: [Lane; 2] = [Lane::P0, Lane::P3];
    explore(|| {
        let (mut client, mut server) = connection();
        for lane in LANES {
            assert!(client.send(lane, &frame(0)) && client.send(lane, &frame(1)));
        }
        let sending = thread::spawn(move || {
            let mut wanted: Vec<_> =
                LANES.into_iter().filter(|lane| !client.try_send(*lane, &frame(2))).collect();
            loop {
                wanted.retain(|lane| {
                    !client.outbound.wait_for_space(*lane).unwrap() || !client.try_send(*lane, &frame(2))
                });
                if wanted.is_empty() {
                    break;
                }
                client.read();
            }
        });
        while server.take().is_some() {}
        server.release();
        sending.join().unwrap();
    });
}

#[test]
fn a_lane_that_is_not_taken_wakes_nobody_and_keeps_nobody_from_being_woken() {
    explore(|| {
        let (mut client, mut server) = connection();
        let sending = thread::spawn(move || {
            assert!(client.send(Lane::P3, &frame(3)) && client.send(Lane::P0, &frame(0)));
        });
        let urgent = ALL_LANES & !(1 << Lane::P3.index());
        assert_eq!(server.receive_among(urgent), Some((Lane::P0, frame(0).to_vec())));
        sending.join().unwrap();
        assert_eq!(server.receive(), Some((Lane::P3, frame(3).to_vec())));
    });
}

#[test]
fn a_request_and_its_answer_wake_each_other() {
    explore(|| {
        let (mut client, mut server) = connection();
        let asking = thread::spawn(move || {
            assert!(client.send(Lane::P0, &frame(1)));
            assert_eq!(client.receive(), Some((Lane::P1, frame(2).to_vec())));
        });
        assert_eq!(server.receive(), Some((Lane::P0, frame(1).to_vec())));
        assert!(server.send(Lane::P1, &frame(2)));
        asking.join().unwrap();
    });
}

#[test]
fn one_doorbell_serves_who_waits_for_room_and_for_an_answer() {
    explore(|| {
        let (mut client, mut server) = connection();
        for n in 0..2 {
            assert!(client.send(Lane::P0, &frame(n)));
        }
        let asking = thread::spawn(move || {
            let mut needs_room = !client.try_send(Lane::P0, &frame(2));
            let mut has_answer = false;
            loop {
                needs_room = needs_room
                    && !(client.outbound.wait_for_space(Lane::P0).unwrap()
                        && client.try_send(Lane::P0, &frame(2)));
                has_answer = has_answer || client.take().is_some();
                if !needs_room && has_answer {
                    break;
                }
                if has_answer || !client.inbound.begin_wait(ALL_LANES) {
                    client.read();
                    client.inbound.end_wait();
                }
            }
        });
        assert_eq!(server.receive(), Some((Lane::P0, frame(0).to_vec())));
        assert!(server.send(Lane::P1, &frame(9)));
        asking.join().unwrap();
    });
}
