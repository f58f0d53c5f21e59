//! Delivery on the event loop's own thread: spin for a moment after activity, then sleep on the doorbell.
//!
//! One poller per thread. A session that saw traffic joins the *hot* set; right before the loop would sleep the poller looks at the
//! hot sessions' rings for a short, adaptive time, yielding the core while it does (docs/decisions/0002). What it finds is delivered
//! on the spot. What it does not find parks: the session sets its waiting flag, looks once more, and the loop sleeps until the
//! doorbell. Nothing here knows frames or sessions beyond the [`Spinning`] trait, nor which event loop this is.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use eipc_core::Time;
use napi::bindgen_prelude::*;
use napi::sys;
use napi_derive::napi;

use crate::callback::Callback;
use crate::cleanup;
use crate::clock;
use crate::event_loop::{EventLoop, LibuvLoop, PlainLoop};
use crate::patience::{Patience, SPIN};
use crate::pause::{Core, Pauses};

mod answers;
mod urgent;

use answers::Answers;

/// How a session waits for its peer (`wait` of the options).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Spin while spinning pays, then park.
    Adaptive,
    /// Never spin.
    Park,
    /// Never park.
    Poll,
}

/// A session whose peer publishes without a system call.
pub(crate) trait Spinning {
    /// Whether there is something to deliver: a look at shared memory, no system call.
    fn look(&self) -> bool;
    /// Whether a P0 message is among it.
    fn look_for_urgent(&self) -> bool;
    /// Runs the session's JavaScript callback.
    fn deliver(&self);
    /// The same from inside another session's.
    fn deliver_nested(&self);
    /// Announces sleep to the peer and looks once more: true = there is something after all, and no sleep is announced.
    fn park(&self) -> bool;
    /// How this session waits.
    fn wait(&self) -> Wait;
    /// Whether it is in the hot set: the poller's own mark.
    fn hot(&self) -> &Cell<bool>;
}

/// The longest the loop is kept from its other work while messages keep coming.
const TURN: Duration = Duration::from_micros(250);
/// The same where P0 messages come: one of another connection may be among the other work, as a doorbell.
const SHORT_TURN: Duration = Duration::from_micros(25);
/// The longest it is kept from other work of which nothing is known.
const SLICE: Duration = Duration::from_micros(20);

/// Whether any session of a set polls for ever, and whether any waits adaptively.
#[derive(Clone, Copy, Default)]
struct Waits {
    polling: bool,
    patient: bool,
}

/// What the poller did so far.
#[napi(object)]
pub struct PollerStats {
    /// Whether libuv's functions are used.
    pub is_on_libuv: bool,
    /// Spins started.
    pub spins: f64,
    /// Spins that found something.
    pub hits: f64,
    /// Times a session went to sleep.
    pub parks: f64,
}

pub(crate) struct PollerInner {
    event_loop: Rc<dyn EventLoop>,
    hot: RefCell<Vec<Weak<dyn Spinning>>>,
    patience: Patience,
    answers: Answers,
    /// Since when a look that other work interrupted has found nothing.
    looking_since: Cell<Option<Instant>>,
    /// Streams: keep the loop turning until then.
    turning_until: Cell<Option<Instant>>,
    /// Until when P0 messages are expected.
    urgent_until: Cell<Time>,
    /// Set from the delivery of a session to its first receive call.
    begins_delivery: Cell<bool>,
    core: Core,
    spins: Cell<u64>,
    hits: Cell<u64>,
    parks: Cell<u64>,
    /// What must be closed before the environment goes: sessions and listeners.
    closers: RefCell<Vec<Weak<dyn Closing>>>,
}

/// Something that holds handles of the loop.
pub(crate) trait Closing {
    /// Closes every handle and descriptor, without a word to the peer.
    fn close_now(&self);
}

impl PollerInner {
    /// What is known of the core this thread runs on.
    pub(crate) const fn core(&self) -> &Core {
        &self.core
    }

    pub(crate) fn event_loop(&self) -> &dyn EventLoop {
        &*self.event_loop
    }

    /// Registers what has to be closed when the environment ends.
    pub(crate) fn adopt(&self, closing: Weak<dyn Closing>) {
        let mut closers = self.closers.borrow_mut();
        closers.retain(|held| held.strong_count() > 0);
        closers.push(closing);
    }

    /// A session saw or caused traffic: look at it before the next sleep.
    pub(crate) fn heat<S: Spinning + 'static>(&self, session: &Rc<S>) {
        if !session.hot().replace(true) {
            let session: Weak<S> = Rc::downgrade(session);
            self.hot.borrow_mut().push(session);
        }
        self.event_loop.look_before_sleep();
    }

    /// A doorbell rang.
    pub(crate) fn woken(&self) {
        self.patience.woken();
    }

    /// Runs before the loop sleeps.
    fn look(&self) {
        let other_work = self.event_loop.has_other_work();
        let begun = Instant::now();
        let interrupted = self.looking_since.take();
        let mut since = interrupted.unwrap_or(begun);
        let mut budget = self.patience.length();
        let mut waits = None;
        let mut pauses = Pauses::on(&self.core);
        self.spins.set(self.spins.get() + u64::from(interrupted.is_none() && !budget.is_zero()));
        loop {
            if self.deliver_what_came() {
                let now = Instant::now();
                self.hits.set(self.hits.get() + 1);
                self.patience.found();
                // JavaScript ran: whatever it started (timers, immediates, I/O) must not wait long.
                if self.event_loop.has_other_work() != Some(false) || now.duration_since(begun) >= self.turn()
                {
                    self.event_loop.look_again();
                    return;
                }
                since = now;
                budget = self.patience.length();
                waits = None;
                continue;
            }
            if !waits.get_or_insert_with(|| self.waits()).patient {
                break;
            }
            if pauses.is_clock_due() {
                let now = Instant::now();
                if now.duration_since(since) >= budget {
                    break;
                }
                // A program that is busy does not sleep: to park would only cost its peer a doorbell.
                let is_over = match other_work {
                    Some(is_due) => is_due && !self.answers.are_due(now),
                    None => now.duration_since(begun) >= SLICE,
                };
                if is_over {
                    self.looking_since.set(Some(since));
                    self.event_loop.look_again();
                    return;
                }
            }
            pauses.take();
        }
        self.patience.gave_up(since, !budget.is_zero());
        self.cool_down(waits.is_some_and(|waits| waits.polling));
    }

    fn turn(&self) -> Duration {
        if self.is_urgent(clock::recently()) { SHORT_TURN } else { TURN }
    }

    /// Looks at every hot session once. Delivering runs JavaScript, which may heat others: they are looked at in the same round.
    fn deliver_what_came(&self) -> bool {
        let mut found = false;
        self.for_each_hot(|session| {
            if session.look() {
                found = true;
                self.begins_delivery.set(true);
                session.deliver();
                self.begins_delivery.set(false);
            }
        });
        found
    }

    /// Shows every hot session, also those that became hot meanwhile. Nothing is borrowed while it does.
    fn for_each_hot(&self, mut look: impl FnMut(&dyn Spinning)) {
        let mut index = 0;
        while let Some(session) = self.hot_session(index) {
            if let Some(session) = session {
                look(&*session);
            }
            index += 1;
        }
    }

    /// The session at a place of the hot set, unless it is gone.
    fn hot_session(&self, index: usize) -> Option<Option<Rc<dyn Spinning>>> {
        self.hot.borrow().get(index).map(Weak::upgrade)
    }

    /// How the hot sessions wait.
    fn waits(&self) -> Waits {
        let hot = self.hot.borrow();
        hot.iter().filter_map(Weak::upgrade).fold(Waits::default(), |waits, session| {
            let wait = session.wait();
            Waits {
                polling: waits.polling | (wait == Wait::Poll),
                patient: waits.patient | (wait == Wait::Adaptive),
            }
        })
    }

    /// Nothing came: park every session that may sleep, and let the loop sleep if all do.
    fn cool_down(&self, has_polling: bool) {
        let hot = self.hot.take();
        let mut late = Vec::new();
        let mut kept: Vec<Weak<dyn Spinning>> = Vec::new();
        let may_poll = self.event_loop.may_look_for_ever();
        for session in hot.iter().filter_map(Weak::upgrade) {
            if session.wait() == Wait::Poll && may_poll {
                kept.push(Rc::downgrade(&session));
                continue;
            }
            self.parks.set(self.parks.get() + 1);
            if session.park() {
                kept.push(Rc::downgrade(&session));
                late.push(session);
            } else {
                session.hot().set(false);
            }
        }
        self.hot.borrow_mut().append(&mut kept);
        let is_turning = self.turning_until.get().is_some_and(|until| Instant::now() < until);
        if is_turning {
            // A loop that only turns must not keep the peer from a core they share.
            std::thread::yield_now();
        } else {
            self.turning_until.set(None);
        }
        if (has_polling && may_poll) || is_turning || !late.is_empty() {
            self.event_loop.look_again();
        } else {
            self.event_loop.rest();
        }
        for session in late {
            session.deliver();
        }
    }

    /// Streams: keeps the loop from sleeping for the length of one spin, so that the next chunk is read without a slow wake.
    fn keep_turning(&self) {
        self.turning_until.set(Some(Instant::now() + SPIN));
        self.event_loop.look_again();
    }

    fn close(&self, done: Box<dyn FnOnce()>) {
        let closers = self.closers.take();
        for closing in closers.iter().filter_map(Weak::upgrade) {
            closing.close_now();
        }
        self.event_loop.close(done);
    }
}

/// The poller of this thread. Made once by the JavaScript module.
#[napi]
pub struct Poller {
    inner: Rc<PollerInner>,
    /// The loop that `turn` is for.
    plain: Option<Rc<PlainLoop>>,
}

impl Poller {
    pub(crate) fn inner(&self) -> &Rc<PollerInner> {
        &self.inner
    }
}

#[napi]
impl Poller {
    /// Attaches to the event loop of this thread: through libuv if it may and can, otherwise through `turnLater`, which then has to
    /// see to it that `turn` is called once, soon, after other work.
    #[napi(constructor)]
    pub fn new(
        env: &Env,
        may_use_libuv: bool,
        #[napi(ts_arg_type = "() => void")] turn_later: Unknown<'_>,
    ) -> Result<Self> {
        let mut plain = None;
        let event_loop: Rc<dyn EventLoop> = match libuv_loop(env).filter(|_| may_use_libuv) {
            Some(libuv) => Rc::new(libuv),
            None => {
                let turn_later = Callback::nested(env.raw(), turn_later.raw())?;
                let made = Rc::new(PlainLoop::new(env, turn_later)?);
                plain = Some(Rc::clone(&made));
                made
            }
        };
        let inner = Rc::new(PollerInner {
            event_loop,
            hot: RefCell::new(Vec::new()),
            patience: Patience::new(),
            answers: Answers::new(),
            looking_since: Cell::new(None),
            turning_until: Cell::new(None),
            urgent_until: Cell::new(Time(0)),
            begins_delivery: Cell::new(false),
            core: Core::default(),
            spins: Cell::new(0),
            hits: Cell::new(0),
            parks: Cell::new(0),
            closers: RefCell::new(Vec::new()),
        });
        let weak = Rc::downgrade(&inner);
        inner.event_loop.on_look(Box::new(move || {
            if let Some(inner) = weak.upgrade() {
                inner.look();
            }
        }))?;
        let closing = Rc::clone(&inner);
        cleanup::before_exit(env.raw(), Box::new(move |done| closing.close(done)))?;
        Ok(Self { inner, plain })
    }

    /// Does what `turnLater` was called for.
    #[napi]
    pub fn turn(&self) {
        if let Some(plain) = &self.plain {
            plain.turn();
        }
    }

    /// Streams: something was sent or received; do not let the loop sleep for a moment.
    #[napi]
    pub fn keep_turning(&self) {
        self.inner.keep_turning();
    }

    /// Delivers the P0 messages that wait at the sessions of this thread: to be called between receiving and handling, when a receive call
    /// says that there are some.
    #[napi]
    pub fn deliver_urgent(&self) {
        self.inner.deliver_urgent();
    }

    /// Counts spins, hits and parks since the start.
    #[napi]
    pub fn stats(&self) -> PollerStats {
        #[allow(clippy::cast_precision_loss, reason = "counters below 2^53")]
        let count = |cell: &Cell<u64>| cell.get() as f64;
        PollerStats {
            is_on_libuv: self.plain.is_none(),
            spins: count(&self.inner.spins),
            hits: count(&self.inner.hits),
            parks: count(&self.inner.parks),
        }
    }
}

/// The loop of this thread through libuv; `None` where this runtime has none to call.
fn libuv_loop(env: &Env) -> Option<LibuvLoop> {
    let mut event_loop = std::ptr::null_mut();
    // SAFETY: the environment is the running one; the out-pointer is a local.
    let status = unsafe { sys::napi_get_uv_event_loop(env.raw(), &mut event_loop) };
    if status != sys::Status::napi_ok || event_loop.is_null() {
        return None;
    }
    // SAFETY: Node's loop of this thread; every handle is closed by the cleanup hook of the poller before the loop ends.
    unsafe { LibuvLoop::find(event_loop.cast()) }
}
