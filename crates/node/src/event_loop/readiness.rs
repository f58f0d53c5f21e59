//! A thread that waits until descriptors are ready, for runtimes whose own loop cannot watch them without reading.
//!
//! It sleeps in `poll(2)` and touches no descriptor. One report a request: what was reported is watched again only when the owner
//! says so, so a descriptor that nobody reads wakes nobody twice.

use std::ffi::c_int;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use super::poll::{FOR_EVER, poll};
use super::{READABLE, WRITABLE};

/// The owner's end. Dropping it ends the thread.
pub(crate) struct Readiness {
    requests: Arc<Mutex<Requests>>,
    /// A byte in it wakes the thread.
    nudge: UnixStream,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Requests {
    watched: Vec<Watched>,
    ready: Vec<(u64, c_int)>,
    is_over: bool,
}

struct Watched {
    id: u64,
    descriptor: c_int,
    events: c_int,
}

impl Readiness {
    /// Starts the thread. It calls `report` whenever there is something to take.
    pub(crate) fn start(report: impl Fn() + Send + 'static) -> io::Result<Self> {
        let (nudge, nudged) = UnixStream::pair()?;
        nudge.set_nonblocking(true)?;
        nudged.set_nonblocking(true)?;
        let requests = Arc::new(Mutex::new(Requests::default()));
        let shared = Arc::clone(&requests);
        let thread = Builder::new()
            .name("eipc-readiness".to_owned())
            .spawn(move || wait_for_ever(&shared, &nudged, &report))?;
        Ok(Self { requests, nudge, thread: Some(thread) })
    }

    /// Waits for events of a descriptor, once; 0 stops waiting. A later request for the same id replaces this one.
    pub(crate) fn request(&self, id: u64, descriptor: c_int, events: c_int) {
        {
            let mut requests = locked(&self.requests);
            requests.watched.retain(|watched| watched.id != id);
            if events != 0 {
                requests.watched.push(Watched { id, descriptor, events });
            }
        }
        self.wake();
    }

    /// Takes what was ready since last asked: ids and events.
    pub(crate) fn take(&self) -> Vec<(u64, c_int)> {
        std::mem::take(&mut locked(&self.requests).ready)
    }

    fn wake(&self) {
        // A full pipe wakes as well.
        let _: io::Result<usize> = (&self.nudge).write(&[0]);
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        locked(&self.requests).is_over = true;
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It never waits for this thread: it holds the lock for moments and sleeps in poll only.
            let _: std::thread::Result<()> = thread.join();
        }
    }
}

fn wait_for_ever(requests: &Mutex<Requests>, mut nudged: &UnixStream, report: &dyn Fn()) {
    let mut polled = Vec::new();
    let mut ids = Vec::new();
    loop {
        polled.clear();
        ids.clear();
        polled.push(libc::pollfd { fd: nudged.as_raw_fd(), events: libc::POLLIN, revents: 0 });
        {
            let requests = locked(requests);
            if requests.is_over {
                return;
            }
            for watched in &requests.watched {
                ids.push(watched.id);
                polled.push(libc::pollfd {
                    fd: watched.descriptor,
                    events: asked(watched.events),
                    revents: 0,
                });
            }
        }
        poll(&mut polled, FOR_EVER);
        // Whatever was written meanwhile: the requests are read anew.
        while matches!(nudged.read(&mut [0; 64]), Ok(length) if length > 0) {}
        if note_ready(requests, &ids, polled.get(1..).unwrap_or_default()) {
            report();
        }
    }
}

/// Moves what is ready from the requests to the reports. True if that is anything.
fn note_ready(requests: &Mutex<Requests>, ids: &[u64], polled: &[libc::pollfd]) -> bool {
    let mut requests = locked(requests);
    let mut found = false;
    for (id, polled) in ids.iter().zip(polled) {
        let events = answered(polled.revents);
        if events == 0 {
            continue;
        }
        // A request that was taken back meanwhile is not reported: its descriptor's number may be another file's by now.
        let is_asked = |watched: &Watched| watched.id == *id && watched.descriptor == polled.fd;
        if let Some(index) = requests.watched.iter().position(is_asked) {
            requests.watched.swap_remove(index);
            requests.ready.push((*id, events));
            found = true;
        }
    }
    found
}

fn asked(events: c_int) -> i16 {
    let read = if events & READABLE == 0 { 0 } else { libc::POLLIN };
    let write = if events & WRITABLE == 0 { 0 } else { libc::POLLOUT };
    read | write
}

/// An end and an error are found by reading.
fn answered(revents: i16) -> c_int {
    let read = if revents & !libc::POLLOUT == 0 { 0 } else { READABLE };
    let write = if revents & libc::POLLOUT == 0 { 0 } else { WRITABLE };
    read | write
}

/// No code that holds the lock can panic; if it did, the lists would still be whole.
fn locked(requests: &Mutex<Requests>) -> MutexGuard<'_, Requests> {
    requests.lock().unwrap_or_else(PoisonError::into_inner)
}
