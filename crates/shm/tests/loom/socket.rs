//! The control socket of a model, one direction of it: doorbells, a goodbye, the end of stream; and whoever sleeps on it.
//!
//! Writing and reading it orders memory as the kernel's lock does; it orders nothing for a reader that has not read.

use std::sync::{Arc, Mutex};

use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread::{self, Thread};

/// Unread doorbells. One is as good as many: a read takes all, and a ring that finds the socket full is left out.
const RUNG: u32 = 1;
/// What is there once everything before it was read.
const CLOSED: u32 = 2;

/// One direction of a control socket.
#[derive(Clone)]
pub(crate) struct Socket(Arc<Inner>);

struct Inner {
    unread: AtomicU32,
    /// Whoever waits in `read`. Not loom's: between a look at `unread` and going to sleep, loom runs nobody else.
    sleeper: Mutex<Option<Thread>>,
}

/// What a read found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Read {
    Doorbell,
    End,
}

impl Socket {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner { unread: AtomicU32::new(0), sleeper: Mutex::default() }))
    }

    pub(crate) fn ring(&self) {
        self.write(RUNG);
    }

    /// What the kernel does for a process that closes its end or dies.
    pub(crate) fn close(&self) {
        self.write(CLOSED);
    }

    fn write(&self, what: u32) {
        self.0.unread.fetch_or(what, Ordering::AcqRel);
        if let Some(sleeper) = self.0.sleeper.lock().unwrap().take() {
            sleeper.unpark();
        }
    }

    /// Sleeps until there is something to read. Where nobody ever writes, loom reports a deadlock: a lost wake-up.
    pub(crate) fn read(&self) -> Read {
        loop {
            match self.0.unread.fetch_and(!RUNG, Ordering::AcqRel) {
                0 => {}
                CLOSED => return Read::End,
                _ => return Read::Doorbell,
            }
            *self.0.sleeper.lock().unwrap() = Some(thread::current());
            thread::park();
        }
    }
}
