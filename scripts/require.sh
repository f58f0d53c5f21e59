#!/usr/bin/env bash
# Fails with the remedy when a tool of the build is missing or too old. Usage: scripts/require.sh node|rust|go|valgrind ...
set -euo pipefail

readonly NODE_MINIMUM=20.19
readonly RUST_MINIMUM=1.95
readonly GO_MINIMUM=1.19 # for `make interop` alone
readonly VALGRIND_MINIMUM=3.19 # for `make instructions` alone

refuse() {
  printf 'error: %s\n       %s\n' "$1" "$2" >&2
  exit 1
}

# at_least FOUND MINIMUM: compares major and minor.
at_least() {
  local found_major=${1%%.*} found_minor=${1#*.} minimum_major=${2%%.*} minimum_minor=${2#*.}
  found_minor=${found_minor%%.*}
  ((found_major > minimum_major || (found_major == minimum_major && found_minor >= minimum_minor)))
}

# require NAME MINIMUM FOUND REMEDY: an empty FOUND means the tool is missing.
require() {
  [[ -n $3 ]] || refuse "$1 is missing, EIPC needs $1 >= $2" "$4"
  at_least "$3" "$2" || refuse "$1 $3 is too old, EIPC needs $1 >= $2" "$4"
}

for tool in "$@"; do
  case $tool in
    node)
      remedy='Install it from https://nodejs.org or with a version manager (nvm install 20).'
      require Node.js "$NODE_MINIMUM" "$(node -p process.versions.node 2>/dev/null || true)" "$remedy"
      command -v npm >/dev/null || refuse 'npm is missing' 'It comes with Node.js; some systems package it separately (apt install npm).'
      ;;
    rust)
      remedy='Install it with https://rustup.rs, or update it: rustup update stable.'
      require rustc "$RUST_MINIMUM" "$(rustc --version 2>/dev/null | cut -d ' ' -f 2 || true)" "$remedy"
      require cargo "$RUST_MINIMUM" "$(cargo --version 2>/dev/null | cut -d ' ' -f 2 || true)" "$remedy"
      ;;
    go)
      remedy='Install it from https://go.dev/dl, or as your system packages it (apt install golang-go).'
      require Go "$GO_MINIMUM" "$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed -nE 's/.*go([0-9]+\.[0-9]+).*/\1/p' || true)" "$remedy"
      ;;
    valgrind)
      remedy='Install it as your system packages it (apt install valgrind).'
      require valgrind "$VALGRIND_MINIMUM" "$(valgrind --version 2>/dev/null | sed -nE 's/^valgrind-([0-9.]+).*/\1/p' || true)" "$remedy"
      ;;
    *) refuse "unknown tool: $tool" 'Usage: scripts/require.sh node|rust|go|valgrind ...' ;;
  esac
done
