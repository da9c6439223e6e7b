"""The command ``hydrate``: work off the list of truncated rows."""

import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Final

import typer

from ..model.batch import FlattenedBatch
from ..model.envelope import Envelope, MicroBatch
from ..model.errors import BridgeError, ConfigError, NotPermitted, ServiceUnreachable
from ..model.verdict import Outcome, Verdict
from ..sinks.commit import Committer, Limits
from ..sinks.waiting import waiting
from ..tables.hydration import TruncatedRow, hydration_id
from ..tables.metadata import Metadata, load_metadata
from ..transforms.assembly import assemble
from ..webapi.client import WebClient
from .config import BridgeConfig, DataverseConfig
from .exit import Exit, exit_code
from .hydration import AWAY, End, Hydration, Hydrator
from .live import live_line
from .load import load_config

_AT_ONCE: Final = 5_000
"""Rows in one commit."""
_SHOWN: Final = 20
"""Rows whose reasons are printed."""


@dataclass(frozen=True, slots=True)
class Stays:
    """A row that stays on the list, and why."""

    table: str
    id: str | None
    event: str
    end: str
    reason: str


@dataclass(slots=True)
class Report:
    """What became of the list.

    Attributes:
        hydrated: Rows read again and committed.
        deleted: Rows that Dataverse has no more, committed as deletes.
        waiting: Rows that are still on the list.
        ends: Of those that were asked for, why, and how many.
        stays: The first of those.
        tables: Table to rows that are still on the list.
        error: What ended the work early, or the empty string.
    """

    hydrated: int = 0
    deleted: int = 0
    waiting: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    stays: list[Stays] = field(default_factory=list)
    tables: dict[str, int] = field(default_factory=dict)
    error: str = ""

    def add(self, ended: Iterable[Hydration]) -> None:
        """Count what became of some rows."""
        for each in ended:
            if each.end is End.HYDRATED:
                self.hydrated += 1
            elif each.end is End.DELETED:
                self.deleted += 1
            else:
                row = each.truncated
                self.leave(row.table)
                self.ends[each.end] = self.ends.get(each.end, 0) + 1
                if len(self.stays) < _SHOWN:
                    self.stays.append(Stays(row.table, row.id, row.event_id, each.end, each.reason))

    def leave(self, table: str) -> None:
        """Count a row that stays on the list."""
        self.waiting += 1
        self.tables[table] = self.tables.get(table, 0) + 1


def work_off(
    config: BridgeConfig, client: WebClient, limit: int | None = None, *, quiet: bool = True
) -> tuple[Report, BridgeError | None]:
    """Read the list, ask for its rows, and commit the answers to every sink.

    What was read before an error is committed all the same.

    Args:
        config: Of the bridge.
        client: Whom to ask.
        limit: Rows to ask for at most.
        quiet: Show no progress.

    Returns:
        What became of the list, and what ended the work early.

    Raises:
        SinkUnavailable: A sink cannot be read or written.
        ConfigError: The metadata cannot be read.
    """
    report, trouble = Report(), None
    hydrator = Hydrator(client, _metadata(config), binaries=config.flatten.binaries)
    with ExitStack() as stack:
        tell = stack.enter_context(live_line(quiet))
        rows = stack.enter_context(closing(_listed(config)))
        commit = _Commit(config, report)
        stack.callback(commit.close)
        for some in _pieces(islice(rows, limit), client.api.batch):
            try:
                commit.add(hydrator.hydrate(some))
            except AWAY as error:
                trouble = error
                for row in some:
                    report.leave(row.table)
                break
            tell(f"hydrated {report.hydrated:,}, deleted {report.deleted:,}, waiting {report.waiting:,}")
        commit.flush()
        for row in rows:
            report.leave(row.table)
    report.error = str(trouble or "")
    return report, trouble


def look(config: BridgeConfig) -> Report:
    """Read the list and change nothing.

    Raises:
        SinkUnavailable: A sink cannot be read.
    """
    report = Report()
    with closing(_listed(config)) as rows:
        for row in rows:
            report.leave(row.table)
    return report


def hydrate_command(
    conf: Path, settings: Sequence[str], dry_run: bool, limit: int | None, output: str, quiet: bool
) -> int:
    """Work off the list of a bridge and report; return the exit code."""
    config = load_config(conf, settings)
    trouble: BridgeError | None = None
    if dry_run:
        report = look(config)
    else:
        with closing(WebClient(_api(config))) as client:
            report, trouble = work_off(config, client, limit, quiet=quiet or output == "json")
    code = _code(report, trouble)
    if output == "json":
        typer.echo(json.dumps({"exit": int(code), **asdict(report)}))
    else:
        for line in _lines(config.name, report):
            typer.echo(line)
    return code


def _api(config: BridgeConfig) -> DataverseConfig:
    if config.dataverse is None:
        raise ConfigError("dataverse.url: say which Dataverse to ask; see docs/metadata-and-hydration.md")
    return config.dataverse


def _metadata(config: BridgeConfig) -> Metadata:
    return Metadata() if config.metadata is None else load_metadata(config.metadata)


def _listed(config: BridgeConfig) -> Generator[TruncatedRow]:
    with ExitStack() as stack:
        histories = [sink for sink in config.sinks if sink.history]
        yield from waiting([stack.enter_context(closing(sink.read())) for sink in histories])


def _pieces(rows: Iterable[TruncatedRow], size: int) -> Iterator[list[TruncatedRow]]:
    rest = iter(rows)
    while piece := list(islice(rest, size)):
        yield piece


class _Commit:
    """Gathers answers, commits them, and reports what became of each."""

    def __init__(self, config: BridgeConfig, report: Report) -> None:
        self._committer = Committer(
            config.sinks,
            limits=Limits(rows=_AT_ONCE),
            accounted=False,
            contracts=config.contracts,
            profile=config.profile,
        )
        self._report = report
        self._gathered: list[Hydration] = []

    def add(self, ended: Sequence[Hydration]) -> None:
        self._report.add(each for each in ended if each.made is None)
        answered = [each for each in ended if each.made is not None]
        if answered:
            self._committer.add(_flattened(answered))
            # the rows stand in the batch now; large ones need not stand in memory twice
            self._gathered += [replace(each, made=None) for each in answered]
        if self._committer.due:
            self.flush()

    def flush(self) -> None:
        verdicts = [item.verdict for batch in self._committer.flush() for item in batch.dispositions]
        self._report.add(map(_committed, self._gathered, verdicts))
        self._gathered.clear()

    def close(self) -> None:
        self._committer.close()


def _flattened(answered: Sequence[Hydration]) -> FlattenedBatch:
    """Return answers as a batch, an envelope each: verdicts are given by envelope."""
    envelopes = tuple(
        Envelope(b"", each.truncated.entity, each.truncated.sequence_number) for each in answered
    )
    verdicts = tuple(
        Verdict(Outcome.COMMITTED, hydration_id(each.truncated.event_id).removesuffix("-0"), 1)
        for each in answered
    )
    made = [(position, each.made) for position, each in enumerate(answered) if each.made is not None]
    return FlattenedBatch(MicroBatch("", envelopes), assemble(made), verdicts)


def _committed(answered: Hydration, verdict: Verdict) -> Hydration:
    if verdict.outcome is Outcome.COMMITTED:
        return answered
    return replace(answered, end=End.BAD_VALUE, reason=verdict.sentence)


def _code(report: Report, trouble: BridgeError | None) -> Exit:
    if trouble is not None:
        return exit_code(trouble)
    if report.ends.get(End.FORBIDDEN):
        return exit_code(NotPermitted())
    if report.ends.get(End.THROTTLED):
        return exit_code(ServiceUnreachable())
    return Exit.ROWS_WAIT if report.waiting else Exit.OK


def _lines(name: str, report: Report) -> Iterator[str]:
    yield (
        f"{name}: hydrated {report.hydrated:,}, deleted since {report.deleted:,}, "
        f"still waiting {report.waiting:,}"
    )
    for table, count in sorted(report.tables.items()):
        yield f"{name}: {count:,} of {table} wait"
    for stays in report.stays:
        yield f"{name}: {stays.table} {stays.id or '(no key)'}: {stays.end}: {stays.reason}"
    hidden = sum(report.ends.values()) - len(report.stays)
    if hidden:
        yield f"{name}: and {hidden:,} more"
    if report.error:
        yield f"{name}: ended early: {report.error}"
