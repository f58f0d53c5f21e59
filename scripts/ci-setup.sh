#!/usr/bin/env bash
# What CI needs beyond Node and Rust is installed here: Go, for `make interop`, if there is none and Debian's can be had. Says what it found.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/require.sh node rust

# Only where nobody's own machine is changed by it. Without Go `make check` skips the stage `interop`, by name.
if ! scripts/require.sh go 2>/dev/null && [[ ${CI:-} == true && $EUID == 0 ]] && command -v apt-get >/dev/null; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends golang-go; } >/dev/null ||
    echo 'Go could not be installed' >&2
fi

missing=0
for tool in node npm cargo rustc git make cc; do # cc: ring compiles C and assembly
  if command -v "$tool" >/dev/null; then
    printf '%-6s %s\n' "$tool" "$("$tool" --version | head -n 1)"
  else
    printf '%-6s missing\n' "$tool" >&2
    missing=1
  fi
done
printf '%-6s %s\n' go "$(go version 2>/dev/null || echo 'missing: the stage interop will be skipped')"
exit "$missing"
