//! Who may send the next `S` frame, and when shared memory may be used: offer by the server, one answer
//! by the client, then use (`docs/wire.md`; the payloads are those of the shared-memory crate).

use super::suite::Role;
use crate::error::{Code, Error, Result};

/// How far the hand-over of a segment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handover {
    Idle,
    Offered,
    Answered,
    InUse,
}

impl Handover {
    /// Steps over an `S` frame that `sender` sends.
    pub(crate) fn step(&mut self, sender: Role) -> Result<()> {
        *self = match (*self, sender) {
            (Self::Idle, Role::Server) => Self::Offered,
            (Self::Offered, Role::Client) => Self::Answered,
            _ => return Err(Error::new(Code::Protocol, "hand-over out of order")),
        };
        Ok(())
    }

    /// Steps into use, which is possible once and only behind the client's answer.
    pub(crate) fn enter_use(&mut self) -> Result<()> {
        if *self != Self::Answered {
            return Err(Error::new(Code::Protocol, "the segment is not handed over"));
        }
        *self = Self::InUse;
        Ok(())
    }
}
