//! What a message is made of: its kind, priority and routing fields.
//!
//! Nouns only, shared by `wire` and `session`. How they look on the wire is in `wire`; whether a kind may
//! occur in a state is decided in `session`.

mod kind;
mod meta;
mod priority;

pub use kind::Kind;
pub use meta::{Meta, PayloadFormat};
pub(crate) use meta::{check_age, is_clean};
pub(crate) use priority::PerLane;
pub use priority::{Lane, Priority};
