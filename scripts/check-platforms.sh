#!/usr/bin/env bash
# Type-checks the crates for the platforms that this machine is not, as far as a Rust here has their standard library.
# Says of each target whether it was checked, and why not. Nothing is installed, linked or run.
#
# A Rust is asked in this order: the `rustc` of the PATH (`rustup target add TARGET`), then those that scripts/platforms/rust.sh
# has put into the cache folder.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly TARGETS=(
  aarch64-unknown-linux-gnu
  armv7-unknown-linux-gnueabihf
  x86_64-pc-windows-gnu
  x86_64-apple-darwin
  aarch64-apple-darwin
)
readonly CACHE=${EIPC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/eipc}
readonly SCRATCH=${CARGO_TARGET_DIR:-$PWD/target}/platforms

# rustc_for TARGET: prints a rustc that has the target's standard library; fails if there is none.
rustc_for() {
  local rustc library
  for rustc in rustc "$CACHE"/rust-*/bin/rustc; do
    library=$("$rustc" --print target-libdir --target "$1" 2>/dev/null) || continue
    compgen -G "$library/libstd-*" >/dev/null && printf '%s\n' "$rustc" && return
  done
  return 1
}

# A type check links nothing, so what would be linked need only be there: objects for the build script of `ring`, which compiles C,
# and a library for that of `napi`, which looks for Node's on x86_64-pc-windows-gnu.
make_stand_ins() {
  mkdir -p "$SCRATCH"
  : >"$SCRATCH/libnode.dll"
  printf '%s\n' '#!/bin/sh' 'while [ $# -gt 0 ]; do' '  [ "$1" = -o ] && : >"$2"' '  shift' 'done' >"$SCRATCH/cc"
  chmod +x "$SCRATCH/cc"
  export LIBNODE_PATH=$SCRATCH
}

# check RUSTC TARGET...: the crates, and the tests of the one that differs between platforms.
check() {
  local rustc=$1 version target arguments
  shift
  version=$("$rustc" --version | cut -d ' ' -f 2)
  # Build scripts and macros run once: to optimise them, as the tests' profile does, takes longer than it gains.
  arguments=(--quiet --target-dir "$SCRATCH/$version" --config 'profile.dev.package."*".opt-level=0')
  for target in "$@"; do
    arguments+=(--target "$target")
    export "CC_${target//-/_}=$SCRATCH/cc" "AR_${target//-/_}=true"
  done
  export RUSTC=$rustc RUSTFLAGS='-D warnings'
  cargo check "${arguments[@]}" -p eipc-core -p eipc-shm -p eipc-node
  cargo check "${arguments[@]}" -p eipc-shm --tests
}

host=$(rustc --print host-tuple)
declare -A found=()
for target in "${TARGETS[@]}"; do
  if [[ $target == "$host" ]]; then
    printf '%-30s skipped: it is this machine, which every other stage checks\n' "$target"
  elif rustc=$(rustc_for "$target"); then
    found[$rustc]+="$target "
  else
    printf '%-30s skipped: no Rust here has its standard library\n' "$target"
  fi
done

((${#found[@]} == 0)) || make_stand_ins
for rustc in "${!found[@]}"; do
  read -ra targets <<<"${found[$rustc]}"
  (check "$rustc" "${targets[@]}")
  for target in "${targets[@]}"; do printf '%-30s checked with %s\n' "$target" "$("$rustc" --version)"; done
done
