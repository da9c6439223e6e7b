"""The command ``rebuild``: tables made anew from the raw archive, without Service Bus."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import typer
from pydantic import ValidationError

from ..model.counters import counters
from ..model.errors import ConfigError
from ..model.verdict import Outcome, Verdict
from ..sinks import AnySink, ArchiveSink
from ..sinks.archive.reader import Archived, ArchiveReader
from ..sinks.commit import Committer
from ..tables.metadata import Metadata, load_metadata
from ..transforms.flattener import Flattener
from .config import BridgeConfig
from .exit import Exit
from .live import live_line
from .load import load_config

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ENDS: Final = tuple(map(str, Outcome))


@dataclass(frozen=True, slots=True)
class Period:
    """Instants of commit, microseconds since 1970 UTC; ``None`` where it is open.

    Attributes:
        since: The first.
        until: The first that is no more in it.
    """

    since: int | None = None
    until: int | None = None


@dataclass(slots=True)
class Rebuilt:
    """What became of an archive's messages.

    Attributes:
        messages: Distinct messages read.
        then: How they ended when they were archived, and how many.
        now: How they ended this time.
        reasons: Of those rejected this time, why, and how many.
        rows: History rows committed; 0 if nothing was to be written.
        first: The earliest commit read, ISO text in UTC, or the empty string.
        last: The latest.
    """

    messages: int = 0
    then: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_ENDS, 0))
    now: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_ENDS, 0))
    reasons: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    first: str = ""
    last: str = ""

    def read(self, archived: Archived) -> None:
        """Count messages of the archive."""
        instant = f"{_EPOCH + timedelta(microseconds=archived.committed_at):%Y-%m-%dT%H:%M:%S.%fZ}"
        self.messages += len(archived.dispositions)
        for end in archived.dispositions:
            self.then[end] += 1
        self.first = min(self.first or instant, instant)
        self.last = max(self.last, instant)

    def ended(self, verdicts: Iterable[Verdict]) -> None:
        """Count how messages ended this time."""
        for verdict in verdicts:
            self.now[str(verdict.outcome)] += 1
            if verdict.reason:
                self.reasons[verdict.reason] = self.reasons.get(verdict.reason, 0) + 1


def rebuild(
    config: BridgeConfig,
    archive: ArchiveReader,
    sinks: Sequence[AnySink],
    period: Period | None = None,
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> Rebuilt:
    """Flatten and commit what an archive holds, in the order in which it was committed.

    Ledger and quarantine are made with the histories.  Into tables that have the events
    already nothing comes twice.  Rows that were hydrated are not in an archive: run
    ``hydrate`` afterwards.

    Args:
        config: Whose rules and metadata flatten the messages.
        archive: Where they are.
        sinks: Where the tables go; none to flatten only.
        period: Which commits are read; all if not given.
        tell: Hears how far the work is.

    Raises:
        SinkUnavailable: The archive cannot be read.
        ConfigError: It is no archive, or the metadata cannot be read.
    """
    period = period or Period()
    metadata = Metadata() if config.metadata is None else load_metadata(config.metadata)
    flattener = Flattener(metadata.types, config.flatten)
    report = Rebuilt()
    before = counters.read()["rows"]
    with (
        closing(Committer(sinks, contracts=config.contracts, profile=config.profile))
        if sinks
        else nullcontext() as committer
    ):
        for archived in archive.messages(period.since, period.until):
            report.read(archived)
            flat = flattener.flatten(archived.batch)
            if committer is None:
                report.ended(flat.verdicts)
            else:
                committer.add(flat)
                if committer.due:
                    report.ended(_verdicts(committer))
            tell(f"{report.messages:,} messages, up to those of {report.last}")
        if committer is not None:
            report.ended(_verdicts(committer))
    report.rows = counters.read()["rows"] - before
    return report


def rebuild_command(
    conf: Path,
    settings: Sequence[str],
    origin: str | None,
    into: Sequence[str],
    since: str | None,
    until: str | None,
    dry_run: bool,
    output: str,
    quiet: bool,
) -> int:
    """Rebuild the tables of a bridge and report; return the exit code."""
    config = load_config(conf, settings)
    archive = archive_named(config, origin)
    period = Period(instant("--since", since), instant("--until", until))
    targets = () if dry_run else sinks_named(config, into)
    with live_line(quiet or output == "json") as tell, closing(archive.read()) as reader:
        report = rebuild(config, reader, targets, period, tell=tell)
    if not report.messages and period == Period():
        raise ConfigError(f"{archive.name} holds no messages: name the URL of an archive with --from")
    if output == "json":
        typer.echo(json.dumps({"dry_run": dry_run, **asdict(report)}))
    else:
        for line in _lines(config.name, archive.name, report, [sink.name for sink in targets]):
            typer.echo(line)
    allowed = config.max_rejected
    return Exit.OK if allowed is None or report.now["rejected"] <= allowed else Exit.TOO_MANY_REJECTED


def archive_named(config: BridgeConfig, origin: str | None) -> ArchiveSink:
    """Return the archive of a bridge by that URL, or another by its URL; by none, the only one it has.

    Raises:
        ConfigError: There is none, or more than one to choose from.
    """
    own = [sink for sink in config.sinks if isinstance(sink, ArchiveSink)]
    if origin is None:
        if len(own) != 1:
            raise ConfigError(f"The configuration has {len(own)} archives: name one with --from URL")
        return own[0]
    found = next((sink for sink in own if sink.name.rstrip("/") == origin.rstrip("/")), None)
    try:
        return found or ArchiveSink(url=origin)
    except ValidationError as error:
        raise ConfigError(f"--from: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None


def sinks_named(config: BridgeConfig, names: Sequence[str]) -> list[AnySink]:
    """Return the sinks of tables that are named, by name or kind; all of them if none is.

    Raises:
        ConfigError: A name is none of theirs, or there is no such sink.
    """
    tables = [sink for sink in config.sinks if not isinstance(sink, ArchiveSink)]
    known = {name for sink in tables for name in (sink.name, sink.kind)}
    if not tables or set(names) - known:
        told = ", ".join(sink.name for sink in tables) or "none"
        raise ConfigError(f"--into: name a sink of tables by its name or kind; the configuration has {told}")
    return [sink for sink in tables if not names or {sink.name, sink.kind} & set(names)]


def instant(option: str, text: str | None) -> int | None:
    """Return an instant in microseconds since 1970 UTC.

    >>> instant("--since", "2026-09-21T14:13:20Z"), instant("--since", "2026-09-21")
    (1790000000000000, 1789948800000000)

    Raises:
        ConfigError: The text is none.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{option} {text}: write it as 2026-09-21 or 2026-09-21T14:00:00Z, in UTC"
        ) from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (at - _EPOCH) // timedelta(microseconds=1)


def _verdicts(committer: Committer) -> Iterator[Verdict]:
    return (item.verdict for batch in committer.flush() for item in batch.dispositions)


def _lines(name: str, archive: str, report: Rebuilt, targets: Sequence[str]) -> Iterator[str]:
    yield f"{name}: {report.messages:,} messages of {archive}, committed {report.first} to {report.last}"
    yield f"{name}: then {_told(report.then)}; now {_told(report.now)}"
    for reason, count in sorted(report.reasons.items()):
        yield f"{name}: {count:,} rejected now: {reason}"
    if targets:
        yield f"{name}: {report.rows:,} rows committed to {', '.join(targets)}"
    else:
        yield f"{name}: nothing was written"


def _told(ends: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {end}" for end, count in ends.items())
