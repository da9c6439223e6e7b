#!/bin/sh
# Install the JavaScript client of Service Bus, by tests/emulator/node/package-lock.json, for the tests that use it.
# usage: node.sh FOLDER
set -eu
folder=$1

if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
    echo "== no Node.js here: the tests with the JavaScript client WILL BE SKIPPED (install Node.js 18 or newer)"
    exit 0
fi
echo "== the JavaScript client of Service Bus into $folder, with node $(node --version)"
mkdir -p "$folder"
cp tests/emulator/node/package.json tests/emulator/node/package-lock.json "$folder/"
if ! (cd "$folder" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error); then
    echo "== the JavaScript client did not install: its tests WILL BE SKIPPED" >&2
    exit 0
fi
touch "$folder/node_modules"
