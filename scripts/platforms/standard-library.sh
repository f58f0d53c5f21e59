# The Rust that has the standard library of a target. To be sourced after cache.sh.

# with_rust TARGET COMMAND [ARGUMENT...]: runs the command with the usual Rust, or with the second one (rust.sh) where the usual one cannot
# build for TARGET.
with_rust() {
  local target=$1 libraries
  shift
  libraries=$(rustc --print target-libdir --target "$target")
  if compgen -G "$libraries/libstd-*.rlib" >/dev/null; then
    "$@"
    return
  fi
  say "rustc has no standard library for $target (rustup target add $target would download it)"
  local RUSTC
  RUSTC=$(scripts/platforms/rust.sh "$target")
  export RUSTC
  "$@"
}
