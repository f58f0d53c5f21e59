//! One plane of a session apart from the session: frames sealed and opened by the keys that its handshake made.
//!
//! The sessions of the vectors share memory, and their frames come on either plane in any order; a `Connection` would refuse an
//! intent on such a session's stream, and a ring cannot be given a frame. What seals and opens is what ships, and so are the two
//! layouts of `batch`.

use std::cell::RefCell;
use std::rc::Rc;

use eipc_core::{Code, Error as Fault, Lane, Opener, Sealer};
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::batch::{Delivery, PREFIX, Record};
use crate::clock;
use crate::error::exception;
use crate::hot;
use crate::stream_session::StreamSession;

/// Both directions of one plane.
struct PlaneInner {
    sealer: RefCell<Sealer>,
    opener: RefCell<Opener>,
}

impl PlaneInner {
    /// Hot: `seal(batch, length)`.
    fn seal(self: &Rc<Self>, arguments: &mut hot::Arguments) -> Option<i32> {
        let length = arguments.number(1)?;
        let batch = arguments.bytes(0)?.get_mut(..length)?;
        let mut sealer = self.sealer.try_borrow_mut().ok()?;
        match seal_record(&mut sealer, batch) {
            Ok(()) => i32::try_from(length).ok(),
            Err(error) => Some(hot::failure(error.code)),
        }
    }

    /// Hot: `open(frame, slab, descriptors)`.
    fn open(self: &Rc<Self>, arguments: &mut hot::Arguments) -> Option<i32> {
        let ([frame, slab], words) = arguments.views([0, 1], 2)?;
        let mut delivery = Delivery::new(slab, 0, words)?;
        delivery.room(frame.len())?.get_mut(..frame.len())?.copy_from_slice(frame);
        let mut opener = self.opener.try_borrow_mut().ok()?;
        match delivery.describe(frame.len(), |frame| opener.receive(frame).map(Some)) {
            Ok(_) => Some(delivery.finish(frame.len(), 0, u32::MAX, 0)),
            Err(error) => Some(hot::failure(error.code)),
        }
    }
}

/// Seals the one record of `batch` where it lies.
fn seal_record(sealer: &mut Sealer, batch: &mut [u8]) -> std::result::Result<(), Fault> {
    let record = Record::read(batch, sealer.tag_len())?;
    let frame = batch.get_mut(PREFIX..).ok_or(Fault::from(Code::Internal))?;
    sealer.seal(record.kind, record.lane, record.meta_kind, record.meta_length, frame, clock::now())
}

/// One plane of a session that a vector set up.
#[napi(namespace = "vectors")]
pub struct Plane {
    inner: Rc<PlaneInner>,
}

/// The calls of a plane.
#[napi(object, namespace = "vectors", object_from_js = false)]
pub struct PlaneCalls<'a> {
    /// Seals a record in place, at the time that was set; returns its length, or −(error value).
    #[napi(ts_type = "(batch: Uint8Array, length: number) => number")]
    pub seal: Unknown<'a>,
    /// Opens one frame into slab and descriptors; returns 1, or −(error value).
    #[napi(ts_type = "(frame: Uint8Array, slab: Uint8Array, descriptors: Uint32Array) => number")]
    pub open: Unknown<'a>,
}

/// How far one lane has come.
#[napi(object, namespace = "vectors", object_from_js = false)]
pub struct LaneState {
    /// Counter of the last frame sealed.
    pub sealed: BigInt,
    /// Epoch of the keys that seal.
    pub seal_epoch: u16,
    /// Counter of the last frame opened.
    pub opened: BigInt,
    /// Epoch of the keys that open.
    pub open_epoch: u16,
}

#[napi(namespace = "vectors")]
impl Plane {
    fn new((sealer, opener): (Sealer, Opener)) -> Self {
        Self { inner: Rc::new(PlaneInner { sealer: RefCell::new(sealer), opener: RefCell::new(opener) }) }
    }

    /// Makes the calls of this plane.
    #[napi]
    pub fn calls<'a>(&self, env: &'a Env) -> Result<PlaneCalls<'a>> {
        let (seal, open) = (PlaneInner::seal, PlaneInner::open);
        Ok(PlaneCalls {
            seal: hot::function(env, &self.inner, seal)?,
            open: hot::function(env, &self.inner, open)?,
        })
    }

    /// Returns how far the four lanes have come; a stream has the first.
    #[napi]
    #[must_use]
    pub fn lanes(&self) -> Vec<LaneState> {
        let (sealer, opener) = (self.inner.sealer.borrow(), self.inner.opener.borrow());
        let state = |lane| LaneState {
            sealed: sealer.counter(lane).into(),
            seal_epoch: sealer.epoch(lane),
            opened: opener.last(lane).into(),
            open_epoch: opener.epoch(lane),
        };
        Lane::ALL.map(state).into()
    }
}

/// Both planes of a session that shares memory.
#[napi(object, namespace = "vectors", object_from_js = false)]
pub struct Planes {
    /// The stream.
    pub stream: Plane,
    /// Shared memory.
    pub shm: Option<Plane>,
}

/// Takes the planes out of an open session, which is over then. Throws `EIPC_CLOSED` where none is open.
#[napi(namespace = "vectors")]
pub fn take_planes(session: &StreamSession) -> Result<Planes, String> {
    let mut protocol = session.protocol().borrow_mut();
    let planes = protocol.eipc2_connection().and_then(|connection| connection.take_planes());
    let planes = planes.ok_or_else(|| exception(&Code::Closed.into()))?;
    Ok(Planes { stream: Plane::new((planes.sealer, planes.opener)), shm: planes.segment.map(Plane::new) })
}
