//! A bell that any thread may ring and that this environment's thread hears in a turn of its event loop: a Node-API thread-safe
//! function without a JavaScript function.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use napi::bindgen_prelude::*;
use napi::sys;

type OnRing = Box<dyn Fn()>;

/// The owner's end, on the thread that hears it. It keeps no process alive until told to.
pub(crate) struct Bell {
    env: sys::napi_env,
    rope: Arc<Rope>,
}

/// What rings it. Must be gone, or never used again, before the bell is dropped.
pub(crate) struct Rope {
    function: sys::napi_threadsafe_function,
    /// Rung and not heard yet.
    is_rung: AtomicBool,
}

// SAFETY: Node-API allows `napi_call_threadsafe_function` on every thread, and the pointer is used for nothing else there.
unsafe impl Send for Rope {}
// SAFETY: the same.
unsafe impl Sync for Rope {}

/// What Node keeps for the function until it is finalized.
struct Heard {
    on_ring: OnRing,
    rope: Arc<Rope>,
}

impl Bell {
    /// Makes a bell; `on_ring` runs on this thread, once for any number of rings since it last ran.
    pub(crate) fn new(env: &Env, name: &str, on_ring: OnRing) -> Result<Self> {
        let (mut resource_name, mut function) = (ptr::null_mut(), ptr::null_mut());
        let length = isize::try_from(name.len()).unwrap_or(0);
        let context = Box::into_raw(Box::new(None::<Heard>));
        // SAFETY: the environment is the running one, the out-pointers are locals. `context` is freed by `on_gone`, which Node calls
        // once, after the last `on_heard`.
        unsafe {
            check_status!(sys::napi_create_string_utf8(
                env.raw(),
                name.as_ptr().cast(),
                length,
                &mut resource_name
            ))?;
            check_status!(sys::napi_create_threadsafe_function(
                env.raw(),
                ptr::null_mut(),
                ptr::null_mut(),
                resource_name,
                0,
                1,
                context.cast(),
                Some(on_gone),
                context.cast(),
                Some(on_heard),
                &mut function,
            ))?;
            check_status!(sys::napi_unref_threadsafe_function(env.raw(), function))?;
        }
        let rope = Arc::new(Rope { function, is_rung: AtomicBool::new(false) });
        // SAFETY: nobody has rung yet, so Node has not looked at it.
        unsafe { *context = Some(Heard { on_ring, rope: Arc::clone(&rope) }) };
        Ok(Self { env: env.raw(), rope })
    }

    /// Returns what another thread rings it with.
    pub(crate) fn rope(&self) -> Arc<Rope> {
        Arc::clone(&self.rope)
    }

    /// Lets the bell keep the process alive, or not.
    pub(crate) fn set_referenced(&self, referenced: bool) {
        // SAFETY: on the environment's thread; the function lives until drop.
        unsafe {
            if referenced {
                sys::napi_ref_threadsafe_function(self.env, self.rope.function);
            } else {
                sys::napi_unref_threadsafe_function(self.env, self.rope.function);
            }
        }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        // SAFETY: made in `new` with one owner, which is this; by contract no rope is pulled any more.
        unsafe {
            sys::napi_release_threadsafe_function(
                self.rope.function,
                sys::ThreadsafeFunctionReleaseMode::abort,
            )
        };
    }
}

impl Rope {
    /// Rings, unless the last ring was not heard yet.
    pub(crate) fn ring(&self) {
        // Acquire pairs with the release in `on_heard`: a ring that finds the flag set comes before the hearing that clears it.
        if !self.is_rung.swap(true, Ordering::AcqRel) {
            // SAFETY: the function lives as long as the bell. A function that is closing refuses, and then nobody listens any more.
            unsafe {
                sys::napi_call_threadsafe_function(
                    self.function,
                    ptr::null_mut(),
                    sys::ThreadsafeFunctionCallMode::nonblocking,
                )
            };
        }
    }
}

unsafe extern "C" fn on_heard(
    env: sys::napi_env,
    _function: sys::napi_value,
    context: *mut c_void,
    _data: *mut c_void,
) {
    // SAFETY: made in `Bell::new`, written there before anybody rang, freed only by `on_gone`.
    let heard = unsafe { &*context.cast::<Option<Heard>>() };
    let Some(heard) = heard.as_ref().filter(|_| !env.is_null()) else { return };
    // Before the work: what is reported from now on rings anew. Release pairs with the acquire in `ring`.
    heard.rope.is_rung.swap(false, Ordering::AcqRel);
    // A panic must not unwind into Node.
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (heard.on_ring)())).is_err() {
        std::process::abort();
    }
}

unsafe extern "C" fn on_gone(_env: sys::napi_env, context: *mut c_void, _hint: *mut c_void) {
    // SAFETY: made in `Bell::new`; Node finalizes once, after the last call.
    drop(unsafe { Box::from_raw(context.cast::<Option<Heard>>()) });
}
