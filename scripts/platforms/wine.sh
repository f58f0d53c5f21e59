# Running Node for Windows under Wine, with an addon that mingw links. To be sourced after cache.sh and standard-library.sh.
#
# What runs is libuv's code for Windows, on pipes and sockets of Wine. The addon that ships is linked by Microsoft's linker on Windows; this
# one has the same source and another C library.

readonly MINGW=x86_64-w64-mingw32
readonly WINDOWS_TARGET=x86_64-pc-windows-gnu

require_wine() {
  # Debian installs it beside the PATH.
  [[ -d /usr/lib/wine ]] && PATH=$PATH:/usr/lib/wine
  local tool
  for tool in wine64 "$MINGW-gcc" "$MINGW-dlltool" "$MINGW-objdump"; do
    command -v "$tool" >/dev/null || unavailable "$tool is missing: apt-get install wine64 gcc-mingw-w64-x86-64"
  done
}

# build_for_wine NODE FOLDER: builds the addon for Windows, whose symbols NODE/bin/node.exe has, into FOLDER.
build_for_wine() {
  local node=$1/bin/node.exe folder=$2
  mkdir -p "$folder"
  {
    printf 'LIBRARY node.exe\nEXPORTS\n'
    "$MINGW-objdump" -p "$node" | awk '/Ordinal\/Name Pointer/ { names = 1 } names && $NF ~ /^(napi_|node_api_)/ { print $NF }' | sort -u
  } >"$folder/node.def"
  "$MINGW-dlltool" -d "$folder/node.def" -l "$folder/libnode.dll.a"
  : >"$folder/libnode.dll" # napi-build looks for it; the linker takes the library above
  # Rust asks it for random numbers, and Wine has it since version 9.
  printf '%s\n' '#include <windows.h>' 'BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);' \
    '__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T length) { return SystemFunction036(bytes, (ULONG)length); }' |
    "$MINGW-gcc" -shared -x c - -o "$folder/bcryptprimitives.dll" -ladvapi32
  CC_x86_64_pc_windows_gnu=$MINGW-gcc AR_x86_64_pc_windows_gnu=$MINGW-ar LIBNODE_PATH=$folder \
    CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=$MINGW-gcc \
    with_rust "$WINDOWS_TARGET" cargo build --release --package eipc-node --target "$WINDOWS_TARGET"
  cp "${CARGO_TARGET_DIR:-target}/$WINDOWS_TARGET/release/eipc_node.dll" "$folder/eipc.win32-x64-msvc.node"
}

# wine_node NODE FOLDER ARGUMENT...: runs a program in the current folder. FOLDER has what `build_for_wine` made.
wine_node() {
  local node=$1/bin/node.exe folder=$2 status=0
  shift 2
  export WINEPREFIX=$folder/prefix WINEDEBUG=-all NODE_SKIP_PLATFORM_CHECK=1
  if [[ ! -d $WINEPREFIX ]]; then
    wine64 wineboot --init >/dev/null 2>&1 </dev/null
    wine64 winecfg -v win10 >/dev/null 2>&1 </dev/null
    cp "$folder/bcryptprimitives.dll" "$WINEPREFIX/drive_c/windows/system32/"
  fi
  # Node for Windows cannot write to a pipe of Unix.
  wine64 "$node" "$@" </dev/null >"$folder/output" 2>&1 || status=$?
  cat "$folder/output"
  return "$status"
}
