//! Links the addon the way Node expects it.

use std::env;

fn main() {
    // For this target napi-build wants a libnode.dll to link with. None is needed: the addon finds Node's functions in the
    // process that loads it.
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "windows") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        return;
    }
    napi_build::setup();
}
