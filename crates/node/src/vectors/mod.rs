//! What the tests of `test/vectors` need in JavaScript and no program may have: fixed randomness and time, the keys of a plane apart
//! from its session, frames of v1 by themselves.
//!
//! Compiled only with the cargo feature `vectors`, which the shipped binary is built without; `test/unit/vectors/addon.test.ts` looks.
//! Everything is exported under the one name `vectors`. Secrets go in and are compared here; none comes out (invariant 8).

mod plane;
mod session;
mod time;
mod v1_frame;
mod v1_session;

pub(crate) use time::fixed_time;
