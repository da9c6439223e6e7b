"""The commands that change dead-letter queues: ``dlq replay``, ``backfill --from dlq``, ``dlq purge``."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Final

import typer

from ...model.counters import counters
from ...model.envelope import MicroBatch
from ...model.errors import ConfigError
from ...model.verdict import Disposition, DispositionBatch, Outcome, Verdict
from ...sources.config import ServiceBusSource
from ...sources.ending import Ending
from ...sources.intake import Intake, Reading, reading_from
from ...sources.plan import Again, ReadPlan
from ..asking import agreed
from ..exit import Exit
from ..live import live_line
from ..preview.outlook import preview
from ..preview.telling import shown
from ..run import report
from ..sheet import Cell, Sheet, show, show_json
from ..supervise import RunResult, run_bridge, signals
from .commands import Chosen
from .copies import Copy
from .looking import grouped, selected

_POLL: Final = 0.2
"""Seconds between two looks at whether a signal ended the reading."""
_IDLE: Final = 60.0
"""Seconds without a message after which reading by numbers ends, whatever holds it up."""
_TAKEN_OUT: Final = Verdict(Outcome.SKIPPED)


def plan_of(chosen: Chosen, limit: int | None, rate: float | None, again: str) -> ReadPlan:
    """Return how a pass takes what was chosen.

    Raises:
        ConfigError: ``again`` is no way.
    """
    if again not in set(Again):
        raise ConfigError(f"--again {again}: write {' or '.join(Again)}")
    return ReadPlan(chosen.selection, limit, rate, Again(again))


def replay(chosen: Chosen, plan: ReadPlan, *, deferred: bool = False) -> RunResult:
    """Run dead letters through the graph; a bridge may be at work on the same sinks.

    Each is committed, then completed.  What fails again stays, with the reason of this time beside the old.

    Args:
        chosen: Which.
        plan: How.
        deferred: Those that were set aside under their numbers, and no others.

    Raises:
        BridgeError: The source cannot be opened.
    """
    if not deferred:
        return _replay(chosen, chosen.entities, plan)
    result = RunResult(Exit.OK, 0.0, counters.read())
    left = plan.limit
    for entity in chosen.entities:
        numbers = _numbers(chosen, entity, left)
        if numbers and result.exit is Exit.OK:
            before = result.seconds
            result = _replay(chosen, [entity], replace(plan, numbers=tuple(numbers), limit=None))
            result = replace(result, seconds=before + result.seconds)
            left = None if left is None else left - len(numbers)
    return result


def _numbers(chosen: Chosen, entity: str, at_most: int | None) -> list[int]:
    found = selected(chosen.config.source, [entity], chosen.selection, deferred=True)
    with closing(found):
        return [each.sequence_number for each in islice(found, at_most)]


def _replay(chosen: Chosen, entities: Sequence[str], plan: ReadPlan) -> RunResult:
    config = chosen.config.model_copy(update={"source": _source(chosen, entities)})
    # numbers are an end by themselves; a mark is about messages that are not set aside
    ending = Ending.after_idle(_IDLE) if plan.numbers else Ending.at_mark()
    return run_bridge(config, ending, plan, beside=True)


def replay_command(
    chosen: Chosen,
    plan: ReadPlan,
    deferred: bool,
    dry_run: bool,
    yes: bool,
    look_at: int,
    output: str,
    quiet: bool,
) -> int:
    """Show what a replay would bring, ask, do it, and report; return the exit code."""
    if dry_run or not yes:
        with closing(chosen.messages(deferred=deferred)) as some:
            found = preview(chosen.config, some, min(look_at, plan.limit or look_at))
        if not shown(found, "dead letters", dry_run=dry_run, output=output) or not found.messages:
            return Exit.OK
    if not agreed("Commit them to the sinks, and complete them?", yes=yes, output=output):
        return Exit.OK
    return report(chosen.config, output, quiet, lambda: replay(chosen, plan, deferred=deferred))


def purge_command(
    chosen: Chosen,
    plan: ReadPlan,
    copy: Path | None,
    dry_run: bool,
    yes: bool,
    look_at: int,
    output: str,
    quiet: bool,
) -> int:
    """Show what a purge would remove, ask, copy it to a file, remove it; return the exit code."""
    if dry_run or not yes:
        with closing(chosen.messages(deferred=False)) as some:
            groups = grouped(some, look_at)
        rows: list[list[Cell]] = [
            [group.count.messages, group.count.entity, group.cause.reason, group.cause.table]
            for group in groups
        ]
        total = sum(group.count.messages for group in groups)
        if dry_run and output == "json":
            show_json({"dry_run": True, "messages": total, "more": total == look_at})
            return Exit.OK
        if output != "json":
            kept = f"copied to {copy} and then removed" if copy else "removed, and NOT copied"
            show(
                Sheet(
                    ["messages", "dead-letter queue", "reason", "table"], rows, f"{total:,} would be {kept}"
                )
            )
        if dry_run or not total:
            typer.echo("Nothing was done")
            return Exit.OK
    if not agreed("Remove them?", yes=yes, output=output):
        return Exit.OK
    removed, stopped = _purge(chosen, plan, copy, quiet=quiet or output == "json")
    if output == "json":
        show_json({"removed": removed, "copy": str(copy) if copy else None})
    else:
        typer.echo(f"{removed:,} dead letters removed" + (f"; they are in {copy}" if copy else ""))
    return Exit.INTERRUPTED if stopped else Exit.OK


def _purge(chosen: Chosen, plan: ReadPlan, copy: Path | None, *, quiet: bool) -> tuple[int, bool]:
    """Remove dead letters; return how many, and whether a signal ended it early."""
    before = counters.read()["settled"]
    reading = Reading(_source(chosen, chosen.entities), Ending.at_mark(), None, plan)
    with signals() as stop, live_line(quiet) as tell, reading_from(reading) as intake:
        if copy is None:
            _remove(intake, None, tell)
        else:
            with Copy(copy) as file:
                _remove(intake, file, tell)
        intake.flush()
        return counters.read()["settled"] - before, stop.asked.is_set()


def _remove(intake: Intake, file: Copy | None, tell: Callable[[str], None]) -> None:
    taken = 0
    for batch in _taken(intake):
        if file is not None:
            file.write(batch.envelopes)
            file.sync()
        intake.settle(_removed(batch))
        taken += len(batch.envelopes)
        tell(f"{taken:,} dead letters")


def _taken(intake: Intake) -> Iterator[MicroBatch]:
    while not intake.finished:
        batch = intake.take(_POLL)
        if batch is not None:
            yield batch


def _removed(batch: MicroBatch) -> DispositionBatch:
    return DispositionBatch(
        batch.entity,
        tuple(
            Disposition(each.sequence_number, each.enqueued_at, each.lock_token, _TAKEN_OUT)
            for each in batch.envelopes
        ),
    )


def _source(chosen: Chosen, entities: Sequence[str]) -> ServiceBusSource:
    """Return the source of dead-letter queues."""
    return chosen.config.source.model_copy(update={"entities": tuple(entities)})
