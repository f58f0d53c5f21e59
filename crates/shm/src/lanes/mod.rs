//! A direction of a connection: four rings, one publication per batch, one release per drain, wake-ups, poison.
//!
//! [`Outbound`] is what a process writes, [`Inbound`] what it reads. They never block and never make a system call:
//! they say when the doorbell has to be rung and when it is safe to sleep, and the owner of the control socket does
//! it. A refused value poisons the object that met it; the owner then poisons the other one with `poison`.

mod inbound;
mod outbound;

pub use inbound::{Budget, Inbound};
pub use outbound::Outbound;

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Fault, PushError, SeatTaken};
    use crate::layout::{ALL_LANES, Capacities, Direction, Lane, Layout};
    use crate::region::HeapRegion;

    const DIRECTION: Direction = Direction::ServerToClient;

    fn pair() -> (Outbound<HeapRegion>, Inbound<HeapRegion>) {
        let region = HeapRegion::new(Layout::new(Capacities::new([4_096; 8]).unwrap())).unwrap();
        (Outbound::new(region.clone(), DIRECTION).unwrap(), Inbound::new(region, DIRECTION, 1).unwrap())
    }

    fn take(inbound: &mut Inbound<HeapRegion>, lane: Lane) -> Option<Vec<u8>> {
        let mut frame = vec![0; inbound.next(lane).unwrap()?];
        inbound.copy_next(lane, &mut frame).unwrap();
        Some(frame)
    }

    #[test]
    fn records_of_every_length_come_out_as_they_went_in_across_many_wraps() {
        let (mut outbound, mut inbound) = pair();
        for round in 0..4_000_usize {
            let frame: Vec<u8> = (0..=(round * 37) % 2_040).map(|at| (at ^ round).to_le_bytes()[0]).collect();
            let lane = Lane::ALL[round % 4];
            assert!(outbound.push(lane, &frame).unwrap());
            assert!(!outbound.publish());
            assert_eq!(take(&mut inbound, lane), Some(frame));
            assert_eq!(take(&mut inbound, lane), None);
            assert!(!inbound.release());
        }
    }

    #[test]
    fn nothing_is_seen_before_it_is_published() {
        let (mut outbound, mut inbound) = pair();
        assert!(outbound.push(Lane::P1, b"one").unwrap());
        assert!(outbound.push(Lane::P1, b"two").unwrap());
        assert!(!inbound.has_data());
        assert_eq!(inbound.next(Lane::P1), Ok(None));
        assert!(!outbound.publish());
        assert!(inbound.has_data());
        assert_eq!(take(&mut inbound, Lane::P1).unwrap(), b"one");
        assert_eq!(take(&mut inbound, Lane::P1).unwrap(), b"two");
    }

    #[test]
    fn a_full_lane_takes_more_once_its_records_are_released() {
        let (mut outbound, mut inbound) = pair();
        let mut pushed = 0_u64;
        while outbound.try_reserve(Lane::P3, 100).unwrap() {
            assert!(outbound.push(Lane::P3, &[7; 100]).unwrap());
            pushed += 1;
        }
        assert_eq!(pushed, 4_096 / 112);
        assert!(!outbound.push(Lane::P3, &[7; 100]).unwrap());
        assert_eq!(outbound.occupancy(Lane::P3), pushed * 112);
        assert!(outbound.push(Lane::P2, &[7; 100]).unwrap(), "other lanes are not concerned");
        assert!(!outbound.publish());
        assert!(take(&mut inbound, Lane::P3).is_some());
        assert!(!outbound.try_reserve(Lane::P3, 100).unwrap(), "copied, but not released");
        assert!(!inbound.release());
        // 64 bytes were left at the end: padding takes them, the record what was released, to the last byte.
        assert!(outbound.push(Lane::P3, &[8; 100]).unwrap());
        assert_eq!(outbound.occupancy(Lane::P3), 4_096);
    }

    #[test]
    fn half_a_lane_is_the_limit_of_a_record() {
        let (mut outbound, mut inbound) = pair();
        for round in 0..100 {
            assert!(matches!(
                outbound.try_reserve(Lane::P0, 2_041),
                Err(PushError::TooLarge { size: 2_056, limit: 2_048 })
            ));
            assert!(matches!(outbound.try_reserve(Lane::P0, usize::MAX), Err(PushError::TooLarge { .. })));
            assert!(outbound.push(Lane::P0, &[round; 1]).unwrap());
            assert!(
                outbound.push(Lane::P0, &[round; 2_040]).unwrap(),
                "an empty lane takes it at every position"
            );
            assert!(!outbound.publish());
            assert_eq!(take(&mut inbound, Lane::P0).unwrap(), [round]);
            assert_eq!(take(&mut inbound, Lane::P0).unwrap(), [round; 2_040]);
            assert!(!inbound.release());
        }
        assert_eq!(outbound.fault(), None);
    }

    #[test]
    fn a_sleeping_consumer_is_rung_for_and_a_late_sleeper_stays_awake() {
        let (mut outbound, mut inbound) = pair();
        assert!(!inbound.begin_wait(ALL_LANES), "nothing there: it may sleep");
        assert!(!outbound.publish(), "nobody is woken for nothing");
        assert!(outbound.push(Lane::P2, b"x").unwrap());
        assert!(outbound.publish(), "it must be woken");
        inbound.end_wait();
        assert!(outbound.push(Lane::P2, b"y").unwrap());
        assert!(!outbound.publish(), "it is awake");
        assert!(inbound.begin_wait(ALL_LANES), "there is data: it may not sleep");
        assert!(outbound.push(Lane::P2, b"z").unwrap());
        assert!(!outbound.publish(), "it took its request back");
    }

    #[test]
    fn a_producer_that_waits_for_room_is_rung_for() {
        let (mut outbound, mut inbound) = pair();
        while outbound.push(Lane::P1, &[0; 500]).unwrap() {}
        assert!(!outbound.publish());
        assert!(!outbound.wait_for_space(Lane::P1).unwrap());
        assert!(!inbound.release(), "nothing was released");
        assert!(outbound.push(Lane::P0, b"x").unwrap());
        assert!(!outbound.publish());
        assert!(take(&mut inbound, Lane::P0).is_some());
        assert!(!inbound.release(), "room in another lane");
        while take(&mut inbound, Lane::P1).is_some() {}
        assert!(inbound.release(), "it must be woken");
        outbound.clear_wait(Lane::P1);
        assert!(outbound.push(Lane::P1, &[0; 500]).unwrap());
        assert!(!outbound.publish());
        assert!(take(&mut inbound, Lane::P1).is_some());
        assert!(!inbound.release(), "it is awake");
        while outbound.push(Lane::P1, &[0; 500]).unwrap() {}
        assert!(!outbound.publish());
        while take(&mut inbound, Lane::P1).is_some() {}
        assert!(!inbound.release());
        assert!(outbound.wait_for_space(Lane::P1).unwrap(), "there is room: it may not sleep");
        assert!(outbound.push(Lane::P1, &[0; 500]).unwrap());
        assert!(!outbound.publish());
        assert!(take(&mut inbound, Lane::P1).is_some());
        assert!(!inbound.release(), "it took its request back");
    }

    #[test]
    fn a_producer_that_waits_for_room_takes_just_enough() {
        let (mut outbound, mut inbound) = pair();
        for _ in 0..2 {
            assert!(outbound.push(Lane::P1, &[0; 2_040]).unwrap());
        }
        assert!(!outbound.publish() && !outbound.push(Lane::P1, &[0; 2_040]).unwrap());
        assert!(!outbound.look_for_space(Lane::P1).unwrap());
        assert!(!outbound.wait_for_space(Lane::P1).unwrap());
        assert!(take(&mut inbound, Lane::P1).is_some());
        assert!(inbound.release(), "it waits");
        assert!(outbound.wait_for_space(Lane::P1).unwrap(), "half a lane is what it asked for");
    }

    #[test]
    fn a_producer_that_only_looks_for_room_is_not_rung_for() {
        let (mut outbound, mut inbound) = pair();
        while outbound.push(Lane::P1, &[0; 500]).unwrap() {}
        assert!(!outbound.publish() && !outbound.look_for_space(Lane::P1).unwrap());
        assert!(take(&mut inbound, Lane::P1).is_some());
        assert!(!inbound.release(), "it is awake");
        assert!(outbound.look_for_space(Lane::P1).unwrap());
    }

    #[test]
    fn urgent_records_come_first_and_bulk_stops_at_its_budget() {
        let (mut outbound, mut inbound) = pair();
        for lane in [Lane::P3, Lane::P2, Lane::P1, Lane::P0] {
            for _ in 0..3 {
                assert!(outbound.push(lane, &[1; 100]).unwrap());
            }
        }
        assert!(!outbound.publish());
        let mut budget = Budget::new(150);
        let mut order = Vec::new();
        while let Some((lane, length)) = inbound.next_by_priority(&mut budget).unwrap() {
            inbound.copy_next(lane, &mut vec![0; length]).unwrap();
            budget.spend(lane, length);
            order.push(lane.index());
        }
        assert_eq!(order, [0, 0, 0, 1, 1, 1, 2, 2]);
        assert!(inbound.has_data());
        // Nothing is left for bulk from the beginning: the urgent lanes are drained all the same.
        assert!(outbound.push(Lane::P1, &[1; 100]).unwrap());
        assert!(!outbound.publish());
        assert_eq!(inbound.next_by_priority(&mut Budget::new(0)), Ok(Some((Lane::P1, 100))));
    }

    #[test]
    fn a_drain_that_met_something_urgent_takes_less_bulk_and_never_more() {
        let (mut outbound, mut inbound) = pair();
        for _ in 0..8 {
            assert!(outbound.push(Lane::P3, &[1; 100]).unwrap());
        }
        assert!(!outbound.publish());
        let mut drain = |budget: &mut Budget| {
            let mut taken = 0;
            while let Some((lane, length)) = inbound.next_by_priority(budget).unwrap() {
                inbound.copy_next(lane, &mut vec![0; length]).unwrap();
                budget.spend(lane, length);
                taken += 1;
            }
            taken
        };
        let mut budget = Budget::new(400);
        budget.limit(100);
        assert_eq!(drain(&mut budget), 1);
        let mut budget = Budget::new(300);
        budget.limit(1_000);
        assert_eq!(drain(&mut budget), 3);
    }

    #[test]
    fn after_the_end_of_stream_only_what_was_published_before_comes_out() {
        let (mut outbound, mut inbound) = pair();
        assert!(outbound.push(Lane::P0, b"before").unwrap());
        assert!(!outbound.publish());
        inbound.end().unwrap();
        assert!(outbound.push(Lane::P0, b"after").unwrap());
        assert!(!outbound.publish());
        assert!(inbound.has_data() && !inbound.has_data_among(ALL_LANES & !1));
        assert_eq!(take(&mut inbound, Lane::P0).unwrap(), b"before");
        assert!(!inbound.has_data());
        assert_eq!(take(&mut inbound, Lane::P0), None);
    }

    #[test]
    fn dropped_messages_are_visible_to_both_sides() {
        let (mut outbound, inbound) = pair();
        outbound.note_dropped(Lane::P3, 2);
        outbound.note_dropped(Lane::P3, 3);
        assert_eq!((outbound.dropped(Lane::P3), inbound.dropped(Lane::P3)), (5, 5));
        assert_eq!(inbound.dropped(Lane::P2), 0);
    }

    #[test]
    fn a_poisoned_end_refuses_everything_and_keeps_the_first_reason() {
        let (mut outbound, mut inbound) = pair();
        assert!(outbound.push(Lane::P0, b"x").unwrap());
        outbound.poison(Fault::Poisoned);
        outbound.poison(Fault::Misuse);
        assert!(!outbound.publish());
        assert!(!inbound.has_data(), "it was not published");
        assert!(matches!(outbound.push(Lane::P0, b"x"), Err(PushError::Fault(Fault::Poisoned))));
        assert!(matches!(outbound.try_reserve(Lane::P0, 1), Err(PushError::Fault(Fault::Poisoned))));
        assert_eq!(outbound.look_for_space(Lane::P0), Err(Fault::Poisoned));
        assert_eq!(outbound.wait_for_space(Lane::P0), Err(Fault::Poisoned));
        inbound.poison(Fault::Poisoned);
        assert_eq!(inbound.next(Lane::P0), Err(Fault::Poisoned));
        assert_eq!(inbound.copy_next(Lane::P0, &mut []), Err(Fault::Poisoned));
        assert_eq!(inbound.end(), Err(Fault::Poisoned));
        assert!(inbound.begin_wait(ALL_LANES), "nobody sleeps on a poisoned lane");
        assert!(inbound.has_data() && inbound.has_data_among(ALL_LANES), "its owner meets the fault");
        assert!(!inbound.release());
    }

    #[test]
    fn a_copy_that_was_not_announced_is_misuse() {
        for announce in [false, true] {
            let (mut outbound, mut inbound) = pair();
            assert!(outbound.push(Lane::P0, b"1234").unwrap());
            assert!(!outbound.publish());
            let mut short = [0; 3];
            let mut right = [0; 4];
            let out = if announce { short.as_mut_slice() } else { right.as_mut_slice() };
            if announce {
                assert_eq!(inbound.next(Lane::P0), Ok(Some(4)));
            }
            assert_eq!(inbound.copy_next(Lane::P0, out), Err(Fault::Misuse));
        }
    }

    #[test]
    fn an_end_of_a_direction_is_given_away_once() {
        let region = HeapRegion::new(Layout::new(Capacities::DEFAULT)).unwrap();
        for direction in Direction::ALL {
            drop(Outbound::new(region.clone(), direction).unwrap());
            assert_eq!(Outbound::new(region.clone(), direction).map(|_| ()), Err(SeatTaken));
            drop(Inbound::new(region.clone(), direction, 56).unwrap());
            assert_eq!(Inbound::new(region.clone(), direction, 56).map(|_| ()), Err(SeatTaken));
        }
    }

    #[test]
    fn a_lane_that_is_not_taken_keeps_its_records_and_wakes_nobody() {
        let (mut outbound, mut inbound) = pair();
        assert!(outbound.push(Lane::P3, b"bulk").unwrap());
        let _ = outbound.publish();
        let but_p3 = ALL_LANES & !(1 << Lane::P3.index());
        assert!(inbound.has_data_among(ALL_LANES) && !inbound.has_data_among(but_p3));
        let mut budget = Budget::new(usize::MAX).only(but_p3);
        assert_eq!(inbound.next_by_priority(&mut budget).unwrap(), None);
        assert!(!inbound.begin_wait(but_p3), "sleeping is safe: nothing that is taken waits");
        inbound.end_wait();
        assert!(inbound.begin_wait(ALL_LANES), "with P3 taken there is data");
        assert_eq!(take(&mut inbound, Lane::P3).as_deref(), Some(&b"bulk"[..]));
    }
}
