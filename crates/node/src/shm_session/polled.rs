//! A session as the poller sees it.

use std::cell::Cell;

use super::ShmInner;
use crate::poller::{Closing, Spinning, Wait};
use crate::shared_link::SharedLink;

impl Spinning for ShmInner {
    fn look(&self) -> bool {
        self.link.borrow_mut().as_mut().is_some_and(SharedLink::look)
    }

    fn look_for_urgent(&self) -> bool {
        self.link.borrow().as_ref().is_some_and(SharedLink::has_urgent_data)
    }

    fn deliver(&self) {
        self.callback.call();
    }

    fn deliver_nested(&self) {
        self.callback.call_nested();
    }

    fn park(&self) -> bool {
        self.link.borrow_mut().as_mut().is_some_and(SharedLink::park)
    }

    fn wait(&self) -> Wait {
        // A session that ended or is not open yet has nothing to poll for.
        if self.state_word() == 1 { self.wait } else { Wait::Park }
    }

    fn hot(&self) -> &Cell<bool> {
        &self.is_hot
    }
}

impl Closing for ShmInner {
    fn close_now(&self) {
        self.link.take();
        self.watch.take();
        self.callback.release();
    }
}
