"""The journal gives back what was written, whatever happened to the process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.sources.journal import Journal, read_journal

KEYS = st.lists(st.tuples(st.integers(0, 2**62), st.integers(0, 2**52)), min_size=1, max_size=50)


@given(batches=st.lists(st.tuples(st.sampled_from(["received", "settled"]), KEYS), max_size=8))
def test_what_is_written_is_read_back_in_order(
    tmp_path_factory: object, batches: list[tuple[str, list[tuple[int, int]]]]
) -> None:
    folder = Path(tmp_path_factory.mktemp("journal"))  # type: ignore[attr-defined]
    journal = Journal(folder)
    for event, keys in batches:
        journal.write(event, "orders", keys)  # type: ignore[arg-type]
    journal.close()
    for event in ("received", "settled"):
        expected = [("orders", *key) for kind, keys in batches if kind == event for key in keys]
        assert list(read_journal(folder, event)) == expected  # type: ignore[arg-type]


def test_a_line_outlives_a_killed_process(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from cdsbridge.sources.journal import Journal;"
        "Journal(Path(sys.argv[1])).write('received', 'q', [(1, 2), (3, 4)]);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False, env=os.environ)
    assert ended.returncode == -signal.SIGKILL
    assert list(read_journal(tmp_path, "received")) == [("q", 1, 2), ("q", 3, 4)]


def test_a_line_cut_short_is_passed_over(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write("received", "q", [(1, 2)])
    journal.close()
    (file,) = tmp_path.glob("*.jsonl")
    file.write_text(file.read_text() + '{"event": "recei')
    assert list(read_journal(tmp_path, "received")) == [("q", 1, 2)]


def test_an_unchanged_journal_is_small(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write(
        "received", "q", [(number, 1_700_000_000_000_000 + 1000 * number) for number in range(1000)]
    )
    journal.close()
    (file,) = tmp_path.glob("*.jsonl")
    assert file.stat().st_size < 8 * 1000
