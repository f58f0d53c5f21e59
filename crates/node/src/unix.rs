//! Unix sockets before they become a session: listening, accepting, connecting, the kernel's word on who is there.

use std::cell::RefCell;
use std::ffi::c_int;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
use std::path::Path;
use std::rc::{Rc, Weak};

use eipc_shm::doorbell::{self, PeerCredentials};
use eipc_shm::listener::{ListenError, Listener};
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::callback::Callback;
use crate::error::{internal, system_exception};
use crate::event_loop::{READABLE, Watch};
use crate::poller::{Closing, Poller};

/// A connected socket on its way into a session.
pub(crate) struct Connected {
    pub(crate) descriptor: OwnedFd,
    pub(crate) uid: u32,
    pub(crate) pid: Option<u32>,
}

/// A connected Unix socket before it becomes a session. Closed when it is collected unused.
#[napi]
pub struct UnixSocket {
    descriptor: RefCell<Option<OwnedFd>>,
    peer: PeerCredentials,
}

impl UnixSocket {
    fn new(descriptor: OwnedFd) -> Result<Self, String> {
        let peer = doorbell::peer_credentials(descriptor.as_fd())
            .map_err(|error| system_exception(&error, "the kernel does not say who the peer is"))?;
        Ok(Self { descriptor: RefCell::new(Some(descriptor)), peer })
    }

    pub(crate) fn take(&self) -> Result<Connected> {
        let descriptor = self
            .descriptor
            .take()
            .ok_or_else(|| Error::from_reason("this socket was used or closed before"))?;
        Ok(Connected { descriptor, uid: self.peer.uid, pid: self.peer.pid })
    }
}

#[napi]
impl UnixSocket {
    /// Connects to a listening socket; throws with the system's code (`ENOENT`, `ECONNREFUSED`, `EAGAIN`, …).
    #[napi(factory)]
    pub fn connect(path: String) -> Result<Self, String> {
        let descriptor =
            doorbell::connect(Path::new(&path)).map_err(|error| system_exception(&error, &path))?;
        Self::new(descriptor)
    }

    /// The peer's effective user id, noted by the kernel when the connection was made.
    #[napi(getter)]
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.peer.uid
    }

    /// The peer's effective group id.
    #[napi(getter)]
    #[must_use]
    pub fn gid(&self) -> u32 {
        self.peer.gid
    }

    /// The peer's process id; null where it is invisible from here.
    #[napi(getter)]
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.peer.pid
    }

    /// Gives the descriptor away, to `new net.Socket({ fd })`. Once.
    #[napi]
    pub fn take_fd(&self) -> Result<i32> {
        Ok(self.take()?.descriptor.into_raw_fd())
    }

    /// Closes the socket if it was not given away; idempotent.
    #[napi]
    pub fn close(&self) {
        self.descriptor.take();
    }
}

struct ListenerInner {
    listener: RefCell<Option<Listener>>,
    watch: RefCell<Option<Box<dyn Watch>>>,
    callback: Callback,
}

impl Closing for ListenerInner {
    fn close_now(&self) {
        self.watch.take();
        self.listener.take();
        self.callback.release();
    }
}

/// A listening Unix socket that owns its path through a lock file.
#[napi]
pub struct UnixListener {
    inner: Rc<ListenerInner>,
}

#[napi]
impl UnixListener {
    /// Binds with the permissions `mode` and listens; `onReady` means: call `accept` until it returns null. Throws with
    /// `EIPC_ADDRESS_IN_USE` or the system's code.
    #[napi(constructor)]
    pub fn new(
        env: &Env,
        poller: &Poller,
        path: String,
        mode: u32,
        #[napi(ts_arg_type = "() => void")] on_ready: Unknown<'_>,
    ) -> Result<Self, String> {
        let listener = Listener::bind(Path::new(&path), mode).map_err(|error| match error {
            ListenError::InUse => Error::new(
                eipc_core::Code::AddressInUse.name().to_owned(),
                format!("{path}: another process listens there"),
            ),
            ListenError::NotASocket => Error::new("ENOTSOCK".to_owned(), format!("{path}: {error}")),
            ListenError::System(error) => system_exception(&error, &path),
        })?;
        let descriptor = listener.as_fd().as_raw_fd();
        let callback = Callback::new(env.raw(), on_ready.raw(), "eipc:listen").map_err(internal)?;
        let inner = Rc::new(ListenerInner {
            listener: RefCell::new(Some(listener)),
            watch: RefCell::new(None),
            callback,
        });
        let weak = Rc::downgrade(&inner);
        let on_ready = Box::new(move |_: c_int| {
            if let Some(inner) = weak.upgrade() {
                inner.callback.call();
            }
        });
        let watch = poller.inner().event_loop().watch(descriptor, on_ready).map_err(internal)?;
        watch.watch_for(READABLE);
        *inner.watch.borrow_mut() = Some(watch);
        let closing: Rc<dyn Closing> = Rc::<ListenerInner>::clone(&inner);
        let closing: Weak<dyn Closing> = Rc::downgrade(&closing);
        poller.inner().adopt(closing);
        Ok(Self { inner })
    }

    /// Accepts one connection; null when none waits. A connection whose peer the kernel cannot name is dropped.
    #[napi]
    pub fn accept(&self) -> Result<Option<UnixSocket>, String> {
        let listener = self.inner.listener.borrow();
        let Some(listener) = listener.as_ref() else { return Ok(None) };
        let accepted = doorbell::accept(listener.as_fd())
            .map_err(|error| system_exception(&error, "accepting a connection"))?;
        accepted.map(UnixSocket::new).transpose()
    }

    /// Lets the listener keep the process alive, or not.
    #[napi]
    pub fn set_referenced(&self, referenced: bool) {
        if let Some(watch) = self.inner.watch.borrow().as_ref() {
            watch.set_referenced(referenced);
        }
    }

    /// Stops listening and removes socket and lock; idempotent.
    #[napi]
    pub fn close(&self) {
        self.inner.close_now();
    }
}

impl Drop for UnixListener {
    fn drop(&mut self) {
        self.inner.close_now();
    }
}
