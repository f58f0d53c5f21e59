//! Shared memory between processes that do not trust each other: the segment, its rings, its hand-over, its doorbell.
//!
//! One connection is one segment: two directions of four priority lanes, each lane a single-producer single-consumer
//! byte ring (docs/shm-abi.md). This crate moves opaque records. It knows no keys, frames or sessions: what it hands
//! out was bounds-checked and copied to private memory, nothing more, and must be authenticated by the caller.
//!
//! ```
//! use eipc_shm::{Capacities, Direction, HeapRegion, Inbound, Lane, Layout, Outbound};
//!
//! let region = HeapRegion::new(Layout::new(Capacities::DEFAULT))?;
//! let mut sender = Outbound::new(region.clone(), Direction::ClientToServer)?;
//! let mut receiver = Inbound::new(region, Direction::ClientToServer, 1)?;
//!
//! assert!(sender.push(Lane::P0, b"a sealed frame")?);
//! sender.publish();
//!
//! let mut frame = vec![0; receiver.next(Lane::P0)?.unwrap_or(0)];
//! receiver.copy_next(Lane::P0, &mut frame)?;
//! receiver.release();
//! assert_eq!(frame, b"a sealed frame");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The peer may write any byte of a segment at any time. Three rules answer that, and every file here is written
//! around them: a value from the segment is read once into a local, checked, then used; bytes are copied out before
//! anybody looks at them, and no reference to shared bytes exists; a refused value poisons the object for good.

#[macro_use]
mod kill;

pub mod handover;
pub mod layout;
pub mod region;

#[cfg(unix)]
pub mod doorbell;
#[cfg(all(unix, not(loom)))]
pub mod listener;
#[cfg(not(loom))]
pub mod map;

mod control;
mod fault;
mod lanes;
mod ring;
mod sync;
#[cfg(unix)]
mod sys;

pub use fault::{Fault, PushError, SeatTaken};
pub use handover::{Offer, OfferError, Reason, Reply, SegmentKind};
pub use lanes::{Budget, Inbound, Outbound};
pub use layout::{ALL_LANES, Capacities, Direction, LANES, Lane, Layout};
#[cfg(not(loom))]
pub use map::OpenError;
#[cfg(all(unix, not(loom)))]
pub use map::{Created, Segment, SystemSegment};
pub use region::{HeapRegion, Region};
