"""Azurite, the emulator of Azure Blob Storage, one for a test process: https://github.com/Azure/Azurite.

It is installed by npm at the first use.  Where that cannot be had, tests skip and say why.
"""

import base64
import email.utils
import fcntl
import hashlib
import hmac
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

VERSION = "3.37.0"
"""3.35 ignores where a listing is to start, so a Delta log cannot be followed."""

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Published by Microsoft for emulators; no secret."""

PATIENCE = 60.0
"""Seconds it has to start."""

_UNTESTED = "Delta tables on object storage are NOT tested"
_CACHE = Path(__file__).resolve().parents[2] / ".cache" / "azurite"
_MAIN = _CACHE / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"


def installed() -> Path:
    """Return the program, installed if need be; one process of many installs it."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip(
            "Delta tables on object storage are NOT tested: Azurite needs node and npm, which are not here"
        )
    _CACHE.mkdir(parents=True, exist_ok=True)
    mark = _CACHE / f"ready-{VERSION}"
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not mark.exists():
            command = [
                npm,
                "install",
                "--no-audit",
                "--no-fund",
                "--prefix",
                str(_CACHE),
                f"azurite@{VERSION}",
            ]
            done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
            if done.returncode:
                pytest.skip(
                    f"Delta tables on object storage are NOT tested: no Azurite: {done.stderr[-300:]}"
                )
            mark.touch()
    return Path(node)


@contextmanager
def running(folder: Path, port: int = 0) -> Iterator[str]:
    """Run an Azurite whose data lie in a folder; yield its endpoint, the account included."""
    node = installed()
    port = port or _free_port()
    command = [str(node), str(_MAIN), "--blobHost", "127.0.0.1", "--blobPort", str(port)]
    command += ["--location", str(folder), "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    with (folder / "azurite.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _await(port, process)
            yield f"http://127.0.0.1:{port}/{ACCOUNT}"
        finally:
            process.terminate()
            process.wait(timeout=30)


def make_container(endpoint: str, name: str) -> None:
    """Make a container, which no library of ours can."""
    date = email.utils.formatdate(usegmt=True)
    headers = {"x-ms-date": date, "x-ms-version": "2021-12-02"}
    told = "".join(f"{header}:{value}\n" for header, value in headers.items())
    text = f"PUT{chr(10) * 12}{told}/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    headers["Content-Length"] = "0"
    request = urllib.request.Request(f"{endpoint}/{name}?restype=container", method="PUT", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 201


def options(endpoint: str, key: str = KEY) -> dict[str, str]:
    """Return the settings by which a store is opened."""
    return {"account_name": ACCOUNT, "account_key": key, "endpoint": endpoint, "allow_http": "true"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.05)
    raise AssertionError(f"Azurite did not start; it ended with {process.poll()}")
