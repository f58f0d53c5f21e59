#!/usr/bin/env bash
# What CI needs beyond Node and Rust is installed here; at present that is nothing. Says what it found.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/require.sh node rust
missing=0
for tool in node npm cargo rustc git make cc; do # cc: ring compiles C and assembly
  if command -v "$tool" >/dev/null; then
    printf '%-6s %s\n' "$tool" "$("$tool" --version | head -n 1)"
  else
    printf '%-6s missing\n' "$tool" >&2
    missing=1
  fi
done
exit "$missing"
