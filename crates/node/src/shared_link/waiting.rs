//! Waiting for messages and for room: looking while awake, asking for a doorbell before sleep (docs/shm-abi.md, "Waking").

use eipc_core::{Error, Lane};

use super::SharedLink;
use crate::shared_plane::SharedPlane;

impl SharedLink {
    /// Whether there is something to deliver or to tell: a message in a lane the owner takes, room where it waits for room, an end.
    pub(crate) fn look(&mut self) -> bool {
        self.look_for_space();
        self.has_news || self.space != 0 || self.has_data()
    }

    fn has_data(&self) -> bool {
        self.plane.as_ref().is_some_and(|plane| plane.has_data_among(self.taken))
    }

    /// Whether P0 is one of those lanes, and has a message.
    pub(crate) fn has_urgent_data(&self) -> bool {
        self.plane.as_ref().is_some_and(|plane| plane.has_data_among(self.taken & 1 << Lane::P0.byte()))
    }

    /// Announces sleep; true = there is something after all.
    pub(crate) fn park(&mut self) -> bool {
        self.for_wanted_lanes(|plane, lane| plane.wait_for_space(lane));
        let Some(plane) = self.plane.as_mut() else { return self.has_news };
        let is_awake = plane.begin_wait(self.taken) || self.space != 0;
        self.is_parked = true;
        if is_awake {
            self.unpark();
        }
        is_awake
    }

    pub(super) fn unpark(&mut self) {
        if std::mem::take(&mut self.is_parked)
            && let Some(plane) = self.plane.as_mut()
        {
            plane.end_wait();
            lanes_of(self.wanted).for_each(|lane| plane.end_wait_for_space(lane));
        }
    }

    /// Waits for room in `lane`: true = it has room now. Otherwise `look` finds it, and only who parks asks the peer to ring.
    pub(crate) fn wait_for_space(&mut self, lane: Lane) -> bool {
        let bit = 1 << lane.byte();
        self.wanted |= bit;
        self.look_for_space();
        let has_space = self.space & bit != 0;
        self.space &= !bit;
        has_space || self.plane.is_none() // the next push says what happened
    }

    pub(super) fn look_for_space(&mut self) {
        self.for_wanted_lanes(|plane, lane| plane.look_for_space(lane));
    }

    /// Notes which lanes that are waited for have room. Where the segment is gone nothing has: who waits is to wait for the next session.
    fn for_wanted_lanes(&mut self, has_space: impl Fn(&mut SharedPlane, Lane) -> Result<bool, Error>) {
        for lane in lanes_of(self.wanted) {
            let Some(plane) = self.plane.as_mut() else { return };
            match has_space(plane, lane) {
                Ok(false) => {}
                Ok(true) => {
                    self.wanted &= !(1 << lane.byte());
                    self.space |= 1 << lane.byte();
                }
                Err(error) => self.poison(&error),
            }
        }
    }
}

/// The lanes of a bit mask.
fn lanes_of(mask: u8) -> impl Iterator<Item = Lane> {
    Lane::ALL.into_iter().filter(move |lane| mask >> lane.byte() & 1 == 1)
}
