//! An event loop of which only Node-API is known: JavaScript turns it, a thread tells which descriptors are ready.
//!
//! `setImmediate` is what a JavaScript program has to run again after everything else had its turn. It cannot be asked whether anything
//! else waits, so looking is done in short slices (see `poller`). Nothing here runs while nothing happens.

use std::cell::{Cell, RefCell};
#[cfg(unix)]
use std::collections::HashMap;
#[cfg(unix)]
use std::ffi::c_int;
#[cfg(unix)]
use std::rc::{Rc, Weak};

use napi::bindgen_prelude::*;

use super::EventLoop;
#[cfg(unix)]
use super::{OnReady, Watch, bell::Bell, readiness::Readiness};
use crate::callback::Callback;

/// The loop of this thread, through `setImmediate` and a thread.
pub(crate) struct PlainLoop {
    /// `setImmediate(() => poller.turn())`
    turn_later: Callback,
    is_turn_due: Cell<bool>,
    wants_look: Cell<bool>,
    look: RefCell<Option<Box<dyn Fn()>>>,
    #[cfg(unix)]
    watches: Rc<Watches>,
}

impl PlainLoop {
    /// `turn_later` makes JavaScript call [`PlainLoop::turn`] once, after what else it has to do now.
    pub(crate) fn new(
        #[cfg_attr(not(unix), allow(unused, reason = "nothing to watch"))] env: &Env,
        turn_later: Callback,
    ) -> Result<Self> {
        Ok(Self {
            turn_later,
            is_turn_due: Cell::new(false),
            wants_look: Cell::new(false),
            look: RefCell::new(None),
            #[cfg(unix)]
            watches: Watches::new(env)?,
        })
    }

    /// A turn that was asked for.
    pub(crate) fn turn(&self) {
        self.is_turn_due.set(false);
        if self.wants_look.take()
            && let Some(look) = self.look.borrow().as_ref()
        {
            look();
        }
    }
}

impl EventLoop for PlainLoop {
    fn on_look(&self, look: Box<dyn Fn()>) -> Result<()> {
        *self.look.borrow_mut() = Some(look);
        Ok(())
    }

    fn look_before_sleep(&self) {
        self.wants_look.set(true);
        if !self.is_turn_due.replace(true) {
            self.turn_later.call_nested();
        }
    }

    fn look_again(&self) {
        self.look_before_sleep();
    }

    fn rest(&self) {
        self.wants_look.set(false);
    }

    fn has_other_work(&self) -> Option<bool> {
        None
    }

    /// A pending `setImmediate` keeps the process alive.
    fn may_look_for_ever(&self) -> bool {
        #[cfg(unix)]
        return self.watches.keep_alive.get() > 0;
        #[cfg(not(unix))]
        return false;
    }

    #[cfg(unix)]
    fn watch(&self, descriptor: c_int, on_ready: OnReady) -> Result<Box<dyn Watch>> {
        Ok(Box::new(self.watches.add(descriptor, on_ready)?))
    }

    fn close(&self, done: Box<dyn FnOnce()>) {
        self.look.take();
        self.turn_later.release();
        #[cfg(unix)]
        self.watches.end();
        done();
    }
}

/// The descriptors that are watched, on the loop's own thread.
#[cfg(unix)]
struct Watches {
    bell: RefCell<Option<Bell>>,
    /// Started with the first watch. Declared and ended before the bell, whose rope it pulls.
    readiness: RefCell<Option<Readiness>>,
    all: RefCell<HashMap<u64, Rc<Watched>>>,
    last_id: Cell<u64>,
    /// How many watches want the process to live.
    keep_alive: Cell<usize>,
}

#[cfg(unix)]
struct Watched {
    descriptor: c_int,
    events: Cell<c_int>,
    is_referenced: Cell<bool>,
    on_ready: OnReady,
}

#[cfg(unix)]
impl Watched {
    fn keeps_alive(&self) -> bool {
        self.is_referenced.get() && self.events.get() != 0
    }
}

#[cfg(unix)]
impl Watches {
    fn new(env: &Env) -> Result<Rc<Self>> {
        let watches = Rc::new(Self {
            bell: RefCell::new(None),
            readiness: RefCell::new(None),
            all: RefCell::new(HashMap::new()),
            last_id: Cell::new(0),
            keep_alive: Cell::new(0),
        });
        let weak = Rc::downgrade(&watches);
        let on_ring = Box::new(move || {
            if let Some(watches) = weak.upgrade() {
                watches.run_ready();
            }
        });
        *watches.bell.borrow_mut() = Some(Bell::new(env, "eipc:ready", on_ring)?);
        Ok(watches)
    }

    fn add(self: &Rc<Self>, descriptor: c_int, on_ready: OnReady) -> Result<WatchById> {
        self.start_thread()?;
        let id = self.last_id.get() + 1;
        self.last_id.set(id);
        let (events, is_referenced) = (Cell::new(0), Cell::new(true));
        let watched = Rc::new(Watched { descriptor, events, is_referenced, on_ready });
        self.all.borrow_mut().insert(id, Rc::clone(&watched));
        Ok(WatchById { id, watched, watches: Rc::downgrade(self) })
    }

    fn start_thread(&self) -> Result<()> {
        let mut readiness = self.readiness.borrow_mut();
        if readiness.is_some() {
            return Ok(());
        }
        let bell = self.bell.borrow();
        let rope =
            bell.as_ref().map(Bell::rope).ok_or_else(|| Error::from_reason("this thread is ending"))?;
        let started = Readiness::start(move || rope.ring());
        *readiness = Some(started.map_err(|error| {
            Error::from_reason(format!("the thread that watches sockets did not start: {error}"))
        })?);
        Ok(())
    }

    fn request(&self, id: u64, watched: &Watched) {
        if let Some(readiness) = self.readiness.borrow().as_ref() {
            readiness.request(id, watched.descriptor, watched.events.get());
        }
    }

    fn run_ready(&self) {
        let ready = self.readiness.borrow().as_ref().map(Readiness::take).unwrap_or_default();
        for (id, events) in ready {
            // Nothing is borrowed while it runs: it calls JavaScript, which may end or begin any watch, this one too.
            let watched = self.all.borrow().get(&id).filter(|watched| watched.events.get() != 0).cloned();
            let Some(watched) = watched else { continue };
            (watched.on_ready)(events);
            if self.all.borrow().contains_key(&id) && watched.events.get() != 0 {
                self.request(id, &watched);
            }
        }
    }

    /// Notes what a change of a watch did to the number of those that keep the process alive.
    fn note(&self, kept_alive: bool, keeps_alive: bool) {
        let before = self.keep_alive.get();
        let after = before.saturating_sub(usize::from(kept_alive)) + usize::from(keeps_alive);
        self.keep_alive.set(after);
        if (before == 0) != (after == 0)
            && let Some(bell) = self.bell.borrow().as_ref()
        {
            bell.set_referenced(after > 0);
        }
    }

    fn end(&self) {
        self.readiness.take(); // joined here: nobody rings after this
        self.bell.take();
    }
}

/// One watch.
#[cfg(unix)]
struct WatchById {
    id: u64,
    watched: Rc<Watched>,
    watches: Weak<Watches>,
}

#[cfg(unix)]
impl WatchById {
    fn change(&self, change: impl FnOnce(&Watched)) {
        let kept_alive = self.watched.keeps_alive();
        change(&self.watched);
        if let Some(watches) = self.watches.upgrade() {
            watches.note(kept_alive, self.watched.keeps_alive());
        }
    }
}

#[cfg(unix)]
impl Watch for WatchById {
    fn watch_for(&self, events: c_int) {
        if self.watched.events.get() == events {
            return;
        }
        self.change(|watched| watched.events.set(events));
        if let Some(watches) = self.watches.upgrade() {
            watches.request(self.id, &self.watched);
        }
    }

    fn set_referenced(&self, referenced: bool) {
        self.change(|watched| watched.is_referenced.set(referenced));
    }
}

#[cfg(unix)]
impl Drop for WatchById {
    fn drop(&mut self) {
        self.watch_for(0);
        if let Some(watches) = self.watches.upgrade() {
            watches.all.borrow_mut().remove(&self.id);
        }
    }
}
