#!/usr/bin/env bash
# What CI needs beyond Node and Rust is installed here: Go, for `make interop`, and valgrind, for `make instructions`, where they are missing and
# Debian's can be had. Says what it found.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/require.sh node rust

# install TOOL PACKAGE: only where nobody's own machine is changed by it. Without the tool `make check` skips its stage, by name.
install() {
  scripts/require.sh "$1" 2>/dev/null && return
  [[ ${CI:-} == true && $EUID == 0 ]] && command -v apt-get >/dev/null || return 0
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$2"; } >/dev/null ||
    printf '%s could not be installed\n' "$1" >&2
}
install go golang-go
install valgrind valgrind

missing=0
for tool in node npm cargo rustc git make cc; do # cc: ring compiles C and assembly
  if command -v "$tool" >/dev/null; then
    printf '%-6s %s\n' "$tool" "$("$tool" --version | head -n 1)"
  else
    printf '%-6s missing\n' "$tool" >&2
    missing=1
  fi
done
printf '%-6s %s\n' valgrind "$(valgrind --version 2>/dev/null || echo 'missing: the stage instructions will be skipped')"
printf '%-6s %s\n' go "$(go version 2>/dev/null || echo 'missing: the stage interop will be skipped')"
exit "$missing"
