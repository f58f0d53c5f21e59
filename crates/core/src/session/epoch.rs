//! Epochs: how a lane moves from one set of keys to the next (`docs/wire.md`, "EIPC/2 data frames").
//!
//! Every lane owns the master secret of its own epoch and wipes it when it leaves. So MS_e is gone from
//! memory exactly when the last lane has left e, without a chain that lanes would have to share, count or
//! lock; and a peer that runs one lane far ahead of the others costs nothing. [`SendLane`] decides when to
//! move; [`LaneKeys`] moves, for the receiver only behind a verified tag.

use super::frame_key::FrameKey;
use super::keys::{Master, Traffic, internal};
use super::sec_header::Sequence;
use super::suite::{Direction, Plane, Suite};
use crate::error::{Code, Error, Result};
use crate::time::Time;
use core::time::Duration;

/// Where keys belong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    pub(crate) suite: Suite,
    pub(crate) plane: Plane,
    pub(crate) direction: Direction,
}

/// The keys of one lane: those of its epoch, and what the next ones are made from.
pub(crate) struct LaneKeys {
    scope: Scope,
    epoch: u16,
    key: FrameKey,
    future: Future,
}

/// How far a lane can still move.
enum Future {
    /// Through all epochs: the master secret of the lane's own.
    Epochs(Master),
    /// Once: the secrets of the next epoch, and no way to those behind it.
    Once(Traffic),
    /// No more.
    Ended,
}

impl LaneKeys {
    /// Makes the keys of a lane in epoch 0; `master` becomes the lane's own.
    pub(crate) fn new(master: Master, scope: Scope) -> Result<Self> {
        let traffic = master.traffic(scope.plane, scope.direction)?;
        let key = FrameKey::new(scope.suite, &traffic).map_err(internal)?;
        Ok(Self { scope, epoch: 0, key, future: Future::Epochs(master) })
    }

    pub(crate) const fn epoch(&self) -> u16 {
        self.epoch
    }

    /// Verifies and decrypts a frame of the lane's epoch or of the next, to which the lane then moves.
    #[inline]
    pub(crate) fn open(
        &mut self,
        epoch: u16,
        sequence: Sequence,
        signed: &mut [u8],
        tag: &[u8],
    ) -> Result<()> {
        const FORGED: Error = Error::new(Code::Integrity, "tag does not verify");
        if epoch == self.epoch {
            return self.key.open(sequence, signed, tag).map_err(|_| FORGED);
        }
        if self.epoch.checked_add(1) != Some(epoch) {
            return Err(Error::new(Code::Integrity, "no key for this epoch"));
        }
        let next = self.next(epoch)?;
        next.key.open(sequence, signed, tag).map_err(|_| FORGED)?;
        *self = next;
        Ok(())
    }

    /// Protects a frame of the lane's epoch.
    #[inline]
    pub(crate) fn seal(&self, sequence: Sequence, signed: &mut [u8], tag: &mut [u8]) -> Result<()> {
        self.key.seal(sequence, signed, tag).map_err(internal)
    }

    /// Derives the keys of the next epoch, which is `epoch`, without moving.
    fn next(&self, epoch: u16) -> Result<Self> {
        let derived;
        let (traffic, future) = match &self.future {
            Future::Ended => return Err(Error::new(Code::Integrity, "the lane has no further epoch")),
            Future::Once(traffic) => (traffic, Future::Ended),
            Future::Epochs(master) => {
                let master = master.next()?;
                derived = master.traffic(self.scope.plane, self.scope.direction)?;
                (&derived, Future::Epochs(master))
            }
        };
        let key = FrameKey::new(self.scope.suite, traffic).map_err(internal)?;
        Ok(Self { scope: self.scope, epoch, key, future })
    }

    /// Wipes the master secret and keeps no more than one move: for a lane that has one frame to go and
    /// would otherwise hold every later epoch's keys within reach.
    pub(crate) fn forget_master(&mut self) {
        if let Future::Epochs(master) = &self.future {
            let derive = || master.next()?.traffic(self.scope.plane, self.scope.direction);
            self.future = match self.epoch {
                u16::MAX => Future::Ended,
                _ => derive().map_or(Future::Ended, Future::Once),
            };
        }
    }
}

/// When a lane moves on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Frames in one epoch.
    pub(crate) frames: u64,
    /// Bytes in one epoch; reached, not exceeded by the frame that reaches it.
    pub(crate) bytes: u64,
    /// Time in one epoch.
    pub(crate) age: Duration,
}

impl Limits {
    pub(crate) const fn of(suite: Suite) -> Self {
        let age = Duration::from_secs(60 * 60);
        match suite {
            Suite::HmacSha256 => Self { frames: 1 << 32, bytes: u64::MAX, age },
            Suite::ChaCha20Poly1305 | Suite::Aes256Gcm => Self { frames: 1 << 24, bytes: 1 << 36, age },
        }
    }
}

/// One lane as its sender sees it: how far it has counted, and when it moves on.
pub(crate) struct SendLane {
    keys: LaneKeys,
    limits: Limits,
    counter: u64,
    /// The counter of the epoch's last frame.
    last: u64,
    /// What may still be sent in the epoch.
    bytes_left: u64,
    /// When the epoch has lasted long enough.
    due: Time,
}

impl SendLane {
    pub(crate) fn new(keys: LaneKeys, limits: Limits, now: Time) -> Self {
        let mut lane = Self { keys, limits, counter: 0, last: 0, bytes_left: 0, due: now };
        lane.begin_epoch(now);
        lane
    }

    pub(crate) const fn keys(&self) -> &LaneKeys {
        &self.keys
    }

    /// Returns the counter of the last frame; 0 before the first.
    pub(crate) const fn counter(&self) -> u64 {
        self.counter
    }

    /// Returns when the lane has been in its epoch long enough.
    pub(crate) const fn due(&self) -> Time {
        self.due
    }

    /// Moves to the next epoch if it is time to. The last epoch cannot be left: its session is to be
    /// closed, and only the frames that do so (`may_stay`) are sealed after its end.
    #[inline]
    pub(crate) fn prepare(&mut self, may_stay: bool, now: Time) -> Result<()> {
        if self.counter < self.last && self.bytes_left > 0 && now < self.due {
            return Ok(());
        }
        self.move_on(may_stay, now)
    }

    #[cold]
    fn move_on(&mut self, may_stay: bool, now: Time) -> Result<()> {
        let has_ended = matches!(self.keys.future, Future::Ended);
        match self.keys.epoch.checked_add(1).filter(|_| !has_ended) {
            Some(next) => {
                self.keys = self.keys.next(next)?;
                self.begin_epoch(now);
                Ok(())
            }
            None if may_stay => Ok(()),
            None => Err(Error::new(Code::Expired, "the lane has used all its epochs")),
        }
    }

    fn begin_epoch(&mut self, now: Time) {
        self.last = self.counter.saturating_add(self.limits.frames);
        self.bytes_left = self.limits.bytes;
        self.due = now.after(self.limits.age);
    }

    /// Counts a sealed frame of this many bytes.
    #[inline]
    pub(crate) const fn count(&mut self, bytes: usize) {
        self.counter += 1;
        self.bytes_left = self.bytes_left.saturating_sub(bytes as u64);
    }

    pub(crate) fn forget_master(&mut self) {
        self.keys.forget_master();
    }

    /// Changes the limits of this epoch and the later ones; for tests, which cannot send 2^24 frames.
    #[cfg(any(test, feature = "deterministic"))]
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        let entered = Time(self.due.0.saturating_sub(Time(0).after(self.limits.age).0));
        self.limits = limits;
        self.begin_epoch(entered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Lane;

    const HOUR: u64 = 3_600_000_000_000;
    const SUITES: [Suite; 3] = [Suite::HmacSha256, Suite::ChaCha20Poly1305, Suite::Aes256Gcm];

    fn lane(suite: Suite) -> SendLane {
        let scope = Scope { suite, plane: Plane::Stream, direction: Direction::ClientToServer };
        SendLane::new(LaneKeys::new(Master::known(), scope).unwrap(), Limits::of(suite), Time(0))
    }

    /// Sends one frame and returns the epoch it was sent in.
    fn send(lane: &mut SendLane, bytes: usize, now: u64) -> u16 {
        lane.prepare(false, Time(now)).unwrap();
        lane.count(bytes);
        lane.keys().epoch()
    }

    #[test]
    fn a_lane_moves_after_the_frames_of_its_suite() {
        for (suite, frames) in SUITES.into_iter().zip([1 << 32, 1 << 24, 1 << 24]) {
            let mut lane = lane(suite);
            // The frames before the last but one have been counted by nobody, only the counter says so.
            lane.counter = frames - 2;
            assert_eq!((send(&mut lane, 64, 0), send(&mut lane, 64, 0), send(&mut lane, 64, 0)), (0, 0, 1));
            lane.counter = 2 * frames - 1;
            assert_eq!((send(&mut lane, 64, 0), send(&mut lane, 64, 0)), (1, 2), "{suite:?}");
        }
    }

    #[test]
    fn a_lane_moves_after_the_bytes_of_its_suite() {
        for (suite, expected) in SUITES.into_iter().zip([0, 1, 1]) {
            let mut lane = lane(suite);
            for _ in 0..(1 << 16) {
                assert_eq!(send(&mut lane, 1 << 20, 0), 0);
            }
            assert_eq!(send(&mut lane, 1, 0), expected, "{suite:?} after 2^36 bytes");
            assert_eq!(send(&mut lane, 1, 0), expected);
        }
    }

    #[test]
    fn a_lane_moves_after_an_hour_by_one_however_long_it_was_silent() {
        let mut lane = lane(Suite::HmacSha256);
        assert_eq!(send(&mut lane, 64, HOUR - 1), 0);
        assert_eq!(lane.due(), Time(HOUR));
        assert_eq!(send(&mut lane, 64, HOUR), 1);
        assert_eq!(lane.due(), Time(2 * HOUR));
        assert_eq!((send(&mut lane, 64, 9 * HOUR), send(&mut lane, 64, 9 * HOUR)), (2, 2));
        assert_eq!(lane.due(), Time(10 * HOUR));
        assert_eq!(send(&mut lane, 64, 0), 2, "a clock that goes back changes nothing");
    }

    #[test]
    fn the_last_epoch_is_not_left_and_only_a_closing_frame_outlives_it() {
        let mut lane = lane(Suite::HmacSha256);
        lane.set_limits(Limits { frames: 1, ..Limits::of(Suite::HmacSha256) });
        for epoch in 0..=u16::MAX {
            assert_eq!(send(&mut lane, 64, 0), epoch);
        }
        assert_eq!(lane.prepare(false, Time(0)).unwrap_err().code, Code::Expired);
        assert_eq!(lane.prepare(true, Time(0)), Ok(()));
        assert_eq!((lane.keys().epoch(), lane.counter()), (u16::MAX, 1 << 16));
        lane.forget_master();
        assert_eq!(lane.prepare(false, Time(0)).unwrap_err().code, Code::Expired);
        // The receiver knows no epoch behind it either, and does not begin again.
        let sequence = Sequence::new(Lane::P0, 1);
        let opened = lane.keys.open(0, sequence, &mut [0; 64], &[0; 32]);
        assert_eq!(opened.unwrap_err().context, "no key for this epoch");
    }

    #[test]
    fn limits_count_from_where_the_epoch_began() {
        let mut lane = lane(Suite::HmacSha256);
        let age = Duration::from_secs(60);
        lane.set_limits(Limits { frames: u64::MAX, bytes: 100, age });
        assert_eq!(lane.due(), Time(60_000_000_000));
        assert_eq!((send(&mut lane, 99, 0), send(&mut lane, 99, 0), send(&mut lane, 99, 0)), (0, 0, 1));
    }

    #[test]
    fn a_lane_without_its_master_moves_once_and_then_only_closes() {
        let mut lane = lane(Suite::HmacSha256);
        lane.set_limits(Limits { frames: 1, ..Limits::of(Suite::HmacSha256) });
        lane.forget_master();
        assert_eq!((send(&mut lane, 64, 0), send(&mut lane, 64, 0)), (0, 1));
        assert_eq!(lane.prepare(false, Time(0)).unwrap_err().code, Code::Expired);
        assert_eq!(lane.prepare(true, Time(0)), Ok(()));
        assert_eq!(lane.keys().epoch(), 1);
    }

    #[test]
    fn what_has_no_room_for_a_header_or_tag_is_not_sealed() {
        let sequence = Sequence::new(Lane::P0, 1);
        for (suite, frame_len, tag_len) in [
            (Suite::HmacSha256, 64, 31),
            (Suite::Aes256Gcm, 39, 16),
            (Suite::Aes256Gcm, 64, 15),
            (Suite::ChaCha20Poly1305, 39, 16),
        ] {
            let sealed = lane(suite).keys().seal(sequence, &mut vec![0; frame_len], &mut vec![0; tag_len]);
            assert_eq!(sealed.unwrap_err().code, Code::Internal, "{suite:?} {frame_len} {tag_len}");
        }
    }
}
