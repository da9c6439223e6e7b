#!/bin/sh
# A MariaDB server for the tests, without root and without a service: Debian's packages, unpacked.
# usage: mariadb.sh FOLDER
# Never fails: where there is none, FOLDER/reason says why, and the tests that need it are skipped with that.
set -u
folder=$1
server=mariadb-server-core
libraries="libaio1 libaio1t64 liburing2 libnuma1"

rm -rf "$folder"
mkdir -p "$folder/deb"

if command -v mariadbd >/dev/null 2>&1 || [ -x /usr/sbin/mariadbd ]; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg >/dev/null 2>&1; then
    echo "mariadbd is not on the PATH and there is no apt-get to download it with" >"$folder/reason"
    exit 0
fi
echo "== MariaDB for the tests: $server into $folder"
download() {
    (cd "$folder/deb" && apt-get download -q "$1") >>"$folder/log" 2>&1
}
if ! download "$server"; then
    # lists of packages that are old name files that are gone
    [ "$(id -u)" = 0 ] && apt-get update -q >>"$folder/log" 2>&1
    if ! download "$server"; then
        echo "apt-get download $server failed: $(tail -n 1 "$folder/log")" >"$folder/reason"
        exit 0
    fi
fi
# what a library is called depends on the release; one that is missing shows when the server starts
for library in $libraries; do
    download "$library" || true
done
for package in "$folder"/deb/*.deb; do
    dpkg -x "$package" "$folder" || echo "dpkg cannot unpack $package" >"$folder/reason"
done
rm -rf "$folder/deb"
