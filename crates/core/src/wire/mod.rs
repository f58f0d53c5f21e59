//! How frames look as bytes, for every transport: one strict decoder.
//!
//! Nothing here holds a key: `wire` and `crypto` do not know each other, only `session` joins them.
//! Nothing is allocated from a length that has not been compared with [`limits`].

pub mod deframer;
pub mod frame;
pub mod frame_v1;
pub mod header_binary;
pub mod header_json;
pub mod header_v1;
mod json;
pub mod limits;
pub mod preamble;
mod reader;
mod timestamp;

pub use deframer::{Deframed, Deframer};
pub use frame::{Expect, RawFrame};
pub use frame_v1::FrameV1;
pub use preamble::Preamble;

pub(crate) use deframer::prefixed;
pub(crate) use reader::Reader;
