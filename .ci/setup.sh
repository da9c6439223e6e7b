#!/bin/sh
# Make a virtual environment with what a lock file names, and this project in it.
# usage: setup.sh VENV LOCK
set -eu
venv=$1
lock=$2

fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

if ! { [ -x "$venv/bin/python" ] && fits "$venv/bin/python"; }; then
    python=
    for name in "${PYTHON_FOR_VENV:-}" python3 python3.13 python3.12 python3.11 python; do
        if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1 && fits "$name"; then
            python=$name
            break
        fi
    done
    if [ -z "$python" ]; then
        echo "set-up: Python 3.11, 3.12 or 3.13 is needed and was not found on the PATH." >&2
        echo "set-up: macOS: brew install python@3.13; Debian, Ubuntu: apt install python3 python3-venv" >&2
        exit 1
    fi
    echo "== virtual environment in $venv, with $("$python" --version)"
    rm -rf "$venv"
    if ! "$python" -m venv "$venv"; then
        echo "set-up: $python cannot make virtual environments; Debian, Ubuntu: apt install python3-venv" >&2
        exit 1
    fi
fi

echo "== dependencies of $lock (the first time takes some minutes)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -e .
