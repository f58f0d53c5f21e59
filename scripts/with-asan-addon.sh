#!/usr/bin/env bash
# scripts/with-asan-addon.sh COMMAND…: builds the addon with AddressSanitizer and runs a command whose Node processes load it
# (test/helpers/sanitized.ts).
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/sanitize.sh address cargo build --package eipc-node
built=target/address/$(rustc --print host-tuple)/debug/libeipc_node.so
grep -q __asan_report_store8 "$built" || {
  echo "$built has no AddressSanitizer in it" >&2
  exit 1
}
cp "$built" target/address/eipc.node # require() wants a name that ends in .node
# The C compiler's runtime: rustc links its own into programs only, and this is a library in Node's process.
runtime=$(${CC:-gcc} -print-file-name=libasan.so)
[[ $runtime == /* ]] || {
  echo 'the C compiler has no libasan.so; on Debian: apt-get install gcc' >&2
  exit 1
}
EIPC_ASAN_ADDON=$PWD/target/address/eipc.node EIPC_ASAN_RUNTIME=$runtime exec "$@"
