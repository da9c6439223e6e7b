"""Microsoft's own live tests of their Service Bus client, run against the embedded broker.

The tests come with the source distribution of ``azure-servicebus``; it is fetched
once, with all they need, into ``.cache``.  ``bench/live_suite`` gives them
namespaces and entities in brokers of their own processes, through names and
certificates that lead there; tests and client are unchanged.  What does not pass is
listed with its reason in ``bench/live_suite/exceptions.toml``: a listed test that
passes is a failure, as is any other that does not.

    python bench/live.py                                   all, some 15 minutes: most of it is waiting
    python bench/live.py --only test_topic.py
    python bench/live.py --only async_tests -- -k deferred
"""

import argparse
import os
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
SUITE: Final = ROOT / "bench" / "live_suite"
CACHE: Final = ROOT / ".cache"
VENV: Final = CACHE / "live-venv"
MESSAGING: Final = ("test_queues.py", "test_sessions.py", "test_subscriptions.py", "test_topic.py")
ALL: Final = (
    *MESSAGING,
    "test_sb_client.py",
    "test_list_sessions.py",
    "test_message.py",
    "async_tests",
    "mgmt_tests",
)


def main() -> int:
    """Fetch, run, and return what pytest returns."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="+", default=ALL, metavar="PATH", help="files or folders of the tests"
    )
    parser.add_argument("--workers", default="16", help="processes; most of the time they wait")
    parser.add_argument("more", nargs="*", help="for pytest, after --")
    given = parser.parse_args()
    environment()
    return run(tests(), given.only, given.workers, given.more)


def environment() -> None:
    """Install what the tests need, once for each list of it."""
    done, wanted = VENV / "installed.txt", (SUITE / "requirements.txt").read_text(encoding="utf-8")
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pip("install", "-r", str(SUITE / "requirements.txt"))
    pip("install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    done.write_text(wanted, encoding="utf-8")


def tests() -> Path:
    """Return the folder of the tests, fetched if it is not there yet."""
    pinned = (SUITE / "sdist.txt").read_text(encoding="utf-8").split()[0].replace("==", "-")
    name = pinned.replace("azure-servicebus", "azure_servicebus")
    if not (CACHE / name / "tests").is_dir():
        pip(
            "download",
            "--no-deps",
            "--no-binary",
            ":all:",
            "--no-build-isolation",
            "--require-hashes",
            "--dest",
            str(CACHE),
            "-r",
            str(SUITE / "sdist.txt"),
        )
        with tarfile.open(CACHE / f"{name}.tar.gz") as archive:
            archive.extractall(CACHE, filter="data")
    return CACHE / name / "tests"


def pip(*words: str) -> None:
    """Run pip of the tests' environment."""
    subprocess.run(
        [str(VENV / "bin/pip"), words[0], "--quiet", "--disable-pip-version-check", *words[1:]], check=True
    )


def run(folder: Path, paths: Sequence[str], workers: str, more: Sequence[str]) -> int:
    """Run the tests where they lie, and return pytest's exit code."""
    command = [str(VENV / "bin/pytest"), "-c", str(SUITE / "pytest.ini"), f"--rootdir={folder}"]
    command += ["-n", workers, "--maxschedchunk=1", *paths, *more]
    path = os.pathsep.join(filter(None, (str(SUITE), str(folder), os.environ.get("PYTHONPATH"))))
    return subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
