//! Segments with a name (macOS, Windows; docs/shm-abi.md, "A named segment").
//!
//! The server makes one under a random name and sends the name in its offer; the client opens it by that name. As soon
//! as both have mapped it the name goes. Memory and names are the crate `shared_memory`'s (docs/decisions/0005); what
//! it does not look at is looked at here: owner, mode, size, header page. `unix.rs` and `windows.rs` have what their
//! systems let us know about a name. Its link files are never used.
#![allow(unsafe_code, reason = "owns a mapping, and hands its address to `Bytes`")]

mod name;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{Ordering, compiler_fence};
use std::{fmt, io};

use shared_memory::{Shmem, ShmemConf, ShmemError};

use self::name::Name;
#[cfg(unix)]
use self::unix as system;
#[cfg(windows)]
use self::windows as system;
use crate::handover::{HEADER_PAGE_LEN, Offer};
use crate::layout::{Capacities, DATA_OFFSET, Layout};
use crate::map::OpenError;
use crate::region::Seats;
use crate::region::backed::Backed;
use crate::region::bytes::Bytes;

/// Names that are tried before a taken one is an error. None is ever taken by chance.
const ATTEMPTS: usize = 3;
/// No page is larger, so no size is rounded up by this much.
const LARGEST_PAGE: u64 = 65_536;

/// A segment with a name, mapped. Unmapped when the last clone is dropped; the name is gone by then.
#[derive(Debug, Clone)]
pub struct NamedRegion(Arc<Mapping>);

#[derive(Debug)]
struct Mapping {
    bytes: Bytes,
    layout: Layout,
    seats: Seats,
    /// Dropped before the memory.
    name: Name,
    _memory: Memory,
}

/// The mapping as `shared_memory` owns it; it never owns the name (`Name`).
struct Memory(#[allow(dead_code, reason = "held to be dropped")] Shmem);

// SAFETY: a `Shmem` is a descriptor, a name, and the address of a mapping, which belong to no thread; it is not Send
// only because the address is a raw pointer. Here nothing is done with it after `Mapping::new` but to drop it.
unsafe impl Send for Memory {}
// SAFETY: as for Send; a `&Memory` gives access to nothing.
unsafe impl Sync for Memory {}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

/// Makes a segment under the first of `names` that is free.
fn create(
    capacities: Capacities,
    generation: u64,
    mut names: impl FnMut() -> io::Result<String>,
) -> io::Result<(NamedRegion, Offer)> {
    let len = usize::try_from(capacities.total()).map_err(|_| io::ErrorKind::OutOfMemory)?;
    for _ in 0..ATTEMPTS {
        let name = names()?;
        let offer = Offer::named(capacities, generation, &name)
            .ok_or(io::Error::from(io::ErrorKind::InvalidInput))?;
        // Exclusive: a name that exists is never used, whoever made it.
        let mut memory = match ShmemConf::new().os_id(&name).size(len).create() {
            Err(ShmemError::MappingIdExists) => continue,
            created => created.map_err(system_error)?,
        };
        memory.set_owner(false);
        let name = Name::linked(name);
        // Before the first byte is written: what the system made must be as exclusive as it was asked to be.
        system::check_created(&offer).map_err(io::Error::other)?;
        let mapping = Mapping::new(memory, name, &offer).map_err(io::Error::other)?;
        mapping.set_header_page(&offer.header_page());
        return Ok((NamedRegion(Arc::new(mapping)), offer));
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        format!(
            "{ATTEMPTS} random names for a segment were taken already; the system's generator repeats itself, or somebody foresees it"
        ),
    ))
}

/// Maps what has the name of an offer, and takes the name away.
fn open(offer: &Offer) -> Result<NamedRegion, OpenError> {
    let memory = ShmemConf::new().os_id(offer.name()).open();
    let memory = memory.map_err(|error| OpenError::System(system_error(error)))?;
    let mapping = Mapping::new(memory, Name::foreign(offer.name().to_owned()), offer)?;
    // Once, into private memory; the authenticated offer is what counts from here on.
    if mapping.header_page() != offer.header_page() {
        return Err(OpenError::Header);
    }
    // Both sides have it now. Not left to the server alone: it may be killed before it learns of it.
    mapping.name.unlink();
    Ok(NamedRegion(Arc::new(mapping)))
}

impl Mapping {
    fn new(memory: Shmem, name: Name, offer: &Offer) -> Result<Self, OpenError> {
        let layout = offer.layout();
        let data_len = layout.data_len();
        // Of the mapping itself, not of whatever has the name by now.
        if !fits(memory.len() as u64, offer.total()) {
            return Err(OpenError::Size);
        }
        let base = NonNull::new(memory.as_ptr()).filter(|base| base.cast::<u64>().is_aligned());
        let base = base.ok_or_else(|| OpenError::System(io::ErrorKind::InvalidData.into()))?;
        debug_assert_eq!(offer.total(), (DATA_OFFSET + data_len) as u64);
        // SAFETY: the mapping has at least `offer.total()` bytes, which are DATA_OFFSET + data_len, readable and
        // writable, initialised by the system, and aligned. It stays until `memory` is dropped, which happens with
        // these `Bytes`. On macOS the size of a segment can be set only once, and a mapped file cannot be cut off on
        // Windows, so no access can fail later; on Linux, where it could, no process takes a named segment from a peer
        // (`SystemSegment`). No reference into the mapping is made but by `Bytes`.
        let bytes = unsafe { Bytes::new(base, data_len) };
        Ok(Self { bytes, layout, seats: Seats::default(), name, _memory: Memory(memory) })
    }
}

impl Mapping {
    /// Copies the header page out.
    fn header_page(&self) -> [u8; HEADER_PAGE_LEN] {
        let mut page = [0; HEADER_PAGE_LEN];
        // SAFETY: the first HEADER_PAGE_LEN bytes of the mapping, which has more (asserted below) and lives as long as
        // `self`; `page` is private. Whatever a hostile peer writes meanwhile: the copy has some bytes, which u8 allows.
        unsafe { self.bytes.base().copy_to_nonoverlapping(NonNull::from(&mut page).cast(), page.len()) };
        // The compiler may not look at the shared bytes again in place of the copy.
        compiler_fence(Ordering::SeqCst);
        page
    }

    /// Writes the header page of a segment that was made just now.
    fn set_header_page(&self, page: &[u8; HEADER_PAGE_LEN]) {
        // SAFETY: as in `header_page`, for writes. Nobody else knows of the segment yet.
        unsafe { self.bytes.base().copy_from_nonoverlapping(NonNull::from(page).cast(), page.len()) };
    }
}

const _: () = assert!(HEADER_PAGE_LEN <= DATA_OFFSET);

impl Backed for NamedRegion {
    fn layout(&self) -> &Layout {
        &self.0.layout
    }

    fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    fn seats(&self) -> &Seats {
        &self.0.seats
    }

    // Neither system has a call for it. Memory that cannot be had is not a signal there, as it is on tmpfs.
    fn reserve(&self, _offset: usize, _len: usize) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a size is what was asked for, rounded up to pages as macOS and Windows do.
fn fits(size: u64, total: u64) -> bool {
    size.checked_sub(total).is_some_and(|more| more < LARGEST_PAGE)
}

fn system_error(error: ShmemError) -> io::Error {
    match error {
        ShmemError::MapCreateFailed(code)
        | ShmemError::MapOpenFailed(code)
        | ShmemError::UnknownOsError(code) => {
            i32::try_from(code).map_or_else(|_| io::Error::other(error), io::Error::from_raw_os_error)
        }
        error => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Direction, Inbound, Lane, Outbound};

    const SESSION: u64 = 0x5e55_1011;

    fn capacities() -> Capacities {
        Capacities::new([4_096; 8]).unwrap()
    }

    fn fresh() -> (NamedRegion, Offer) {
        create(capacities(), SESSION, name::random).unwrap()
    }

    #[test]
    fn both_ends_of_a_named_segment_see_the_same_messages() {
        let (server, offer) = fresh();
        let offer = Offer::decode(&offer.encode(), SESSION, offer.total()).unwrap();
        let client = open(&offer).unwrap();
        for (from, to, direction) in
            [(&server, &client, Direction::ServerToClient), (&client, &server, Direction::ClientToServer)]
        {
            let mut outbound = Outbound::new(from.clone(), direction).unwrap();
            let mut inbound = Inbound::new(to.clone(), direction, 1).unwrap();
            for lane in Lane::ALL {
                assert!(outbound.push(lane, b"a sealed frame").unwrap());
            }
            assert!(!outbound.publish());
            for lane in Lane::ALL {
                let mut frame = vec![0; inbound.next(lane).unwrap().unwrap()];
                inbound.copy_next(lane, &mut frame).unwrap();
                assert_eq!(frame, b"a sealed frame");
            }
        }
    }

    #[test]
    fn a_name_is_gone_once_both_sides_have_mapped_the_segment() {
        let (_server, offer) = fresh();
        let _client = open(&offer).unwrap();
        assert!(open(&offer).is_err());
    }

    #[test]
    fn a_server_takes_the_name_away_itself_if_the_client_has_not() {
        let (server, offer) = fresh();
        server.0.name.unlink();
        assert!(open(&offer).is_err());
        server.0.name.unlink(); // a second time is no fault
    }

    #[test]
    fn a_segment_that_nobody_wanted_leaves_no_name() {
        let (server, offer) = fresh();
        drop(server);
        assert!(open(&offer).is_err());
    }

    #[test]
    fn a_name_that_is_taken_is_left_alone_and_another_one_is_used() {
        let (squatter, taken) = fresh();
        let mut names = vec![name::random().unwrap(), taken.name().to_owned(), taken.name().to_owned()];
        let (_region, offer) = create(capacities(), 7, || Ok(names.pop().unwrap())).unwrap();
        assert_ne!(offer.name(), taken.name());
        assert_eq!(squatter.0.header_page(), taken.header_page(), "what was there before is unharmed");
        assert!(open(&taken).is_ok(), "and has its name");
    }

    #[test]
    fn a_generator_that_only_gives_taken_names_is_an_error() {
        let (_squatter, taken) = fresh();
        let error = create(capacities(), 7, || Ok(taken.name().to_owned())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert!(open(&taken).is_ok(), "the error left it alone");
    }

    #[test]
    fn a_segment_whose_header_differs_from_its_offer_is_refused() {
        for at in [0, 8, 12, 16, 24, 32, 63, 64, 95, 96, 4_095] {
            let (server, offer) = fresh();
            let mut page = offer.header_page();
            page[at] ^= 1;
            server.0.set_header_page(&page);
            assert!(matches!(open(&offer), Err(OpenError::Header)), "byte {at}");
        }
    }

    #[test]
    fn the_size_that_counts_is_that_of_the_mapping() {
        // The peer changed what its name leads to after it had been looked at.
        let (_server, made) = fresh();
        let larger = Capacities::new([65_536; 8]).unwrap();
        let promised = Offer::named(larger, SESSION, made.name()).unwrap();
        assert!(matches!(open(&promised), Err(OpenError::Size)));
    }

    #[test]
    fn a_size_is_rounded_up_at_most_to_pages() {
        assert!(fits(45_056, 45_056) && fits(49_152, 45_056) && fits(65_536, 45_056));
        assert!(!fits(45_055, 45_056) && !fits(0, 45_056) && !fits(45_056 + 65_536, 45_056));
    }
}
