#!/bin/sh
# Time what a new user does: a fresh clone, `make run`, and `make run` again. Prints seconds for each, then the stages.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
there=$(mktemp -d)
git clone --quiet "$here" "$there/geojax"
cd "$there/geojax"
# As on a new machine: nothing compiled before.
export XDG_CACHE_HOME="$there/cache"

seconds() {
    start=$(date +%s.%N)
    "$@" >"$there/log" 2>&1 || { tail -n 50 "$there/log"; exit 1; }
    date +%s.%N | awk -v start="$start" '{ printf "%.1f", $1 - start }'
}

echo "build .venv:     $(seconds make .venv/ready) s"
echo "make run:        $(seconds make run) s"
cp "$there/log" "$there/first.log"
echo "make run, again: $(seconds make run) s"
.venv/bin/geojax times
tail -n 30 "$there/first.log"
echo "left in $there"
