#!/usr/bin/env bash
# The hostile peer in earnest, under AddressSanitizer: 10^7 random writes and flips against the rings, then the real server and
# the real client in Node against a process that holds key, socket and mapping. ARGS: WRITES (10000000) and TIMES (20), how
# often the attacks on Node strike, as a multiple of what `make check` does.
set -euo pipefail
cd "$(dirname "$0")/.."

writes=${1:-10000000} times=${2:-20}

asan() {
  scripts/sanitize.sh address "$@"
}

echo "==> the rings: $writes writes"
EIPC_HOSTILE_WRITES=$writes asan cargo test --package eipc-shm \
  --test scribbler --test hostile --test descriptors --test corpus -- --nocapture --test-threads 2

echo '==> Node: the addon with AddressSanitizer'
asan cargo build --package eipc-node
cargo build --package eipc-shm --example hostile-peer
addon=$PWD/target/address/$(rustc --print host-tuple)/debug/libeipc_node.so
grep -q __asan_report_store8 "$addon" || {
  echo "$addon has no AddressSanitizer in it" >&2
  exit 1
}
# The standard runtime of the C compiler: rustc links its own into programs only, and this is a library in Node's process.
runtime=$(${CC:-gcc} -print-file-name=libasan.so)
[[ $runtime == /* ]] || {
  echo 'the C compiler has no libasan.so; on Debian: apt-get install gcc' >&2
  exit 1
}
# require() wants a name that ends in .node.
cp "$addon" target/address/eipc.node
EIPC_ASAN_ADDON=$PWD/target/address/eipc.node EIPC_ASAN_RUNTIME=$runtime EIPC_HOSTILE=$times \
  npx vitest run test/security/hostile-peer.test.ts --reporter=verbose
