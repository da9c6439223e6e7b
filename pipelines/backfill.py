"""The command ``backfill``: what lies in queues, dead-letter queues, archives or files, committed at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..model.errors import ConfigError
from ..sources.ending import Ending
from ..sources.files.source import MessageFiles
from .again import ArchivedMessages, run_again
from .config import BridgeConfig
from .dlq.acting import plan_of, replay_command
from .dlq.commands import Chosen
from .dlq.looking import dead_letter_queues
from .load import load_config
from .rebuild import archive_named, sinks_named
from .run import report
from .selecting import selection_of
from .supervise import RunResult, run_bridge

_LOOKED_AT = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages a person wants, and how; only dead letters are chosen from.

    Attributes:
        entities: Of these entities; of files, where messages came from that do not say it.
        reasons: Of these reasons.
        tables: About these tables.
        message_ids: With these ids.
        since: Enqueued from then on.
        until: Enqueued before.
        limit: So many at most.
        rate: So many a second at most.
        again: What becomes of those that fail again: ``leave`` or ``defer``.
        deferred: Those that were set aside, and no others.
        dry_run: Only say what would be done.
    """

    entities: Sequence[str] = ()
    reasons: Sequence[str] = ()
    tables: Sequence[str] = ()
    message_ids: Sequence[str] = ()
    since: str | None = None
    until: str | None = None
    limit: int | None = None
    rate: float | None = None
    again: str = "leave"
    deferred: bool = False
    dry_run: bool = False


def backfill_command(
    conf: Path,
    settings: Sequence[str],
    origin: str,
    paths: Sequence[Path],
    wanted: Wanted,
    output: str,
    quiet: bool,
) -> int:
    """Commit what lies somewhere, and report; return the exit code.

    Raises:
        ConfigError: The configuration is wrong, or there is no such place.
    """
    config = load_config(conf, settings)
    if paths and origin != "files":
        raise ConfigError(f"{paths[0]}: files are read with --from files")
    if origin == "dlq":
        return _dead_letters(config, wanted, output, quiet)
    allowed = Wanted(entities=wanted.entities) if origin == "files" else Wanted()
    if wanted != allowed:
        raise ConfigError(f"--from {origin} takes all there is: filters and limits go with --from dlq")
    return report(config, output, quiet, lambda: _all(config, origin, paths, wanted))


def _dead_letters(config: BridgeConfig, wanted: Wanted, output: str, quiet: bool) -> int:
    chosen = Chosen(
        config,
        dead_letter_queues(config.source, wanted.entities),
        selection_of(wanted.reasons, wanted.tables, wanted.message_ids, wanted.since, wanted.until),
    )
    plan = plan_of(chosen, wanted.limit, wanted.rate, wanted.again)
    return replay_command(chosen, plan, wanted.deferred, wanted.dry_run, True, _LOOKED_AT, output, quiet)


def _all(config: BridgeConfig, origin: str, paths: Sequence[Path], wanted: Wanted) -> RunResult:
    if origin == "queue":
        return run_bridge(config, Ending.at_mark())
    if origin == "archive":
        tables = config.model_copy(update={"sinks": tuple(sinks_named(config, ()))})
        return run_again(tables, ArchivedMessages(archive=archive_named(config, None)))
    if origin != "files":
        raise ConfigError(f"--from {origin}: write queue, dlq, archive or files")
    if not paths:
        raise ConfigError("--from files: name the files, or folders of them, behind the configuration")
    if len(wanted.entities) > 1:
        raise ConfigError("--from files: messages that do not say it came from one --entity")
    files = MessageFiles(paths=tuple(paths), entity=next(iter(wanted.entities), None))
    files.files()
    return run_again(config, files)
