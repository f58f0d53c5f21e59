#!/usr/bin/env bash
# scripts/hostile.sh [WRITES [TIMES]]: the hostile peer in earnest, under AddressSanitizer. WRITES (10000000) random writes and
# flips against the rings; then the real server and the real client in Node against a process that holds key, socket and
# mapping, whose random attacks strike TIMES (20) as often as in `make check`.
set -euo pipefail
cd "$(dirname "$0")/.."

writes=${1:-10000000} times=${2:-20}

echo "==> the rings: $writes writes"
EIPC_HOSTILE_WRITES=$writes scripts/sanitize.sh address cargo test --package eipc-shm \
  --test scribbler --test hostile --test descriptors -- --nocapture --test-threads 2

echo '==> the server and the client in Node'
cargo build --package eipc-shm --example hostile-peer
EIPC_HOSTILE=$times scripts/with-asan-addon.sh npx vitest run test/security/hostile-peer.test.ts --reporter=verbose
