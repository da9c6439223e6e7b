#!/bin/sh
# What the compiled engine is held to by itself: its format, its lint, its tests.
set -eu
export CARGO_TARGET_DIR="$PWD/.cache/engine"
echo "== rustfmt, clippy and tests of the compiled engine"
cd engine
if cargo fmt --version >/dev/null 2>&1; then cargo fmt --check; fi
if cargo clippy --version >/dev/null 2>&1; then cargo clippy --quiet --locked -- --deny clippy::correctness --deny clippy::suspicious; fi
cargo test --quiet --locked
