//! What the poller does for P0 messages: it expects the next, waits for answers, and lets none of one session wait for the bulk of another.

use std::rc::Weak;
use std::time::Duration;

use eipc_core::Time;

use super::{PollerInner, Spinning};

/// How long after a P0 message the next one is expected.
const URGENCY: Duration = Duration::from_millis(20);
/// Sessions that are looked at between verifying another one's bulk and handling it. Each costs that bulk a few nanoseconds.
const LOOKED_AT_BESIDES: usize = 64;

impl PollerInner {
    /// A P0 message came: others will, and are not to wait for bulk.
    pub(crate) fn note_urgent(&self, now: Time) {
        self.urgent_until.set(now.after(URGENCY));
        self.answers.came();
    }

    /// A P0 message was sent: its answer is not to wait for other work.
    pub(crate) fn note_asked(&self) {
        self.answers.asked();
    }

    /// Whether P0 messages come these days.
    pub(crate) fn is_urgent(&self, now: Time) -> bool {
        now < self.urgent_until.get()
    }

    /// Whether the poller is delivering the session that receives now. True once for each delivery: what its handlers do is their own business,
    /// and what is delivered in between (`deliver_urgent`) goes no deeper.
    pub(crate) fn begins_delivery(&self) -> bool {
        self.begins_delivery.take()
    }

    /// Whether a P0 message waits at another session than this one.
    pub(crate) fn has_urgent_besides<S: Spinning>(&self, session: &S) -> bool {
        let hot = self.hot.borrow();
        let others = hot.iter().filter(|other| !std::ptr::addr_eq(other.as_ptr(), session));
        others.take(LOOKED_AT_BESIDES).filter_map(Weak::upgrade).any(|other| other.look_for_urgent())
    }

    /// Delivers the P0 messages of every session from inside the callback of one.
    pub(super) fn deliver_urgent(&self) {
        self.for_each_hot(|session| {
            if session.look_for_urgent() {
                session.deliver_nested();
            }
        });
    }
}
