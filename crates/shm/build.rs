//! Declares `cfg(loom)`, which `src/sync.rs` chooses the atomics by. (`lints.workspace = true` leaves no room for a
//! `check-cfg` entry of this crate's own.)

fn main() {
    println!("cargo::rustc-check-cfg=cfg(loom)");
    println!("cargo::rerun-if-changed=build.rs");
}
