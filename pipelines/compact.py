"""The commands ``compact`` and ``vacuum``: files of the sinks merged, and removed when nobody needs them.

Each kind of sink has its own way; what they report is told alike.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import typer

from ..model.errors import ConfigError
from ..sinks.parquet.compact import compact as compact_parquet
from ..sinks.parquet.compact import tables_in
from ..sinks.parquet.lake import ParquetLake
from .exit import Exit
from .live import live_line
from .load import load_config

_DELTA: Final = "delta"

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of one table of one sink.

    Attributes:
        sink: Name of the sink.
        table: Name of the table in it.
        files_before: Files there were.
        files_after: Files there are; what there were, if nothing was to be written.
        merged: Files that were merged, or are to be.
        repeats: Rows dropped, or to be dropped, because another stands for them.
        bytes_before: Bytes of the files, where the sink tells.
        bytes_after: Likewise.
    """

    sink: str
    table: str
    files_before: int
    files_after: int
    merged: int
    repeats: int
    bytes_before: int | None = None
    bytes_after: int | None = None

    def line(self) -> str:
        """Return it as a sentence."""
        told = f"{self.sink}: {self.table}: {self.files_before:,} files"
        if self.files_after != self.files_before:
            told += f" are {self.files_after:,} now"
        elif self.merged:
            told += f", {self.merged:,} of them to be merged"
        if self.bytes_before is not None and self.bytes_after is not None:
            saved = self.bytes_before - self.bytes_after
            told += f", {self.bytes_after:,} bytes" + (f", {saved:,} saved" if saved > 0 else "")
        return told + (f"; {self.repeats:,} repeats" if self.repeats else "")


def compact_sinks(
    sinks: Sequence[Any], tables: Sequence[str], *, dry_run: bool, grace: float, tell: Tell = lambda _: None
) -> Iterator[Kept]:
    """Merge small files of every sink that has files.

    Args:
        sinks: Of the bridge.
        tables: Names, with or without ``_history``; all if none is given.
        dry_run: Look only.
        grace: Seconds that old files of Parquet sinks stay beside the new ones.
        tell: Hears how far the work is.

    Raises:
        ConfigError: No sink has a table of some name, or can do what is asked.
        SinkUnavailable: A sink is away; run it again.
    """
    places = [(sink, tables_in(sink)) for sink in sinks if isinstance(sink, ParquetLake)]
    lakes = [sink for sink in sinks if sink.kind == _DELTA]
    if lakes and (tables or dry_run):
        raise ConfigError(
            f"{lakes[0].name}: a Delta table is compacted as it is: leave out --table and --dry-run, "
            "or the sink, with --sink"
        )
    there = {name for _, names in places for name in names}
    wanted = {_meant(name, there) for name in tables}
    for sink, names in places:
        asked = [name for name in names if not wanted or name in wanted]
        for done in compact_parquet(sink, asked, dry_run=dry_run, grace=grace, tell=tell) if asked else ():
            yield Kept(
                sink.name,
                done.table,
                done.files,
                done.files if dry_run else done.files - done.merged + done.written,
                done.merged,
                done.repeats,
                done.size,
                done.size if dry_run else done.size - done.merged_size + done.written_size,
            )
    for sink in lakes:
        yield from _compacted_delta(sink)


def compact_command(
    conf: Path,
    settings: Sequence[str],
    only: Sequence[str],
    tables: Sequence[str],
    dry_run: bool,
    grace: float,
    output: str,
    quiet: bool,
) -> int:
    """Compact the sinks of a bridge and report; return the exit code."""
    config = load_config(conf, settings)
    sinks = _chosen(config.sinks, only)
    with live_line(quiet or output == "json") as tell:
        done = list(compact_sinks(sinks, tables, dry_run=dry_run, grace=grace, tell=tell))
    if output == "json":
        typer.echo(json.dumps({"dry_run": dry_run, "tables": [asdict(each) for each in done]}))
        return Exit.OK
    for each in done:
        typer.echo(each.line())
    typer.echo(f"{config.name}: " + (_total(done) if done else "no sink has files to compact"))
    return Exit.OK


def vacuum_command(
    conf: Path,
    settings: Sequence[str],
    only: Sequence[str],
    hours: float,
    dry_run: bool,
    force: bool,
    output: str,
) -> int:
    """Remove files that no Delta table refers to any more; return the exit code."""
    from ..sinks.delta import upkeep  # noqa: PLC0415 - other sinks need not wait for deltalake

    config = load_config(conf, settings)
    lakes: list[Any] = [sink for sink in _chosen(config.sinks, only) if sink.kind == _DELTA]
    found = {
        lake.name: {each.table: list(each.files) for each in upkeep.vacuum(lake, hours, dry_run, force)}
        for lake in lakes
    }
    if output == "json":
        typer.echo(json.dumps({"dry_run": dry_run, "sinks": found}))
        return Exit.OK
    done = "to be removed" if dry_run else "removed"
    for sink, tables in found.items():
        for table, files in tables.items():
            typer.echo(f"{sink}: {table}: {len(files):,} files {done}")
    if not lakes:
        typer.echo(f"{config.name}: no sink is a Delta lake; nothing else keeps files that nobody refers to")
    return Exit.OK


def _compacted_delta(sink: Any) -> Iterator[Kept]:
    from ..sinks.delta import upkeep  # noqa: PLC0415 - other sinks need not wait for deltalake

    for done in upkeep.compact(sink):
        merged = done.files_before if done.files_after != done.files_before else 0
        yield Kept(sink.name, done.table, done.files_before, done.files_after, merged, done.repeats)


def _chosen(sinks: Sequence[Any], only: Sequence[str]) -> list[Any]:
    known = {name for sink in sinks for name in (sink.name, sink.kind)}
    if lacking := sorted(set(only) - known):
        raise ConfigError(
            f"--sink {lacking[0]}: name a sink by its name or kind; the configuration has "
            + ", ".join(sink.name for sink in sinks)
        )
    return [sink for sink in sinks if not only or {sink.name, sink.kind} & set(only)]


def _meant(name: str, there: set[str]) -> str:
    for meant in (name, f"{name}_history"):
        if meant in there:
            return meant
    raise ConfigError(
        f"--table {name}: no Parquet sink has it; there are {', '.join(sorted(there)) or 'none'}"
    )


def _total(done: Sequence[Kept]) -> str:
    before, after = (sum(getattr(each, name) for each in done) for name in ("files_before", "files_after"))
    saved = sum((each.bytes_before or 0) - (each.bytes_after or 0) for each in done)
    repeats = sum(each.repeats for each in done)
    return f"{before:,} files, {after:,} now, {saved:,} bytes saved; {repeats:,} repeats"
