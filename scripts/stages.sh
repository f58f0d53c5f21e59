# Sourced by check.sh and deep.sh: stages in order, the time of each, and an end at the first failing one.
# LOGS is the folder for their output, one file per stage.
rm -rf "$LOGS"
mkdir -p "$LOGS"
table=''

print_table() {
  printf '\n%-20s %6s  %s\n' stage seconds result
  printf '%b' "$table"
}

# stage NAME COMMAND [ARGUMENT...]
stage() {
  local name=$1 started=$SECONDS status
  shift
  printf '\n==> %s\n' "$name"
  # `set -e` must hold inside the stage, so neither `if` nor `||` may stand before it.
  set +e
  (
    set -e
    "$@"
  ) 2>&1 | tee "$LOGS/${name// /-}.log"
  status=${PIPESTATUS[0]}
  set -e
  local result=ok
  ((status == 0)) || result="FAILED ($status)"
  table+=$(printf '%-20s %6d  %s' "$name" $((SECONDS - started)) "$result")'\n'
  if ((status != 0)); then
    print_table
    printf '\n%s failed; its output is in %s\n' "$name" "$LOGS/${name// /-}.log" >&2
    exit 1
  fi
}
