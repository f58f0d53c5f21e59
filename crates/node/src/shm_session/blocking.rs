//! Waiting with the whole thread, for `receiveSync`: in a Worker that does nothing else no event loop stands between it and the segment.
//!
//! JavaScript does not run meanwhile, so that what its timer and the event loop do for a session is done here.

use std::time::Duration;

use eipc_core::Time;

use super::ShmInner;
use crate::clock;
use crate::event_loop::WRITABLE;
use crate::event_loop::poll::poll;
use crate::patience::SPIN;
use crate::pause::Pauses;
use crate::poller::Wait;
use crate::shared_link::SharedLink;

impl ShmInner {
    /// Returns when there is something to deliver or to follow, or when the time is over.
    pub(super) fn block(&self, timeout: Duration) {
        let until = clock::now().after(timeout);
        while !self.has_something() && clock::now() < until {
            if self.wait != Wait::Park && self.spin() {
                return;
            }
            if self.wait != Wait::Poll && self.link.borrow_mut().as_mut().is_none_or(SharedLink::park) {
                return;
            }
            self.sleep(until);
        }
    }

    fn has_something(&self) -> bool {
        self.has_news.get() || self.link.borrow_mut().as_mut().is_none_or(SharedLink::look)
    }

    /// Looks for a moment: true = something came.
    fn spin(&self) -> bool {
        let until = clock::now().after(SPIN);
        let mut pauses = Pauses::on(self.poller.core());
        while !self.has_something() {
            if pauses.is_clock_due() && clock::now() >= until {
                return false;
            }
            pauses.take();
        }
        true
    }

    /// Waits for the control socket until a deadline, the session's own or `until`, and does what is due then. Who polls for ever only asks.
    fn sleep(&self, until: Time) {
        let deadline = self.deadline().map_or(until, |deadline| deadline.min(until));
        let asks = self.wait == Wait::Poll;
        let milliseconds = if asks { 0 } else { clock::milliseconds_between(clock::now(), deadline) };
        let Some((fd, interest)) =
            self.link.borrow().as_ref().map(|link| (link.descriptor(), link.interest()))
        else {
            return;
        };
        let writes = if interest & WRITABLE == 0 { 0 } else { libc::POLLOUT };
        let mut polled = [libc::pollfd { fd, events: libc::POLLIN | writes, revents: 0 }];
        poll(&mut polled, i32::try_from(milliseconds).unwrap_or(i32::MAX));
        let now = clock::now();
        // An end and an error are found by reading, which writes what waits as well.
        if polled.iter().any(|polled| polled.revents != 0) {
            self.with(|link| link.read_control(now));
        }
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.with(|link| link.handle_timeout(now));
        }
    }
}
