"""Spoilt messages that coverage guides: atheris (libFuzzer) around ``flatten_one``.

atheris is no dependency: ``bench/fuzz.py --atheris`` installs it into ``.cache``
and starts this file with it (https://github.com/google/atheris).
"""

import argparse
import importlib
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

HOME: Final = Path(__file__).parents[1] / ".cache" / "atheris"
LONGEST: Final = 65_536
"""Bytes of an input."""


def run(seed: int, seconds: float, only: Sequence[str], keep: Path) -> int:
    """Install atheris where it is not, and start it; return its exit code."""
    if not HOME.is_dir():
        venv.create(HOME, with_pip=True)
        subprocess.run([HOME / "bin" / "python", "-m", "pip", "install", "--quiet", "atheris"], check=True)
    packages = sysconfig.get_path("purelib", vars={"base": str(HOME)})
    environment = {**os.environ, "PYTHONPATH": packages}
    command = [sys.executable, __file__, "--seed", str(seed), "--keep", str(keep)]
    command += [f"--seconds={min(int(min(seconds, 10**9)), 10**9)}", *(f"--only={kind}" for kind in only)]
    return subprocess.run(command, env=environment, check=False).returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--only", action="append", required=True)
    parser.add_argument("--keep", type=Path, required=True)
    given = parser.parse_args()
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["cdsbridge.transforms", "cdsbridge.tables"]):
        import fuzz  # noqa: PLC0415
        from fuzz_seeds import seeds  # noqa: PLC0415

    prover = fuzz.Prover(given.seed, tuple(given.only))

    def one_input(body: bytes) -> None:
        _, faults = prover.alone(body, measured=False, tally=fuzz.Tally())
        if faults:
            raise AssertionError("; ".join(faults))

    given.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for kind in given.only:
            for number, body in enumerate(seeds()[kind]):
                (Path(corpus) / f"{kind}-{number}").write_bytes(body)
        options = [f"-max_total_time={given.seconds}", f"-seed={given.seed}", f"-max_len={LONGEST}"]
        options += [f"-artifact_prefix={given.keep}/", "-timeout=5", "-rss_limit_mb=2048"]
        atheris.Setup([sys.argv[0], *options, corpus], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
