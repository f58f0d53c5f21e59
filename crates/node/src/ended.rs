//! How a session ended, the same for streams and shared memory.

use eipc_core::{CloseFrame, Code, Error};

use crate::error::Outcome;

/// The end of a session.
pub(crate) struct Ended {
    code: i32,
    by_peer: bool,
    context: String,
    reason: u8,
}

impl Ended {
    /// Something was wrong; the session cannot go on.
    pub(crate) fn by_fault(error: &Error) -> Self {
        Self { code: error.code.value(), by_peer: false, context: error.context.to_string(), reason: 0 }
    }

    /// The segment was given up: one code for the caller, the precise reason for the audit.
    pub(crate) fn by_poison(error: &Error) -> Self {
        let context = match error.code {
            Code::Poisoned => error.context.to_string(),
            code => format!("{}: {}", code.name(), error.context),
        };
        Self { code: Code::Poisoned.value(), by_peer: false, context, reason: 0 }
    }

    /// Authenticated close: `frame` is the peer's X where one came first.
    pub(crate) fn by_agreement(frame: Option<&CloseFrame>) -> Self {
        Self {
            code: 0,
            by_peer: frame.is_some(),
            context: String::new(),
            reason: frame.map_or(0, |x| x.reason as u8),
        }
    }

    /// The peer ended its half of the stream first, which in v1 is all there is to say.
    pub(crate) const fn by_peer() -> Self {
        Self { code: 0, by_peer: true, context: String::new(), reason: 0 }
    }

    /// As JavaScript sees it.
    pub(crate) fn outcome(&self) -> Outcome {
        Outcome {
            code: self.code,
            by_peer: self.by_peer,
            context: self.context.clone(),
            reason: self.reason,
            is_hello_forged: None,
        }
    }
}
