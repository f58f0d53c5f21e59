//! Node's own event loop: `uv_prepare` looks before it sleeps, `uv_idle` keeps it from sleeping, `uv_poll` watches descriptors.

use std::cell::RefCell;
#[cfg(unix)]
use std::ffi::c_int;
use std::ffi::c_void;
use std::rc::Rc;

use napi::bindgen_prelude::*;

use super::EventLoop;
use super::uv::{Handle, HandleKind, Uv};
#[cfg(unix)]
use super::{OnReady, READABLE, Watch};

/// The loop of this thread, through libuv.
pub(crate) struct LibuvLoop {
    uv: Rc<Uv>,
    prepare: RefCell<Option<Handle>>,
    idle: Rc<RefCell<Option<Handle>>>,
}

impl LibuvLoop {
    /// Finds libuv; `None` where the process does not export it.
    ///
    /// # Safety
    /// `event_loop` must be the `uv_loop_t` of this thread and stay valid until `close` has called back.
    pub(crate) unsafe fn find(event_loop: *mut c_void) -> Option<Self> {
        // SAFETY: the same contract.
        let uv = unsafe { Uv::find(event_loop) }?;
        Some(Self { uv, prepare: RefCell::new(None), idle: Rc::new(RefCell::new(None)) })
    }

    fn handle(&self, kind: HandleKind, action: Box<dyn Fn(i32, i32)>) -> Result<Handle> {
        Handle::new(&self.uv, kind, 0, action).map_err(refused)
    }
}

impl EventLoop for LibuvLoop {
    fn on_look(&self, look: Box<dyn Fn()>) -> Result<()> {
        let idle = Rc::clone(&self.idle);
        let prepare = self.handle(
            HandleKind::Prepare,
            Box::new(move |_, _| {
                // Our own idle handle must not make the loop look busy.
                if let Some(handle) = idle.borrow().as_ref() {
                    handle.stop();
                }
                look();
            }),
        )?;
        *self.prepare.borrow_mut() = Some(prepare);
        *self.idle.borrow_mut() = Some(self.handle(HandleKind::Idle, Box::new(|_, _| {}))?);
        Ok(())
    }

    fn look_before_sleep(&self) {
        if let Some(handle) = self.prepare.borrow().as_ref() {
            handle.start();
        }
    }

    fn look_again(&self) {
        self.look_before_sleep();
        if let Some(handle) = self.idle.borrow().as_ref() {
            handle.start();
        }
    }

    fn rest(&self) {
        for handle in [self.prepare.borrow().as_ref(), self.idle.borrow().as_ref()].into_iter().flatten() {
            handle.stop();
        }
    }

    fn has_other_work(&self) -> Option<bool> {
        Some(self.uv.backend_timeout() == 0)
    }

    fn may_look_for_ever(&self) -> bool {
        true // the handles above keep nothing alive
    }

    #[cfg(unix)]
    fn watch(&self, descriptor: c_int, on_ready: OnReady) -> Result<Box<dyn Watch>> {
        // What failed is found by reading.
        let action = Box::new(move |status, events| on_ready(if status < 0 { READABLE } else { events }));
        let handle = Handle::new(&self.uv, HandleKind::Poll, descriptor, action).map_err(refused)?;
        Ok(Box::new(handle))
    }

    fn close(&self, done: Box<dyn FnOnce()>) {
        self.prepare.take();
        self.idle.take();
        self.uv.when_drained(done);
    }
}

fn refused(status: i32) -> Error {
    Error::from_reason(format!("the event loop refused a handle ({status})"))
}
