//! One value per lane of a plane: four in shared memory, one on a stream.

use super::suite::Plane;
use crate::error::Result;
use crate::message::Lane;

/// One value per lane. A stream's only one stands for all, so that none is ever missing.
pub(crate) struct Lanes<T> {
    first: T,
    others: Option<Box<[T; 3]>>,
}

impl<T> Lanes<T> {
    /// Makes the values of every lane `plane` has.
    pub(crate) fn new(plane: Plane, mut make: impl FnMut() -> Result<T>) -> Result<Self> {
        let first = make()?;
        let others = match plane {
            Plane::Stream => None,
            Plane::SharedMemory => Some(Box::new([make()?, make()?, make()?])),
        };
        Ok(Self { first, others })
    }

    /// Returns the value of a lane, which on a stream is that of lane 0.
    #[inline]
    pub(crate) fn of_mut(&mut self, lane: Lane) -> &mut T {
        match (lane, self.others.as_deref_mut()) {
            (Lane::P1, Some([p1, _, _])) => p1,
            (Lane::P2, Some([_, p2, _])) => p2,
            (Lane::P3, Some([_, _, p3])) => p3,
            _ => &mut self.first,
        }
    }

    /// Returns the value of a lane, if the plane has it.
    pub(crate) fn find(&self, lane: Lane) -> Option<&T> {
        match (lane, self.others.as_deref()) {
            (Lane::P0, _) => Some(&self.first),
            (_, None) => None,
            (Lane::P1, Some([p1, _, _])) => Some(p1),
            (Lane::P2, Some([_, p2, _])) => Some(p2),
            (Lane::P3, Some([_, _, p3])) => Some(p3),
        }
    }

    /// Returns every lane the plane has with its value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Lane, &T)> {
        Lane::ALL.into_iter().filter_map(|lane| self.find(lane).map(|value| (lane, value)))
    }

    /// Returns the values of every lane the plane has.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        core::iter::once(&mut self.first).chain(self.others.as_deref_mut().into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_memory_has_four_lanes_and_a_stream_one() {
        for (plane, expected) in [
            (Plane::Stream, [Some(1), None, None, None]),
            (Plane::SharedMemory, [Some(1), Some(2), Some(3), Some(4)]),
        ] {
            let mut next = 0;
            let mut lanes = Lanes::new(plane, || {
                next += 1;
                Ok(next)
            })
            .unwrap();
            assert_eq!(Lane::ALL.map(|lane| lanes.find(lane).copied()), expected);
            assert_eq!(Lane::ALL.map(|lane| *lanes.of_mut(lane)), expected.map(|value| value.unwrap_or(1)));
            let count = expected.iter().flatten().count();
            assert_eq!((lanes.iter().count(), lanes.iter_mut().count()), (count, count));
            assert!(lanes.iter().all(|(lane, value)| expected[usize::from(lane.byte())] == Some(*value)));
        }
    }
}
