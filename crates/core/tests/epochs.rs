//! Epochs under every schedule: four lanes in shared memory and the stream, both directions, rekeys every
//! few frames, with lanes that idle, receivers that stall and drain by priority. No honest session dies.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use core::time::Duration;
use eipc_core::crypto::random::Random;
use eipc_core::session::handshake_v2::{ClientStart, Planes, ServerStart};
use eipc_core::{
    ClientConfig, Features, KeyTable, Kind, Lane, MetaKind, Opener, Psk, Sealer, ServerConfig, Suite, Suites,
    Time,
};
use eipc_testkit::{meta, record};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;

/// How long an epoch lasts here.
const AGE: Duration = Duration::from_secs(60);

/// One direction of one plane: what was sealed and not yet opened, by lane.
struct Flow {
    sealer: Sealer,
    opener: Opener,
    queues: [VecDeque<Vec<u8>>; 4],
    delivered: [u64; 4],
    /// How often each lane moved, by what its sender was told to do.
    moves: [u16; 4],
}

impl Flow {
    fn new(sealer: Sealer, opener: Opener) -> Self {
        Self { sealer, opener, queues: [const { VecDeque::new() }; 4], delivered: [0; 4], moves: [0; 4] }
    }

    fn send(&mut self, lane: Lane, payload_len: usize, now: Time) {
        let at = usize::from(lane.byte());
        let (meta_len, mut frame) = record(&meta(lane), &vec![7; payload_len], self.sealer.tag_len());
        let before = self.sealer.epoch(lane);
        self.sealer.seal(Kind::Chat, lane, MetaKind::Binary, meta_len, &mut frame, now).unwrap();
        let moved = self.sealer.epoch(lane) - before;
        assert!(moved <= 1, "by exactly one");
        self.moves[at] += moved;
        self.queues[at].push_back(frame);
    }

    /// Opens up to `count` frames, the most urgent lane first.
    fn drain(&mut self, mut count: usize) {
        for lane in Lane::ALL {
            let at = usize::from(lane.byte());
            while count > 0
                && let Some(mut frame) = self.queues[at].pop_front()
            {
                let envelope = self.opener.receive(&mut frame).expect("an honest frame");
                self.delivered[at] += 1;
                assert_eq!(envelope.sequence(), u64::from(lane.byte()) << 62 | self.delivered[at]);
                count -= 1;
            }
        }
    }

    fn send_heartbeats(&mut self, now: Time) {
        let lanes: Vec<_> = self.sealer.due_lanes(now).collect();
        for lane in lanes {
            self.send(lane, 0, now);
        }
        assert!(self.sealer.poll_deadline() > now);
    }

    fn finish(&mut self) {
        self.drain(usize::MAX);
        for lane in Lane::ALL {
            let at = usize::from(lane.byte());
            assert_eq!(self.delivered[at], self.sealer.counter(lane), "all arrived");
            assert_eq!(
                self.opener.epoch(lane),
                self.sealer.epoch(lane),
                "both ends have left the same epochs"
            );
            assert_eq!(self.sealer.epoch(lane), self.moves[at]);
        }
    }
}

fn planes(suite: Suite) -> (Planes, Planes) {
    let psk = Arc::new(Psk::new(&[0x81; 32]).unwrap());
    let (suites, features) = (Suites::of(&[suite]), Features(15));
    let config = ClientConfig { suites, features, ..ClientConfig::new(Arc::clone(&psk), "nia.min") };
    let mut keys = KeyTable::new();
    keys.insert("nia.min", psk, &[]).unwrap();
    let mut accepting = ServerConfig::new("eai", Box::new(keys));
    accepting.features = features;
    let (random, now) = (Random::system(), Time(0));
    let (mut hello, client) = ClientStart::new(config).unwrap().hello(&random).unwrap();
    let start = ServerStart::new(Arc::new(accepting));
    let (mut answer, server) = start.receive(&mut hello, &random, now).unwrap();
    let (mut finish, client) = client.receive(&mut answer, now).unwrap();
    let (mut accept, server) = server.receive(&mut finish, now).unwrap();
    (client.receive(&mut accept).unwrap().planes, server.planes)
}

/// Both directions of shared memory.
fn flows(suite: Suite, frames: u64, bytes: u64) -> [Flow; 2] {
    let (mut client, mut server) = planes(suite);
    let (client, server) = (client.segment.take().unwrap(), server.segment.take().unwrap());
    [Flow::new(client.0, server.1), Flow::new(server.0, client.1)].map(|mut flow| {
        flow.sealer.limit_epochs(frames, bytes, AGE);
        flow
    })
}

/// One step of a schedule.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A burst of frames in one lane.
    Send { direction: usize, lane: u8, count: usize, payload_len: usize },
    /// A receiver takes so many frames, the most urgent lane first; none is a stall.
    Drain { direction: usize, count: usize },
    /// Time passes.
    Wait { seconds: u64 },
    /// The owner looks for lanes that are due, and sends their heartbeats.
    Heartbeats { direction: usize },
}

/// Steps that use the lanes of `mask` only: the others idle.
fn step(mask: u8) -> impl Strategy<Value = Step> {
    let lane = (0..4_u8).prop_map(move |lane| {
        (0..4).map(|offset| (lane + offset) % 4).find(|lane| mask & (1 << lane) != 0).unwrap_or(0)
    });
    prop_oneof![
        5 => (0..2_usize, lane, 1..9_usize, 0..200_usize).prop_map(|(direction, lane, count, payload_len)| {
            Step::Send { direction, lane, count, payload_len }
        }),
        3 => (0..2_usize, 0..12_usize).prop_map(|(direction, count)| Step::Drain { direction, count }),
        1 => (0..200_u64).prop_map(|seconds| Step::Wait { seconds }),
        1 => (0..2_usize).prop_map(|direction| Step::Heartbeats { direction }),
    ]
}

fn suite() -> impl Strategy<Value = Suite> {
    prop_oneof![Just(Suite::HmacSha256), Just(Suite::ChaCha20Poly1305), Just(Suite::Aes256Gcm)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn no_honest_session_dies(
        suite in suite(),
        frames in 1..7_u64,
        bytes in prop_oneof![Just(u64::MAX), 200..2_000_u64],
        steps in (1..16_u8).prop_flat_map(|mask| vec(step(mask), 1..60)),
    ) {
        let mut flows = flows(suite, frames, bytes);
        let mut now = Time(0);
        for step in steps {
            match step {
                Step::Send { direction, lane, count, payload_len } => {
                    for _ in 0..count {
                        flows[direction].send(Lane::from_byte(lane).unwrap(), payload_len, now);
                    }
                }
                Step::Drain { direction, count } => flows[direction].drain(count),
                Step::Wait { seconds } => now = now.after(Duration::from_secs(seconds)),
                Step::Heartbeats { direction } => flows[direction].send_heartbeats(now),
            }
        }
        for flow in &mut flows {
            flow.finish();
        }
    }
}

#[test]
fn a_lane_moves_after_its_own_frames_and_takes_nobody_along() {
    let [mut flow, other] = flows(Suite::Aes256Gcm, 3, u64::MAX);
    for expected in [0, 0, 0, 1, 1, 1, 2] {
        flow.send(Lane::P2, 10, Time(0));
        assert_eq!(Lane::ALL.map(|lane| flow.sealer.epoch(lane)), [0, 0, expected, 0]);
    }
    flow.finish();
    assert_eq!(other.sealer.epoch(Lane::P2), 0, "directions have nothing to do with each other");
}

#[test]
fn a_lane_moves_after_its_own_bytes_which_are_whole_frames() {
    let [mut flow, _] = flows(Suite::Aes256Gcm, u64::MAX, 300);
    // 16 + 24 + 24 + 20 + 16 bytes: the third frame reaches the limit.
    for expected in [0, 0, 0, 1, 1, 1, 2] {
        flow.send(Lane::P1, 20, Time(0));
        flow.send(Lane::P0, 0, Time(0));
        assert_eq!(flow.queues[1].back().map(Vec::len), Some(100));
        assert_eq!(flow.sealer.epoch(Lane::P1), expected);
    }
    assert_eq!(flow.sealer.epoch(Lane::P0), 1, "seven frames of 80 bytes");
    flow.finish();
}

#[test]
fn an_urgent_lane_may_be_thousands_of_epochs_ahead_of_one_that_stalls() {
    // Strict priority: P3 is not drained while P0 floods. Its frames of epoch 0 are still opened.
    let [mut flow, _] = flows(Suite::ChaCha20Poly1305, 1, u64::MAX);
    for _ in 0..5 {
        flow.send(Lane::P3, 10, Time(0));
    }
    for _ in 0..3_000 {
        flow.send(Lane::P0, 10, Time(0));
        flow.drain(1);
    }
    assert_eq!((flow.opener.epoch(Lane::P0), flow.opener.epoch(Lane::P3)), (2_999, 0));
    flow.finish();
    assert_eq!(flow.opener.epoch(Lane::P3), 4);
}

#[test]
fn silent_lanes_are_due_after_their_hour_and_those_that_sent_are_not() {
    let [mut flow, _] = flows(Suite::HmacSha256, u64::MAX, u64::MAX);
    let (due, later) = (Time(0).after(AGE), Time(0).after(2 * AGE));
    assert_eq!(flow.sealer.poll_deadline(), due);
    assert_eq!(flow.sealer.due_lanes(Time(due.0 - 1)).count(), 0);
    flow.send(Lane::P1, 10, due);
    assert_eq!(flow.sealer.due_lanes(due).collect::<Vec<_>>(), [Lane::P0, Lane::P2, Lane::P3]);
    assert_eq!(flow.sealer.poll_deadline(), due);
    // What the owner sends there is an ordinary message.
    for lane in [Lane::P0, Lane::P2, Lane::P3] {
        let (meta_len, mut frame) = flow.sealer.heartbeat(lane).unwrap();
        flow.sealer.seal(Kind::Heartbeat, lane, MetaKind::Json, meta_len, &mut frame, due).unwrap();
        assert_eq!(frame.len(), flow.sealer.heartbeat(lane).unwrap().1.len());
        let envelope = flow.opener.receive(&mut frame).unwrap();
        assert_eq!((envelope.kind(), envelope.lane(), envelope.payload()), (Kind::Heartbeat, lane, &b""[..]));
        flow.delivered[usize::from(lane.byte())] += 1;
        flow.moves[usize::from(lane.byte())] += 1;
    }
    assert_eq!((flow.sealer.due_lanes(due).count(), flow.sealer.poll_deadline()), (0, later));
    flow.finish();
    assert_eq!(Lane::ALL.map(|lane| flow.opener.epoch(lane)), [1; 4]);
}

#[test]
fn every_part_of_a_session_may_go_to_another_thread() {
    const fn is_send<T: Send>() {}
    is_send::<eipc_core::Connection>();
    is_send::<Sealer>();
    is_send::<Opener>();
}
