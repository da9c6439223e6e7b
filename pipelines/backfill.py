"""The command ``backfill``: what lies in queues, dead-letter queues, archives or files, committed at once."""

from collections.abc import Sequence
from pathlib import Path

from ..model.errors import ConfigError
from ..sources.ending import Ending
from ..sources.files import MessageFiles
from .again import ArchivedMessages, run_again
from .config import BridgeConfig
from .load import load_config
from .rebuild import archive_named, sinks_named
from .run import report
from .supervise import RunResult, run_bridge


def backfill_command(
    conf: Path,
    settings: Sequence[str],
    origin: str,
    paths: Sequence[Path],
    entity: str | None,
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
    return report(config, output, quiet, lambda: _backfill(config, origin, paths, entity))


def _backfill(config: BridgeConfig, origin: str, paths: Sequence[Path], entity: str | None) -> RunResult:
    if origin == "queue":
        return run_bridge(config, Ending.at_mark())
    if origin == "dlq":
        entities = tuple(f"{each}/$DeadLetterQueue" for each in config.source.entities)
        source = config.source.model_copy(update={"entities": entities})
        return run_bridge(config.model_copy(update={"source": source}), Ending.at_mark())
    if origin == "archive":
        tables = config.model_copy(update={"sinks": tuple(sinks_named(config, ()))})
        return run_again(tables, ArchivedMessages(archive=archive_named(config, None)))
    if origin != "files":
        raise ConfigError(f"--from {origin}: write queue, dlq, archive or files")
    if not paths:
        raise ConfigError("--from files: name the files, or folders of them, behind the configuration")
    files = MessageFiles(paths=tuple(paths), entity=entity)
    files.files()
    return run_again(config, files)
