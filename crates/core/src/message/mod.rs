//! What a message is made of: its kind, priority and routing fields.
//!
//! Nouns only, shared by `wire` and `session`. How they look on the wire is in `wire`; whether a kind may
//! occur in a state is decided in `session`.

mod kind;
mod meta;
mod priority;

pub use kind::Kind;
pub(crate) use meta::{MAX_STRING_LEN, check_age, is_clean};
pub use meta::{Meta, PayloadFormat};
pub(crate) use priority::PerLane;
pub use priority::{Lane, Priority};
