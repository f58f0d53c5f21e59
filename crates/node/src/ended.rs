//! How a session ended, the same for streams and shared memory.

use eipc_core::{CloseFrame, Code, Error};

use crate::error::Outcome;

/// The end of a session.
pub(crate) struct Ended {
    code: i32,
    by_peer: bool,
    context: String,
    reason: u8,
    is_hello_forged: bool,
}

impl Ended {
    /// Something was wrong; the session cannot go on.
    pub(crate) fn by_fault(error: &Error) -> Self {
        Self::new(error.code.value(), false, error.context.to_string(), 0)
    }

    /// The segment was given up: one code for the caller, the precise reason for the audit.
    pub(crate) fn by_poison(error: &Error) -> Self {
        let context = match error.code {
            Code::Poisoned => error.context.to_string(),
            code => format!("{}: {}", code.name(), error.context),
        };
        Self::new(Code::Poisoned.value(), false, context, 0)
    }

    /// Authenticated close: `frame` is the peer's X where one came first.
    pub(crate) fn by_agreement(frame: Option<&CloseFrame>) -> Self {
        Self::new(0, frame.is_some(), String::new(), frame.map_or(0, |x| x.reason as u8))
    }

    /// The peer ended its half of the stream first, which in v1 is all there is to say.
    pub(crate) const fn by_peer() -> Self {
        Self::new(0, true, String::new(), 0)
    }

    const fn new(code: i32, by_peer: bool, context: String, reason: u8) -> Self {
        Self { code, by_peer, context, reason, is_hello_forged: false }
    }

    /// Notes whether it ended because the client's first message proved no key.
    pub(crate) fn with_hello_forged(self, is_hello_forged: bool) -> Self {
        Self { is_hello_forged, ..self }
    }

    /// What a call fails with that comes after it.
    pub(crate) fn code(&self) -> Code {
        Code::from_value(self.code).unwrap_or(Code::Closed)
    }

    /// As JavaScript sees it.
    pub(crate) fn outcome(&self) -> Outcome {
        Outcome {
            code: self.code,
            by_peer: self.by_peer,
            context: self.context.clone(),
            reason: self.reason,
            is_hello_forged: self.is_hello_forged.then_some(true),
        }
    }
}
