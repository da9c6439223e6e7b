"""Kill points x sinks x seeds: what a sink holds after its committer was killed at every named point.

For each sink and seed a simulated day is committed by processes that are
killed one after another: once at each named point, in random order, after a
random number of passes, and once at a random moment.  What was not
acknowledged comes again in other batches and another order; so does a tenth
of what was.  Then histories are compared with those of one undisturbed
commit, and the current state, column by column, with the simulator's truth.
Exits with 1 if anything does not hold.

    python bench/crashes.py                                   50 seeds, every sink
    python bench/crashes.py --seeds 3 --sinks delta postgresql
"""

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from crashing_sinks import POINTS, RANDOM, Verdict, battle, load_of
from rich import box
from rich.console import Console
from rich.table import Table

from cdsbridge.sinks import DeltaSink, ParquetSink, SqlSink
from cdsbridge.sinks.base import Sink

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

Place = Callable[[Path, str], Sink]
SINKS = ("parquet", "sqlite", "postgresql", "mariadb", "duckdb", "delta", "delta-azurite")


def places(names: list[str], stack: ExitStack) -> dict[str, Place]:
    """Start the servers some sinks need, and return how to make an empty sink of each kind."""
    found: dict[str, Place] = {
        "parquet": lambda folder, _: ParquetSink(url=str(folder / "parquet")),
        "sqlite": lambda folder, _: SqlSink.model_validate({"url": f"sqlite:///{folder}/rows.db"}),
        "duckdb": lambda folder, _: SqlSink.model_validate({"url": f"duckdb:///{folder}/rows.duckdb"}),
        "delta": lambda folder, _: DeltaSink(url=str(folder / "delta")),
    }
    if "postgresql" in names:
        found["postgresql"] = _postgresql()
    if "mariadb" in names:
        found["mariadb"] = _mariadb()
    if "delta-azurite" in names:
        found["delta-azurite"] = _azurite(stack)
    return {name: found[name] for name in names}


def _postgresql() -> Place:
    import psycopg  # noqa: PLC0415

    from tests.sinks import servers  # noqa: PLC0415

    socket = servers.postgresql().folder

    def made(_: Path, name: str) -> Sink:
        with psycopg.connect(host=str(socket), user="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        url = f"postgresql://postgres@/postgres?host={socket}&options=-csearch_path%3D{name}"
        return SqlSink.model_validate({"url": url})

    return made


def _mariadb() -> Place:
    import pymysql  # noqa: PLC0415

    from tests.sinks import servers  # noqa: PLC0415

    socket = servers.mariadb().socket

    def made(_: Path, name: str) -> Sink:
        with (
            pymysql.connect(unix_socket=str(socket), user="root") as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(f"CREATE DATABASE {name}")
        return SqlSink.model_validate(
            {"url": f"mysql://root@localhost/{name}?unix_socket={socket}&local_infile=1"}
        )

    return made


def _azurite(stack: ExitStack) -> Place:
    from tests.sinks import azurite  # noqa: PLC0415

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="azurite-")))
    endpoint = stack.enter_context(azurite.running(folder))
    azurite.make_container(endpoint, "box")
    return lambda _, name: DeltaSink.model_validate(
        {"url": f"az://box/{name}", "options": azurite.options(endpoint)}
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--sinks", nargs="+", choices=SINKS, default=list(SINKS))
    arguments = parser.parse_args()
    begun = time.monotonic()
    found: dict[str, list[Verdict]] = defaultdict(list)
    with ExitStack() as stack:
        makers = places(arguments.sinks, stack)
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            with tempfile.TemporaryDirectory(prefix="crashes-") as root:
                load = load_of(seed, arguments.events, Path(root))
                for name, made in makers.items():
                    folder = Path(root, name)
                    folder.mkdir()
                    verdict = battle(load, made(folder, f"seed_{seed}"), folder, seed, (*POINTS, RANDOM))
                    found[name].append(verdict)
                    for fault in verdict.faults:
                        print(f"{name}, seed {seed}: {fault}", file=sys.stderr, flush=True)
            print(f"seed {seed}: {(time.monotonic() - begun) / 60:.1f} minutes", file=sys.stderr, flush=True)
    show(found)
    return 1 if any(each.faults for verdicts in found.values() for each in verdicts) else 0


def show(found: dict[str, list[Verdict]]) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("sink", "seeds", "kills", "commits", "messages again", "seeds with a fault"):
        table.add_column(name, justify="left" if name == "sink" else "right")
    for name, verdicts in found.items():
        numbers = (
            len(verdicts),
            sum(each.kills for each in verdicts),
            sum(each.flushes for each in verdicts),
            sum(each.again for each in verdicts),
            sum(bool(each.faults) for each in verdicts),
        )
        table.add_row(name, *(f"{number:,}" for number in numbers))
    Console(width=110).print(table)


if __name__ == "__main__":
    sys.exit(main())
