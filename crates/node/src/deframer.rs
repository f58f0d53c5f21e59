//! Frames cut out of a stream for a user who handles them: bytes without keys, with the bounds of every other stream.

use eipc_core::wire::limits::MAX_FRAME_SIZE;
use eipc_core::wire::{Deframed, Deframer};
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::bytes;
use crate::error::{exception, internal};

/// Cuts a stream of chunks into frames.
#[napi]
pub struct NativeDeframer {
    deframer: Deframer,
}

/// What was found in a chunk.
#[napi(object, object_from_js = false)]
pub struct Taken<'a> {
    /// Where the rest of the chunk begins.
    pub rest: u32,
    /// The next frame without its prefix; absent when the chunk is used up before its end.
    #[napi(ts_type = "Uint8Array")]
    pub frame: Option<Unknown<'a>>,
}

#[napi]
impl NativeDeframer {
    /// Makes one that stands at a frame's beginning.
    #[napi(constructor)]
    #[must_use]
    #[allow(clippy::new_without_default, reason = "made by JavaScript only")]
    pub fn new() -> Self {
        Self { deframer: Deframer::new(MAX_FRAME_SIZE) }
    }

    /// Takes bytes of a chunk from an offset on, until a frame is whole. Throws for a length that no frame has, and from then on.
    #[napi]
    pub fn take<'a>(&mut self, env: &'a Env, chunk: &[u8], from: u32) -> Result<Taken<'a>, String> {
        let mut input = chunk.get(from as usize..).unwrap_or_default();
        let mut frame = Vec::new();
        let found = loop {
            match self.deframer.poll(&mut input, &mut frame).map_err(|error| exception(&error))? {
                // The whole frame is there, and its length was compared with the limit.
                Deframed::NeedRoom(length) => frame.resize(length, 0),
                Deframed::Frame(_) => break Some(bytes::copied(env, &frame).map_err(internal)?),
                Deframed::NeedInput | Deframed::Doorbell => break None,
            }
        };
        let rest = u32::try_from(chunk.len() - input.len()).unwrap_or(u32::MAX);
        Ok(Taken { rest, frame: found })
    }

    /// Whether a frame has begun and not ended.
    #[napi(getter)]
    #[must_use]
    pub fn is_mid_frame(&self) -> bool {
        self.deframer.is_mid_frame()
    }
}
