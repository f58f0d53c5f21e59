//! A JavaScript function that native code calls from the event loop, with the microtasks run afterwards.
//!
//! Calling it is the only way from this crate into JavaScript. The caller must hold no borrow of native state meanwhile
//! (invariant 7: handlers never run while native code is borrowed).

use std::cell::Cell;
use std::ptr;

use napi::bindgen_prelude::*;
use napi::sys;

/// A referenced JavaScript function, with an async context of its own if the event loop is to call it.
pub(crate) struct Callback {
    env: sys::napi_env,
    function: Cell<sys::napi_ref>,
    context: Cell<sys::napi_async_context>,
}

impl Callback {
    /// Keeps `function` alive until `release` or drop, for `call`.
    pub(crate) fn new(env: sys::napi_env, function: sys::napi_value, name: &str) -> Result<Self> {
        let mut context = ptr::null_mut();
        let mut resource_name = ptr::null_mut();
        let length = isize::try_from(name.len()).unwrap_or(0);
        // SAFETY: `env` is the environment of the running call, the out-pointers are locals.
        unsafe {
            check_status!(sys::napi_create_string_utf8(
                env,
                name.as_ptr().cast(),
                length,
                &mut resource_name
            ))?;
            check_status!(sys::napi_async_init(env, ptr::null_mut(), resource_name, &mut context))?;
        }
        let callback = Self::nested(env, function)?;
        callback.context.set(context);
        Ok(callback)
    }

    /// Keeps `function` alive until `release` or drop, for `call_nested` only.
    pub(crate) fn nested(env: sys::napi_env, function: sys::napi_value) -> Result<Self> {
        let mut reference = ptr::null_mut();
        // SAFETY: `env` is the environment of the running call, `function` a live value of it, the out-pointer is a local.
        check_status!(unsafe { sys::napi_create_reference(env, function, 1, &mut reference) })?;
        Ok(Self { env, function: Cell::new(reference), context: Cell::new(ptr::null_mut()) })
    }

    /// Calls the function without arguments, from the event loop: what is due after a callback (`process.nextTick`, promises) runs
    /// before this returns. An exception becomes the process's uncaught exception, as in any callback of Node.
    pub(crate) fn call(&self) {
        self.run(|receiver, function, result| {
            // SAFETY: `run` gives live values of this environment, whose async context is ours until `release`.
            unsafe {
                sys::napi_make_callback(
                    self.env,
                    self.context.get(),
                    receiver,
                    function,
                    0,
                    ptr::null(),
                    result,
                )
            }
        });
    }

    /// Calls the function without arguments from inside a call or callback of JavaScript, and runs nothing else.
    pub(crate) fn call_nested(&self) {
        self.run(|receiver, function, result| {
            // SAFETY: `run` gives live values of this environment.
            unsafe { sys::napi_call_function(self.env, receiver, function, 0, ptr::null(), result) }
        });
    }

    /// `call` gets receiver, function, and where to put a result: Node takes null for that, Deno does not.
    fn run(
        &self,
        call: impl FnOnce(sys::napi_value, sys::napi_value, *mut sys::napi_value) -> sys::napi_status,
    ) {
        let reference = self.function.get();
        if reference.is_null() {
            return;
        }
        let env = self.env;
        let mut scope = ptr::null_mut();
        // SAFETY: called on the environment's thread; every value lives inside `scope`.
        unsafe {
            if sys::napi_open_handle_scope(env, &mut scope) != sys::Status::napi_ok {
                return; // the environment is being torn down
            }
            let (mut function, mut receiver) = (ptr::null_mut(), ptr::null_mut());
            sys::napi_get_reference_value(env, reference, &mut function);
            sys::napi_get_global(env, &mut receiver);
            let mut result = ptr::null_mut();
            if call(receiver, function, &mut result) == sys::Status::napi_pending_exception {
                let mut exception = ptr::null_mut();
                if sys::napi_get_and_clear_last_exception(env, &mut exception) == sys::Status::napi_ok {
                    sys::napi_fatal_exception(env, exception);
                }
            }
            sys::napi_close_handle_scope(env, scope);
        }
    }

    /// Lets the function go. Further calls do nothing.
    pub(crate) fn release(&self) {
        let reference = self.function.replace(ptr::null_mut());
        let context = self.context.replace(ptr::null_mut());
        // SAFETY: both were created for this environment and are given back once.
        unsafe {
            if !reference.is_null() {
                sys::napi_delete_reference(self.env, reference);
            }
            if !context.is_null() {
                sys::napi_async_destroy(self.env, context);
            }
        }
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        self.release();
    }
}
