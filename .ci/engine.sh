#!/bin/sh
# Build the compiled engine into a virtual environment, where there is a Rust compiler.
# usage: engine.sh VENV
# Never fails: without it cdsbridge reads the same, only more slowly.
set -u
venv=$1
export CARGO_TARGET_DIR="$PWD/.cache/engine" CARGO_NET_RETRY=1 CARGO_HTTP_TIMEOUT=20
log="$PWD/.cache/engine.log"

if ! command -v cargo >/dev/null 2>&1; then
    echo "== no Rust compiler (https://rustup.rs): flattening does without the compiled engine, at a third of its speed"
    exit 0
fi
mkdir -p .cache
echo "== the compiled engine, with $(cargo --version) (the first time takes half a minute)"
if ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps ./engine \
    >"$log" 2>&1; then
    echo "== it could not be built: $(tail -n 1 "$log") (all of it: .cache/engine.log); flattening does without it" >&2
fi
