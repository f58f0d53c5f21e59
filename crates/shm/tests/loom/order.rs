//! What a reader finds that only looks: whole records, in order, batches and padding in one piece, urgent ones first.

use eipc_shm::Lane;
use loom::thread;

use crate::side::{RECORD, Side, connection};
use crate::{explore, frame};

/// Takes what is there and gives its room back; returns how many frames it has seen now.
fn look(reader: &mut Side, mut seen: u64) -> u64 {
    if let Some((_, taken)) = reader.take() {
        assert_eq!(taken, frame(seen), "whole, once, in order");
        seen += 1;
        reader.release();
    }
    seen
}

#[test]
fn records_arrive_whole_once_and_in_order() {
    explore(|| {
        let (mut client, mut server) = connection();
        // The lane has room for two: the others need what the server gives back.
        let sending =
            thread::spawn(move || (0..4).take_while(|n| client.try_send(Lane::P0, &frame(*n))).count());
        let seen = (0..3).fold(0, |seen, _| look(&mut server, seen));
        let sent = sending.join().unwrap();
        let seen = (0..4).fold(seen, |seen, _| look(&mut server, seen));
        assert_eq!(seen, sent as u64);
    });
}

#[test]
fn a_batch_is_seen_as_one_and_its_room_comes_back_as_one() {
    explore(|| {
        let (mut client, mut server) = connection();
        let sending = thread::spawn(move || {
            assert!(client.outbound.push(Lane::P0, &frame(0)).unwrap());
            assert!(client.outbound.push(Lane::P0, &frame(1)).unwrap());
            client.publish();
            if client.try_send(Lane::P0, &frame(2)) {
                assert!(client.try_send(Lane::P0, &frame(3)), "both were given back by one release");
            }
        });
        if let Some((_, first)) = server.take() {
            assert_eq!(first, frame(0));
            assert_eq!(server.take().unwrap().1, frame(1), "published with the first");
            server.release();
        }
        sending.join().unwrap();
    });
}

#[test]
fn padding_is_never_seen_without_its_record() {
    explore(|| {
        let (mut client, mut server) = connection();
        assert!(client.try_send(Lane::P0, &[]) && client.try_send(Lane::P0, &frame(1)));
        let sending = thread::spawn(move || {
            // Eight bytes are left before the end: padding, and the record behind it at the beginning.
            let sent = (0..2).any(|_| client.try_send(Lane::P0, &frame(2)));
            assert!(!sent || client.outbound.occupancy(Lane::P0) >= RECORD + 8);
            sent
        });
        assert_eq!(server.take().unwrap().1, [0; 0]);
        server.release();
        assert_eq!(server.take().unwrap().1, frame(1));
        server.release();
        // A lone padding record is a fault, which `take` would fail on.
        let seen = server.take().or_else(|| server.take());
        let sent = sending.join().unwrap();
        assert_eq!(seen.or_else(|| server.take()).map(|(_, taken)| taken), sent.then(|| frame(2).to_vec()));
    });
}

#[test]
fn an_urgent_record_is_passed_by_one_bulk_record_of_its_batch_at_most() {
    explore(|| {
        let (mut client, mut server) = connection();
        let sending = thread::spawn(move || {
            for n in 0..2 {
                assert!(client.outbound.push(Lane::P3, &frame(n)).unwrap());
            }
            assert!(client.outbound.push(Lane::P0, &frame(9)).unwrap());
            client.publish();
        });
        let taken: Vec<_> = (0..3).map_while(|_| server.take()).collect();
        // The look at P0 may have come before the publication, the look at P3 after it; the next look is at P0 again.
        let urgent = taken.iter().position(|(lane, _)| *lane == Lane::P0);
        assert!(taken.is_empty() || urgent.is_some_and(|at| at <= 1), "{taken:?}");
        sending.join().unwrap();
    });
}

#[test]
fn what_was_dropped_is_counted_and_nothing_else() {
    explore(|| {
        let (mut client, mut server) = connection();
        for n in 0..2 {
            assert!(client.try_send(Lane::P3, &frame(n)));
        }
        let sending = thread::spawn(move || {
            for n in 2..4 {
                if !client.try_send(Lane::P3, &frame(n)) {
                    client.outbound.note_dropped(Lane::P3, 1);
                }
            }
            client.outbound.dropped(Lane::P3)
        });
        let mut received = Vec::new();
        let mut claimed = 0;
        for _ in 0..2 {
            received.extend(server.take());
            server.release();
            let now = server.inbound.dropped(Lane::P3);
            assert!(now >= claimed, "drops are never taken back");
            claimed = now;
        }
        let dropped = sending.join().unwrap();
        received.extend(std::iter::from_fn(|| server.take()));
        assert!(claimed <= dropped && dropped == server.inbound.dropped(Lane::P3));
        assert_eq!(received.len() as u64 + dropped, 4);
        assert!(received.is_sorted_by(|(_, one), (_, next)| one < next), "{received:?}");
    });
}
