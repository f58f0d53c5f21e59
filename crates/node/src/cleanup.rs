//! Closing loop handles before an environment (main thread or Worker) ends: Node's asynchronous cleanup hook.
//!
//! libuv gives a handle's memory back only in a later turn of the loop; the hook keeps the environment alive until then.

use std::ffi::c_void;
use std::ptr;

use napi::bindgen_prelude::*;
use napi::sys;

type Done = Box<dyn FnOnce()>;
type Work = Box<dyn FnOnce(Done)>;

/// Runs `work` when the environment ends; the environment waits until `work` has called what it was given.
pub(crate) fn before_exit(env: sys::napi_env, work: Work) -> Result<()> {
    let argument = Box::into_raw(Box::new(work)).cast::<c_void>();
    // SAFETY: the environment is the running one; the argument stays alive until the hook takes it back.
    check_status!(unsafe { sys::napi_add_async_cleanup_hook(env, Some(on_exit), argument, ptr::null_mut()) })
}

unsafe extern "C" fn on_exit(handle: sys::napi_async_cleanup_hook_handle, argument: *mut c_void) {
    // SAFETY: made in `before_exit`; Node runs a hook once.
    let work = unsafe { Box::from_raw(argument.cast::<Work>()) };
    // A panic must not unwind into Node.
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        work(Box::new(move || {
            // SAFETY: the handle Node gave us, given back once.
            unsafe { sys::napi_remove_async_cleanup_hook(handle) };
        }));
    }));
    if outcome.is_err() {
        std::process::abort();
    }
}
