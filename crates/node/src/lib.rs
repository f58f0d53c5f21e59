//! EIPC for Node: the N-API boundary. It converts and decides nothing.
//!
//! `src/native.ts` is the only importer of what is exported here; `index.d.ts` at the top of the repository shows it. Calls that
//! run once per batch are in [`hot`]; everything else is napi-rs. Failures on the data path cross as numbers of the error table.
#![allow(unsafe_code, reason = "Node-API and libuv are C interfaces; each block says why it holds")]
#![cfg_attr(test, allow(dead_code, reason = "nothing is exported in a test build, which needs Node to run"))]
#![cfg_attr(
    windows,
    allow(dead_code, reason = "wake-ups and poll handles serve shm and unix, which Windows lacks")
)]
#![allow(unreachable_pub, reason = "what JavaScript reaches is exported by attribute, not by path")]

mod audit_chain;
mod audit_verifier;
mod batch;
mod bytes;
mod callback;
mod certificate;
mod cleanup;
mod clock;
#[cfg(unix)]
mod control_socket;
mod deframer;
mod encryption;
mod ended;
mod error;
mod event_loop;
mod file_lock;
mod frame;
mod frame_header;
mod hot;
mod inspection;
mod key;
mod options;
mod patience;
mod pause;
mod poller;
mod protocol;
mod replay_window;
#[cfg(unix)]
mod shared_link;
#[cfg(unix)]
mod shared_plane;
#[cfg(unix)]
mod shm_session;
mod stream_session;
mod timer;
#[cfg(unix)]
mod unix;
mod v1_options;
#[cfg(feature = "vectors")]
mod vectors;

/// The version of this addon; the JavaScript beside it must have the same.
#[napi_derive::napi]
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
