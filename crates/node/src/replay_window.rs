//! The replay window of v1, for users who handle frames themselves.

use eipc_core::v1::{ReplayWindow, WindowSize};
use eipc_core::{Code, Error as Fault};
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::error::exception;

/// Remembers which sequence numbers were seen.
#[napi]
pub struct NativeReplayWindow {
    window: ReplayWindow,
}

#[napi]
impl NativeReplayWindow {
    /// Makes a window of so many numbers, a multiple of 64 up to 4 096.
    #[napi(constructor)]
    pub fn new(size: u32) -> Result<Self, String> {
        let size = usize::try_from(size).ok().and_then(WindowSize::new).ok_or_else(|| {
            let context = format!("a window spans a multiple of 64 up to 4096, not {size}");
            exception(&Fault::with(Code::Internal, context))
        })?;
        Ok(Self { window: ReplayWindow::new(size) })
    }

    /// Accepts a number, or not.
    #[napi]
    pub fn accept(&mut self, sequence: BigInt) -> bool {
        let (is_negative, sequence, is_u64) = sequence.get_u64();
        !is_negative && is_u64 && self.window.accept(sequence)
    }

    /// Forgets everything.
    #[napi]
    pub fn reset(&mut self) {
        self.window.reset();
    }
}
