#!/usr/bin/env bash
# Builds the addon for one target into target/platforms/PLATFORM/eipc.PLATFORM.node, as a release ships it, and checks it.
#
# Usage: scripts/build-platform.sh TARGET        (one of napi.targets in package.json)
#
# On Linux: every Linux target and macOS, with zig as linker, so that glibc 2.17 is enough to load the addon. On macOS and on Windows
# their own targets with their own linkers. Ends with status 69 where TARGET cannot be built here, after saying why.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/platforms/cache.sh
. scripts/platforms/zig.sh
. scripts/platforms/standard-library.sh

(($# == 1)) || { say 'Usage: scripts/build-platform.sh TARGET'; exit 1; }
readonly TARGET=$1
scripts/require.sh node rust
platform=$(node --input-type=module -e '
  import { readFileSync } from "node:fs";
  import { parseTriple } from "@napi-rs/cli";
  const { targets } = JSON.parse(readFileSync("package.json", "utf8")).napi;
  const target = process.argv[1];
  if (!targets.includes(target)) throw new Error(`${target} is not one of ${targets.join(", ")}`);
  console.log(parseTriple(target).platformArchABI);
' "$TARGET")

binary=target/platforms/$platform/eipc.$platform.node
rm -f "$binary" # what does not pass must not be found

build=(--release --package eipc-node --target "$TARGET")
case $(uname -s):$TARGET in
  Linux:*-linux-gnu*)
    build=(zigbuild zigbuild "${build[@]}.2.17")
    library=libeipc_node.so
    ;;
  Linux:*-linux-musl)
    # A shared library uses the libc of its program; a static one of its own would be a second.
    export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=-crt-static"
    build=(zigbuild zigbuild "${build[@]}")
    library=libeipc_node.so
    ;;
  Linux:*-apple-darwin)
    build=(zigbuild zigbuild "${build[@]}")
    library=libeipc_node.dylib
    ;;
  Darwin:*-apple-darwin)
    build=(cargo build "${build[@]}")
    library=libeipc_node.dylib
    ;;
  MINGW*:*-windows-msvc | MSYS*:*-windows-msvc)
    build=(cargo build "${build[@]}")
    library=eipc_node.dll
    ;;
  *) unavailable "$TARGET cannot be built on $(uname -s): it needs that system's own linker and libraries" ;;
esac

with_rust "$TARGET" "${build[@]}"
built=${CARGO_TARGET_DIR:-target}/$TARGET/release/$library
node scripts/platforms/check-binary.js "$platform" "$built"
mkdir -p "${binary%/*}"
cp "$built" "$binary"
