#!/usr/bin/env bash
# scripts/sanitize.sh address|thread COMMAND…: runs a cargo command whose code is built with that sanitizer, on the stable
# toolchain. The target directory is its own (target/address, target/thread), so that ordinary builds stay what they are.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly sanitizer=${1:?address or thread}
shift
flags="-Zsanitizer=$sanitizer"
# The standard library that comes with the toolchain has no ThreadSanitizer; everything of ours has.
[[ $sanitizer != thread ]] || flags+=' -Cunsafe-allow-abi-mismatch=sanitizer'
export RUSTC_BOOTSTRAP=1 RUSTFLAGS="$flags"
# With a target of its own, build scripts and procedural macros are built without it.
CARGO_BUILD_TARGET=$(rustc --print host-tuple)
export CARGO_BUILD_TARGET CARGO_TARGET_DIR="target/$sanitizer"
exec "$@"
