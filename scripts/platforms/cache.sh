# Where the tools for other platforms lie, and how they get there. To be sourced.
#
# Nothing is installed into the system or the repository: everything lies in one folder, which may be removed at any time.
# Every download is pinned by version and SHA-256 at the place that asks for it.

readonly CACHE=${EIPC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/eipc}
# The status of a script that needs what this machine does not have; the reason is its last line on stderr.
readonly UNAVAILABLE=69 # EX_UNAVAILABLE of sysexits.h

if [[ $CACHE != /* ]]; then
  printf 'error: EIPC_CACHE is %s, it must be an absolute path\n' "$CACHE" >&2
  exit 1
fi

say() {
  printf '%s\n' "$*" >&2
}

unavailable() {
  say "$*"
  exit "$UNAVAILABLE"
}

# once PLACE COMMAND [ARGUMENT...]: unless PLACE exists, runs COMMAND with an empty folder as its last argument and renames that to PLACE.
# An interrupted run leaves nothing at PLACE, and of two runs at the same time one waits.
once() {
  local place=$1
  shift
  [[ ! -e $place ]] || return 0
  mkdir -p "${place%/*}"
  (
    flock 9
    [[ ! -e $place ]] || exit 0
    say "making $place"
    rm -rf "$place.unfinished"
    mkdir "$place.unfinished"
    "$@" "$place.unfinished"
    mv "$place.unfinished" "$place"
  ) 9>"$place.lock"
}

# unpack_npm NAME VERSION SHA256 FOLDER: the files of a package of the npm registry; nothing of it is run.
unpack_npm() {
  local name=$1 version=$2 checksum=$3 folder=$4 tarball
  tarball=$(cd "$folder" && npm pack --silent "$name@$version")
  printf '%s  %s\n' "$checksum" "$folder/$tarball" | sha256sum --check --quiet
  tar -xzf "$folder/$tarball" -C "$folder" --strip-components 1
  rm "$folder/$tarball"
}
