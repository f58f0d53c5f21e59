//! Both ends of a session through shared memory, in one process.

use std::sync::Arc;

use eipc_core::KeyTable;
use eipc_core::message::PayloadFormat;
use eipc_core::{
    ClientConfig, Features, Kind, Lane, Meta, MetaKind, Opener, Psk, Sealer, ServerConfig, Suite, Suites,
    Time,
};
use eipc_shm::{Budget, Capacities, Direction, HeapRegion, Inbound, Layout, Outbound, Reply};
use eipc_testkit::{Pair, record};

use crate::Result;

/// The lane of telemetry, where most messages travel.
const LANE: Lane = Lane::P2;
const RING_LANE: eipc_shm::Lane = eipc_shm::Lane::P2;
/// As in `crates/node/src/shared_plane.rs`.
const SHORTEST: u32 = 16 + 24 + 32;

/// What a message passes.
pub(crate) struct Plane {
    sealer: Sealer,
    opener: Opener,
    outbound: Outbound<HeapRegion>,
    inbound: Inbound<HeapRegion>,
    meta_length: usize,
    /// A frame before it is sealed, and the one at hand.
    laid_out: Vec<u8>,
    frame: Vec<u8>,
}

impl Plane {
    /// Opens a session whose messages have `payload` bytes.
    pub(crate) fn open(suite: Suite, payload: usize) -> Result<Self> {
        let (sealer, opener) = keys(suite)?;
        let region = HeapRegion::new(Layout::new(Capacities::DEFAULT))?;
        let outbound =
            Outbound::new(region.clone(), Direction::ClientToServer).map_err(|_| "a seat is taken")?;
        let inbound =
            Inbound::new(region, Direction::ClientToServer, SHORTEST).map_err(|_| "a seat is taken")?;
        let meta = Meta { priority: LANE, payload_format: PayloadFormat::Bytes, ..Meta::default() };
        let (meta_length, laid_out) = record(&meta, &vec![7; payload], sealer.tag_len());
        let frame = laid_out.clone();
        Ok(Self { sealer, opener, outbound, inbound, meta_length, laid_out, frame })
    }

    pub(crate) fn seal(&mut self) -> Result<()> {
        let Self { sealer, meta_length, laid_out, frame, .. } = self;
        frame.copy_from_slice(laid_out);
        Ok(sealer.seal(Kind::Features, LANE, MetaKind::Binary, *meta_length, frame, Time(1))?)
    }

    /// Opens the frame that was sealed last; what is encrypted is plain again afterwards.
    pub(crate) fn open_sealed(&mut self) -> Result<()> {
        let envelope = self.opener.receive(&mut self.frame)?;
        std::hint::black_box(envelope.payload_range());
        Ok(())
    }

    /// Pushes the frame as it is and publishes it.
    pub(crate) fn push(&mut self) -> Result<()> {
        if !self.outbound.try_reserve(RING_LANE, self.frame.len())?
            || !self.outbound.push(RING_LANE, &self.frame)?
        {
            return Err("the lane is full: fewer messages".into());
        }
        std::hint::black_box(self.outbound.publish());
        Ok(())
    }

    /// Drains one record.
    pub(crate) fn drain(&mut self) -> Result<()> {
        let mut budget = Budget::new(usize::MAX);
        let (lane, length) = self.inbound.next_by_priority(&mut budget)?.ok_or("nothing to drain")?;
        self.inbound.copy_next(lane, self.frame.get_mut(..length).ok_or("another length")?)?;
        std::hint::black_box(self.inbound.release());
        Ok(())
    }
}

/// The client's sealer and the server's opener.
fn keys(suite: Suite) -> Result<(Sealer, Opener)> {
    let psk = Arc::new(Psk::new(&[1; 32])?);
    let mut keys = KeyTable::new();
    keys.insert("eni", Arc::clone(&psk), &[])?;
    let mut server = ServerConfig::new("eipc", Box::new(keys));
    server.features = Features(15);
    let client = ClientConfig {
        suites: Suites::of(&[suite]),
        features: Features(15),
        ..ClientConfig::new(psk, "eni")
    };
    let mut pair = Pair::new(client, Arc::new(server));
    pair.run();
    let now = pair.now;
    // The core does not read what is handed over, but minds whose turn it is.
    pair.server.connection.send_segment(b"offer", now)?;
    pair.run();
    pair.client.connection.send_segment(&Reply::Ready.encode(), now)?;
    let (sealer, _) = pair.client.connection.use_segment()?;
    pair.run();
    let (_, opener) = pair.server.connection.use_segment()?;
    Ok((sealer, opener))
}
