//! The few libuv functions the poller needs, found in the running process, and handles that close themselves.
//!
//! They are looked up by name instead of linked, so that the addon also loads where no libuv is exported. Nothing here knows about
//! sessions. A handle's memory belongs to libuv from `init` until its close callback,
//! which is why handles are boxed here and freed only there.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::rc::Rc;

/// Kinds of handle, numbered as in `uv_handle_type`.
#[derive(Clone, Copy)]
pub(crate) enum HandleKind {
    Idle = 6,
    Poll = 8,
    Prepare = 9,
}

type RawHandle = *mut c_void;
type RawLoop = *mut c_void;
type Callback = unsafe extern "C" fn(RawHandle);
type PollCallback = unsafe extern "C" fn(RawHandle, c_int, c_int);

/// libuv as the process exports it.
pub(crate) struct Uv {
    handle_size: unsafe extern "C" fn(c_int) -> usize,
    set_data: unsafe extern "C" fn(RawHandle, *mut c_void),
    close: unsafe extern "C" fn(RawHandle, Option<Callback>),
    reference: unsafe extern "C" fn(RawHandle),
    unreference: unsafe extern "C" fn(RawHandle),
    prepare_init: unsafe extern "C" fn(RawLoop, RawHandle) -> c_int,
    prepare_start: unsafe extern "C" fn(RawHandle, Callback) -> c_int,
    prepare_stop: unsafe extern "C" fn(RawHandle) -> c_int,
    idle_init: unsafe extern "C" fn(RawLoop, RawHandle) -> c_int,
    idle_start: unsafe extern "C" fn(RawHandle, Callback) -> c_int,
    idle_stop: unsafe extern "C" fn(RawHandle) -> c_int,
    poll_init: unsafe extern "C" fn(RawLoop, RawHandle, c_int) -> c_int,
    poll_start: unsafe extern "C" fn(RawHandle, c_int, PollCallback) -> c_int,
    backend_timeout: unsafe extern "C" fn(RawLoop) -> c_int,
    event_loop: RawLoop,
    /// Handles whose close callback has not run yet; the environment must outlive them.
    open_handles: Cell<usize>,
    /// Runs once when the last handle is gone, if somebody waits for it.
    on_drained: Cell<Option<Box<dyn FnOnce()>>>,
}

impl Uv {
    /// Finds libuv; `None` where the process does not export it.
    ///
    /// # Safety
    /// `event_loop` must be the `uv_loop_t` of this thread and stay valid while handles exist.
    pub(crate) unsafe fn find(event_loop: *mut c_void) -> Option<Rc<Self>> {
        #[cfg(unix)]
        let process = libloading::os::unix::Library::this();
        #[cfg(windows)]
        let process = libloading::os::windows::Library::this().ok()?;
        macro_rules! symbol {
            ($name:literal) => {
                // SAFETY: the type is the one libuv 1.19+ documents for this name; libuv's ABI is stable within 1.x.
                *unsafe { process.get($name).ok()? }
            };
        }
        Some(Rc::new(Self {
            handle_size: symbol!(b"uv_handle_size\0"),
            set_data: symbol!(b"uv_handle_set_data\0"),
            close: symbol!(b"uv_close\0"),
            reference: symbol!(b"uv_ref\0"),
            unreference: symbol!(b"uv_unref\0"),
            prepare_init: symbol!(b"uv_prepare_init\0"),
            prepare_start: symbol!(b"uv_prepare_start\0"),
            prepare_stop: symbol!(b"uv_prepare_stop\0"),
            idle_init: symbol!(b"uv_idle_init\0"),
            idle_start: symbol!(b"uv_idle_start\0"),
            idle_stop: symbol!(b"uv_idle_stop\0"),
            poll_init: symbol!(b"uv_poll_init\0"),
            poll_start: symbol!(b"uv_poll_start\0"),
            backend_timeout: symbol!(b"uv_backend_timeout\0"),
            event_loop,
            open_handles: Cell::new(0),
            on_drained: Cell::new(None),
        }))
    }

    /// Milliseconds the loop would sleep now: 0 when something else is due, −1 for ever.
    pub(crate) fn backend_timeout(&self) -> i32 {
        // SAFETY: the loop outlives this object (contract of `find`).
        unsafe { (self.backend_timeout)(self.event_loop) }
    }

    /// Calls `then` when the last handle's memory has been given back, at once if there is none.
    pub(crate) fn when_drained(&self, then: Box<dyn FnOnce()>) {
        if self.open_handles.get() == 0 {
            then();
        } else {
            self.on_drained.set(Some(then));
        }
    }
}

/// What a handle calls: the events of a poll handle, 0 for the others; negative status as −errno.
type Action = Box<dyn Fn(c_int, c_int)>;

struct HandleData {
    uv: Rc<Uv>,
    action: Action,
    layout: std::alloc::Layout,
    /// The events of a poll handle.
    watched: Cell<c_int>,
}

/// A libuv handle; dropping it closes it.
pub(crate) struct Handle {
    raw: RawHandle,
    uv: Rc<Uv>,
    kind: HandleKind,
}

impl Handle {
    /// Makes a stopped handle that does not keep the loop alive unless it is a poll handle.
    /// `descriptor` is used by poll handles only. `Err` carries libuv's −errno.
    pub(crate) fn new(
        uv: &Rc<Uv>,
        kind: HandleKind,
        descriptor: c_int,
        action: Action,
    ) -> Result<Self, c_int> {
        const ALIGN: usize = 16;
        // SAFETY: a plain query.
        let size = unsafe { (uv.handle_size)(kind as c_int) };
        let layout = std::alloc::Layout::from_size_align(size, ALIGN).map_err(|_| -12)?;
        // SAFETY: libuv's handle sizes are not zero.
        let raw: RawHandle = unsafe { std::alloc::alloc_zeroed(layout) }.cast();
        if raw.is_null() {
            return Err(-12);
        }
        // SAFETY: `raw` has the size libuv asked for and 16-byte alignment; the loop is this thread's.
        let status = unsafe {
            match kind {
                HandleKind::Idle => (uv.idle_init)(uv.event_loop, raw),
                HandleKind::Prepare => (uv.prepare_init)(uv.event_loop, raw),
                HandleKind::Poll => (uv.poll_init)(uv.event_loop, raw, descriptor),
            }
        };
        if status != 0 {
            // SAFETY: not registered with the loop, allocated above with this layout.
            unsafe { std::alloc::dealloc(raw.cast(), layout) };
            return Err(status);
        }
        let data = Box::new(HandleData { uv: Rc::clone(uv), action, layout, watched: Cell::new(0) });
        // SAFETY: initialised above; the box lives until the close callback takes it back.
        unsafe {
            (uv.set_data)(raw, Box::into_raw(data).cast());
            if !matches!(kind, HandleKind::Poll) {
                (uv.unreference)(raw);
            }
        }
        uv.open_handles.set(uv.open_handles.get() + 1);
        Ok(Self { raw, uv: Rc::clone(uv), kind })
    }

    /// Starts an idle or prepare handle. Starting twice is harmless.
    pub(crate) fn start(&self) {
        // SAFETY: the handle is open until drop; the callbacks match its kind.
        unsafe {
            match self.kind {
                HandleKind::Idle => (self.uv.idle_start)(self.raw, on_turn),
                HandleKind::Prepare => (self.uv.prepare_start)(self.raw, on_turn),
                HandleKind::Poll => 0,
            };
        }
    }

    /// Stops an idle or prepare handle.
    pub(crate) fn stop(&self) {
        // SAFETY: the handle is open until drop.
        unsafe {
            match self.kind {
                HandleKind::Idle => (self.uv.idle_stop)(self.raw),
                HandleKind::Prepare => (self.uv.prepare_stop)(self.raw),
                HandleKind::Poll => 0,
            };
        }
    }
}

/// A poll handle. `READABLE` and `WRITABLE` have libuv's numbers.
#[cfg(unix)]
impl super::Watch for Handle {
    /// libuv would queue the descriptor for `epoll_ctl` each time, and a loop with something queued never counts as idle.
    fn watch_for(&self, events: c_int) {
        // SAFETY: the handle is open until drop; the borrow ends with the statement.
        let watched = unsafe { &data_of(self.raw).watched };
        if matches!(self.kind, HandleKind::Poll) && watched.replace(events) != events {
            // SAFETY: the handle is open until drop; changing the events of a started handle is allowed.
            unsafe { (self.uv.poll_start)(self.raw, events, on_poll) };
        }
    }

    fn set_referenced(&self, referenced: bool) {
        // SAFETY: the handle is open until drop.
        unsafe { if referenced { (self.uv.reference)(self.raw) } else { (self.uv.unreference)(self.raw) } }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: open until now, closed exactly once; the memory stays libuv's until `on_closed`.
        unsafe { (self.uv.close)(self.raw, Some(on_closed)) }
    }
}

unsafe extern "C" fn on_turn(raw: RawHandle) {
    run(raw, 0, 0);
}

unsafe extern "C" fn on_poll(raw: RawHandle, status: c_int, events: c_int) {
    if status < 0 {
        // libuv has stopped the handle. An error does not end a watch: a socket whose peer died with bytes of ours unread reports one
        // while the peer's own last bytes, and behind them its end, are still to be read.
        // SAFETY: libuv calls back for open handles only, on this thread; starting one again that was stopped is allowed.
        unsafe {
            let data = data_of(raw);
            let watched = data.watched.get();
            if watched != 0 {
                (data.uv.poll_start)(raw, watched, on_poll);
            }
        }
    }
    run(raw, status, events);
}

/// Returns what is kept for a handle.
///
/// # Safety
/// The handle was made by `Handle::new`, and its close callback has not run.
unsafe fn data_of<'a>(raw: RawHandle) -> &'a HandleData {
    // SAFETY: the first field of every libuv handle is `void* data` (public ABI), set in `Handle::new` and taken back by the close callback.
    unsafe { &*raw.cast::<*const HandleData>().read() }
}

fn run(raw: RawHandle, status: c_int, events: c_int) {
    // The data outlives this call even if the action closes the handle: the close callback runs in a later phase of the loop.
    // SAFETY: libuv calls back only for open handles, on this thread.
    let data = unsafe { data_of(raw) };
    // A panic must not unwind through libuv's frames.
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (data.action)(status, events)));
    if outcome.is_err() {
        std::process::abort();
    }
}

unsafe extern "C" fn on_closed(raw: RawHandle) {
    // SAFETY: the first field is `void* data`, set in `Handle::new`, taken back exactly once: libuv calls this once.
    let data = unsafe { Box::from_raw(raw.cast::<*mut HandleData>().read()) };
    let HandleData { uv, action, layout, .. } = *data;
    // SAFETY: allocated with this layout; libuv gave the memory back.
    unsafe { std::alloc::dealloc(raw.cast(), layout) };
    drop(action);
    uv.open_handles.set(uv.open_handles.get().saturating_sub(1));
    if uv.open_handles.get() == 0
        && let Some(then) = uv.on_drained.take()
    {
        then();
    }
}
