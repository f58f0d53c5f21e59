//! EIPC for Node: the N-API boundary. It converts and decides nothing.
//!
//! `src/native.ts` is the only importer of what is exported here; `index.d.ts` at the top of the repository shows it. Calls that
//! run once per batch are in [`hot`]; everything else is napi-rs. Failures on the data path cross as numbers of the error table.
#![allow(unsafe_code, reason = "Node-API and libuv are C interfaces; each block says why it holds")]
#![cfg_attr(test, allow(dead_code, reason = "nothing is exported in a test build, which needs Node to run"))]
#![allow(unreachable_pub, reason = "what JavaScript reaches is exported by attribute, not by path")]

mod batch;
mod callback;
mod cleanup;
mod clock;
#[cfg(target_os = "linux")]
mod control_socket;
mod deframer;
mod ended;
mod error;
mod hot;
mod key;
mod options;
mod poller;
mod protocol;
#[cfg(target_os = "linux")]
mod shared_link;
#[cfg(target_os = "linux")]
mod shared_plane;
#[cfg(target_os = "linux")]
mod shm_session;
mod stream_session;
#[cfg(target_os = "linux")]
mod unix;
mod uv;
mod v1_options;
