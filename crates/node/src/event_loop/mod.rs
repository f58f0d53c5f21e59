//! What the poller and the sockets need of an event loop, and the two ways to get it.
//!
//! [`LibuvLoop`] is Node's own loop, entered through libuv's functions. [`PlainLoop`] needs Node-API and nothing else: a JavaScript
//! function that turns the loop, and a thread that waits for descriptors. It is for runtimes that have no libuv to call
//! (docs/decisions/0002).

#[cfg(unix)]
mod bell;
mod libuv;
mod plain;
#[cfg(unix)]
pub(crate) mod poll;
#[cfg(unix)]
mod readiness;
mod uv;

use std::ffi::c_int;

use napi::bindgen_prelude::*;

pub(crate) use libuv::LibuvLoop;
pub(crate) use plain::PlainLoop;

/// A descriptor can be read, or has ended or failed, which reading will tell.
pub(crate) const READABLE: c_int = 1;
/// A descriptor can be written.
pub(crate) const WRITABLE: c_int = 2;

/// What runs when a watched descriptor is ready, with what it is ready for.
pub(crate) type OnReady = Box<dyn Fn(c_int)>;

/// The event loop of one thread.
pub(crate) trait EventLoop {
    /// Says what runs whenever the loop is about to sleep and was asked to look before. Once, before anything else.
    fn on_look(&self, look: Box<dyn Fn()>) -> Result<()>;

    /// Has it look before it sleeps next.
    fn look_before_sleep(&self);

    /// Has it look again after its other work, without sleeping before. Keeps no process alive that has nothing else to do.
    fn look_again(&self);

    /// Takes back what the two calls above asked for.
    fn rest(&self);

    /// Whether other work is due now, so that looking would hold it up; `None` where that cannot be known.
    fn has_other_work(&self) -> Option<bool>;

    /// Whether looking again for ever is right now compatible with a process that should end when nothing else keeps it alive.
    fn may_look_for_ever(&self) -> bool;

    /// Watches a descriptor that stays open as long as the watch; for nothing yet. It keeps the process alive while it watches for
    /// something, unless told otherwise.
    #[cfg(unix)]
    fn watch(&self, descriptor: c_int, on_ready: OnReady) -> Result<Box<dyn Watch>>;

    /// Ends everything; every watch was dropped before. Calls `done` when nothing of it is left that the loop could touch.
    fn close(&self, done: Box<dyn FnOnce()>);
}

/// A watched descriptor; dropping it ends the watch.
pub(crate) trait Watch {
    /// Watches for these events, 0 for none. Saying the same again costs nothing.
    fn watch_for(&self, events: c_int);

    /// Lets the watch keep the process alive, or not.
    fn set_referenced(&self, referenced: bool);
}
