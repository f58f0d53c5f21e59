//! EIPC/2 over shared memory: what JavaScript sees of one connection.
//!
//! The state itself (socket, handshake, rings) is [`SharedLink`]; this file binds it to the event loop: the poll handle of the
//! control socket, the spin of the poller, the callback that says "look at me", and the calls JavaScript makes. No borrow of the
//! link is held while JavaScript runs.

use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::rc::{Rc, Weak};
use std::time::Duration;

use eipc_core::{Code, Error as Fault, Time};
use napi::bindgen_prelude::*;
use napi::sys;
use napi_derive::napi;

use crate::batch::{Delivery, flag};
use crate::callback::Callback;
use crate::clock;
use crate::ended::Ended;
use crate::error::{Outcome, exception, internal};
use crate::event_loop::{READABLE, WRITABLE, Watch};
use crate::hot;
use crate::key::NativeKey;
use crate::options::{self, NativeAddress, NativeClientOptions, SessionInfo};
use crate::poller::{Closing, Poller, PollerInner, Wait};
use crate::shared_link::SharedLink;
use crate::timer::Timer;
use crate::unix::UnixSocket;

mod blocking;
mod polled;

/// `state()`: the last of the four.
const CLOSED: u32 = 3;

pub(crate) struct ShmInner {
    link: RefCell<Option<SharedLink>>,
    /// How it ended, once `link` is gone.
    ended: RefCell<Option<Ended>>,
    info: RefCell<Option<SessionInfo>>,
    watch: RefCell<Option<Box<dyn Watch>>>,
    callback: Callback,
    poller: Rc<PollerInner>,
    wait: Wait,
    /// Whether something changed that JavaScript has not been told in a status word yet.
    has_news: Cell<bool>,
    is_hot: Cell<bool>,
    timer: Timer,
    itself: Weak<Self>,
}

impl ShmInner {
    fn start(
        poller: &Rc<PollerInner>,
        env: &Env,
        mut link: SharedLink,
        wait: Wait,
        on_event: sys::napi_value,
    ) -> Result<Rc<Self>> {
        let callback = Callback::new(env.raw(), on_event, "eipc:shm")?;
        let descriptor = link.descriptor();
        link.flush();
        let interest = link.interest();
        let inner = Rc::new_cyclic(|itself| Self {
            link: RefCell::new(Some(link)),
            ended: RefCell::new(None),
            info: RefCell::new(None),
            watch: RefCell::new(None),
            callback,
            poller: Rc::clone(poller),
            wait,
            has_news: Cell::new(false),
            is_hot: Cell::new(false),
            timer: Timer::new(),
            itself: Weak::clone(itself),
        });
        let weak = Rc::downgrade(&inner);
        let on_ready = Box::new(move |events: c_int| {
            if let Some(inner) = weak.upgrade() {
                inner.on_socket(events);
            }
        });
        let watch = poller.event_loop().watch(descriptor, on_ready)?;
        watch.watch_for(interest);
        *inner.watch.borrow_mut() = Some(watch);
        let closing: Weak<dyn Closing> = inner.itself.clone();
        poller.adopt(closing);
        Ok(inner)
    }

    /// The control socket is readable or writable. Errors show as readable: the read says what happened.
    fn on_socket(&self, events: c_int) {
        let mut tells = false;
        self.poller.woken();
        if let Some(link) = self.link.borrow_mut().as_mut() {
            if events & WRITABLE != 0 {
                link.flush();
            }
            if events & WRITABLE == 0 || events & READABLE != 0 {
                tells = link.read_control(clock::now());
            }
        }
        self.settle();
        if let Some(session) = self.itself.upgrade() {
            self.poller.heat(&session);
        }
        if tells || self.has_news.get() {
            self.callback.call();
        }
    }

    /// After any work on the link: takes it apart if it ended, and watches the socket for what it needs.
    fn settle(&self) {
        let mut slot = self.link.borrow_mut();
        let Some(link) = slot.as_mut() else { return };
        if link.take_news() {
            self.has_news.set(true);
        }
        if self.info.borrow().is_none()
            && let Some(session) = link.session()
        {
            *self.info.borrow_mut() = Some(SessionInfo::new(session));
        }
        if link.ended().is_some() {
            let ended = slot.take().and_then(SharedLink::into_ended);
            *self.ended.borrow_mut() = ended;
            self.has_news.set(true);
            self.watch.take();
        } else if let Some(watch) = self.watch.borrow().as_ref() {
            watch.watch_for(link.interest());
        }
    }

    /// Hot: `receive(slab, slabFrom, descriptors, laneMask)`.
    fn receive(self: &Rc<Self>, arguments: &mut hot::Arguments) -> Option<i32> {
        let (slab_from, lanes) = (arguments.number(1)?, u8::try_from(arguments.number(3)?).ok()?);
        let ([slab], words) = arguments.views([0], 2)?;
        let mut delivery = Delivery::new(slab, slab_from, words)?;
        let mut space = 0;
        let mut looks_besides = self.poller.begins_delivery();
        if let Some(link) = self.link.try_borrow_mut().ok()?.as_mut() {
            let now = clock::recently();
            let is_urgent = self.poller.is_urgent(now);
            looks_besides &= is_urgent;
            if link.receive(&mut delivery, lanes, is_urgent, now) {
                self.poller.note_urgent(now);
            }
            space = link.take_space();
        }
        self.settle();
        if self.has_news.take() {
            delivery.raise(flag::STATE);
        }
        if space != 0 {
            delivery.raise(flag::SPACE);
        }
        if looks_besides && delivery.has_less_urgent() && self.poller.has_urgent_besides(&**self) {
            delivery.raise(flag::URGENT_ELSEWHERE);
        }
        let (state, timeout) = (self.state_word(), self.timer.news(self.deadline()).unwrap_or(u32::MAX));
        if state != CLOSED {
            self.poller.heat(self);
        }
        if state == CLOSED {
            self.callback.release(); // JavaScript has been told; from now on nothing here keeps it alive
        }
        Some(delivery.finish(0, state, timeout, space))
    }

    /// Hot: `push(batch, length)`.
    fn push(self: &Rc<Self>, arguments: &mut hot::Arguments) -> Option<i32> {
        let length = arguments.number(1)?;
        let batch = arguments.bytes(0)?.get_mut(..length)?;
        let pushed = match self.link.try_borrow_mut().ok()?.as_mut() {
            Some(link) => link.push(batch, clock::recently()),
            None => Err(Fault::from(self.ended.borrow().as_ref().map_or(Code::Closed, Ended::code))),
        };
        match pushed {
            Ok((accepted, has_urgent)) => {
                if has_urgent {
                    self.poller.note_asked();
                }
                self.poller.heat(self);
                Some(i32::try_from(accepted).unwrap_or(i32::MAX))
            }
            Err(error) => {
                self.settle();
                Some(hot::failure(error.code))
            }
        }
    }

    fn state_word(&self) -> u32 {
        self.link.borrow().as_ref().map_or(CLOSED, SharedLink::state)
    }

    fn deadline(&self) -> Option<Time> {
        self.link.borrow().as_ref().and_then(SharedLink::deadline)
    }

    /// Runs `work` on the link if it is still there, then settles.
    fn with<T>(&self, work: impl FnOnce(&mut SharedLink) -> T) -> Option<T> {
        let done = self.link.borrow_mut().as_mut().map(work);
        self.settle();
        done
    }
}

/// One EIPC/2 connection through shared memory.
#[napi]
pub struct ShmSession {
    inner: Rc<ShmInner>,
}

/// The calls of a session that run once per batch.
#[napi(object, object_from_js = false)]
pub struct ShmCalls<'a> {
    /// Fills slab and descriptors with what arrived; returns the number of messages.
    #[napi(
        ts_type = "(slab: Uint8Array, slabFrom: number, descriptors: Uint32Array, laneMask: number) => number"
    )]
    pub receive: Unknown<'a>,
    /// Seals and pushes records in order; returns the bytes accepted, or −(error value).
    #[napi(ts_type = "(batch: Uint8Array, length: number) => number")]
    pub push: Unknown<'a>,
}

#[napi]
impl ShmSession {
    /// Starts the client's side on a connected control socket.
    #[napi(factory)]
    pub fn client(
        env: &Env,
        poller: &Poller,
        socket: &UnixSocket,
        options: NativeClientOptions,
        wait: u32,
        #[napi(ts_arg_type = "() => void")] on_event: Unknown<'_>,
    ) -> Result<Self, String> {
        let socket = socket.take().map_err(internal)?;
        let wait = wait_from(wait, socket.pid);
        let link =
            SharedLink::client(socket, options.config(true)?, options.max_segment.into(), clock::now())
                .map_err(|error| exception(&error))?;
        let inner = ShmInner::start(poller.inner(), env, link, wait, on_event.raw()).map_err(internal)?;
        Ok(Self { inner })
    }

    /// Starts the server's side on an accepted control socket.
    #[napi(factory)]
    pub fn server(
        env: &Env,
        poller: &Poller,
        socket: &UnixSocket,
        address: &NativeAddress,
        wait: u32,
        #[napi(ts_arg_type = "() => void")] on_event: Unknown<'_>,
    ) -> Result<Self, String> {
        let socket = socket.take().map_err(internal)?;
        let wait = wait_from(wait, socket.pid);
        let link = SharedLink::server(socket, address.config(), clock::now());
        let inner = ShmInner::start(poller.inner(), env, link, wait, on_event.raw()).map_err(internal)?;
        Ok(Self { inner })
    }

    /// Makes the calls that run once per batch.
    #[napi]
    pub fn calls<'a>(&self, env: &'a Env) -> Result<ShmCalls<'a>> {
        Ok(ShmCalls {
            receive: hot::function(env, &self.inner, ShmInner::receive)?,
            push: hot::function(env, &self.inner, ShmInner::push)?,
        })
    }

    /// Asks to be told when the lane has room: true = it has room now, false = `onEvent` will come.
    #[napi]
    #[must_use]
    pub fn wait_for_space(&self, lane: u32) -> bool {
        self.inner.poller.heat(&self.inner); // the next look finds the room
        self.inner.with(|link| link.wait_for_space(options::lane(lane))).unwrap_or(true)
    }

    /// Counts messages dropped here instead of sent, where the peer can see it.
    #[napi]
    pub fn note_dropped(&self, lane: u32, count: u32) {
        self.inner.with(|link| link.note_dropped(options::lane(lane), count));
    }

    /// Returns how many messages the peer says it dropped in this lane.
    #[napi]
    #[must_use]
    pub fn dropped_by_peer(&self, lane: u32) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "a counter for people")]
        self.inner.with(|link| link.dropped_by_peer(options::lane(lane)) as f64).unwrap_or(0.0)
    }

    /// Returns the milliseconds until `handleTimeout` must be called, −1 for never.
    #[napi]
    #[must_use]
    pub fn timeout_ms(&self) -> i64 {
        self.inner.timer.answer(self.inner.deadline()).map_or(-1, i64::from)
    }

    /// Tells the session that its time has come.
    #[napi]
    pub fn handle_timeout(&self) {
        self.inner.with(|link| link.handle_timeout(clock::now()));
    }

    /// Blocks the thread until there is something to receive or to follow, or for so many milliseconds.
    #[napi]
    pub fn block(&self, milliseconds: u32) {
        self.inner.block(Duration::from_millis(milliseconds.into()));
    }

    /// Starts the authenticated close; idempotent.
    #[napi]
    pub fn close(&self, reason: u32) {
        self.inner.with(|link| link.close(options::close_reason(reason), clock::now()));
    }

    /// Ends the session at once, without an authenticated close; `code` is what `outcome` will say.
    #[napi]
    pub fn destroy(&self, code: i32) {
        self.inner.with(|link| link.destroy(code));
    }

    /// 0 handshaking, 1 open, 2 closing, 3 closed.
    #[napi]
    #[must_use]
    pub fn state(&self) -> u32 {
        self.inner.state_word()
    }

    /// Returns who the peer is, once that is proved.
    #[napi]
    #[must_use]
    pub fn info(&self) -> Option<SessionInfo> {
        self.inner.info.borrow().clone()
    }

    /// Tells whether the open session is under a key.
    #[napi]
    #[must_use]
    pub fn uses_key(&self, key: &NativeKey) -> bool {
        self.inner.info.borrow().as_ref().is_some_and(|info| info.key_id == key.id())
    }

    /// Returns how the session ended, once it has.
    #[napi]
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.inner.ended.borrow().as_ref().map(Ended::outcome)
    }

    /// Lets the session keep the process alive, or not.
    #[napi]
    pub fn set_referenced(&self, referenced: bool) {
        if let Some(watch) = self.inner.watch.borrow().as_ref() {
            watch.set_referenced(referenced);
        }
    }
}

/// 0 adaptive, 1 park, 2 poll. Two ends in one process do not spin for each other unless told to: on one thread looking is in vain.
fn wait_from(number: u32, peer: Option<u32>) -> Wait {
    match number {
        2 => Wait::Poll,
        0 if peer != Some(std::process::id()) => Wait::Adaptive,
        _ => Wait::Park,
    }
}

impl Drop for ShmSession {
    fn drop(&mut self) {
        // Collected by JavaScript: nobody can ever look at it again. The callback holds JavaScript values, the loop holds handles.
        self.inner.close_now();
    }
}
