"""The commands ``cdsbridge dlq …``."""

from pathlib import Path
from typing import Annotated

import typer

from .options import (
    Again,
    AtMost,
    Conf,
    Deferred,
    DryRun,
    Entities,
    Limit,
    MessageIds,
    Output,
    Quiet,
    Rate,
    Reasons,
    Settings,
    Since,
    Tables,
    Until,
    Verbose,
    Yes,
    end,
)

app = typer.Typer(
    no_args_is_help=True,
    help="What lies in dead-letter queues, why, and how to be rid of it; see docs/dead-letters.md.",
)

_LOOKED_AT = 100_000


@app.command("list", epilog="Example: cdsbridge dlq list conf/azure.yaml")
def list_queues(
    conf: Conf,
    settings: Settings = None,
    entity: Entities = None,
    at_most: AtMost = _LOOKED_AT,
    output: Output = "text",
    verbose: Verbose = False,
) -> None:
    """Show the dead-letter queue of each entity, with what it holds."""

    def work() -> int:
        from ..dlq.commands import choose, list_command  # noqa: PLC0415

        return list_command(choose(conf, settings, entity), at_most, output)

    end(work, verbose)


@app.command(epilog="Example: cdsbridge dlq peek conf/azure.yaml --reason bad-value --count 5")
def peek(
    conf: Conf,
    settings: Settings = None,
    entity: Entities = None,
    reason: Reasons = None,
    table: Tables = None,
    message_id: MessageIds = None,
    since: Since = None,
    until: Until = None,
    count: Annotated[int, typer.Option(min=1, help="Messages to show.")] = 20,
    output: Output = "text",
    verbose: Verbose = False,
) -> None:
    """Show single dead letters; they stay where they are."""

    def work() -> int:
        from ..dlq.commands import choose, peek_command  # noqa: PLC0415

        chosen = choose(conf, settings, entity, reason, table, message_id, since, until)
        return peek_command(chosen, count, output)

    end(work, verbose)


@app.command(epilog="Example: cdsbridge dlq group conf/azure.yaml")
def group(
    conf: Conf,
    settings: Settings = None,
    entity: Entities = None,
    reason: Reasons = None,
    table: Tables = None,
    message_id: MessageIds = None,
    since: Since = None,
    until: Until = None,
    at_most: AtMost = _LOOKED_AT,
    output: Output = "text",
    verbose: Verbose = False,
) -> None:
    """Show dead letters by cause: reason, error code and table."""

    def work() -> int:
        from ..dlq.commands import choose, group_command  # noqa: PLC0415

        chosen = choose(conf, settings, entity, reason, table, message_id, since, until)
        return group_command(chosen, at_most, output)

    end(work, verbose)


@app.command(epilog="Example: cdsbridge dlq explain conf/azure.yaml --table account")
def explain(
    conf: Conf,
    settings: Settings = None,
    entity: Entities = None,
    reason: Reasons = None,
    table: Tables = None,
    message_id: MessageIds = None,
    since: Since = None,
    until: Until = None,
    at_most: AtMost = _LOOKED_AT,
    output: Output = "text",
    verbose: Verbose = False,
) -> None:
    """Say of each cause what it means, what to do, and what a replay would make of it now."""

    def work() -> int:
        from ..dlq.commands import choose, explain_command  # noqa: PLC0415

        chosen = choose(conf, settings, entity, reason, table, message_id, since, until)
        return explain_command(chosen, at_most, output)

    end(work, verbose)


@app.command(epilog="Example: cdsbridge dlq export conf/azure.yaml dead.jsonl --reason undecodable")
def export(
    conf: Conf,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines, docs/files.md; appended to.")],
    settings: Settings = None,
    entity: Entities = None,
    reason: Reasons = None,
    table: Tables = None,
    message_id: MessageIds = None,
    since: Since = None,
    until: Until = None,
    output: Output = "text",
    verbose: Verbose = False,
) -> None:
    """Copy dead letters to a file; they stay where they are."""

    def work() -> int:
        from ..dlq.commands import choose, export_command  # noqa: PLC0415

        chosen = choose(conf, settings, entity, reason, table, message_id, since, until)
        return export_command(chosen, file, output)

    end(work, verbose)


@app.command(epilog="Example: cdsbridge dlq replay conf/azure.yaml --reason contract --limit 100")
def replay(
    conf: Conf,
    settings: Settings = None,
    entity: Entities = None,
    reason: Reasons = None,
    table: Tables = None,
    message_id: MessageIds = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    rate: Rate = None,
    again: Again = "leave",
    deferred: Deferred = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    at_most: AtMost = 10_000,
    output: Output = "text",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show what a replay would bring, ask, commit the dead letters, then complete them."""

    def work() -> int:
        from ..dlq.acting import plan_of, replay_command  # noqa: PLC0415
        from ..dlq.commands import choose  # noqa: PLC0415

        chosen = choose(conf, settings, entity, reason, table, message_id, since, until)
        plan = plan_of(chosen, limit, rate, again)
        return replay_command(chosen, plan, deferred, dry_run, yes, at_most, output, quiet)

    end(work, verbose)


@app.command(epilog="Example: cdsbridge dlq purge conf/azure.yaml --reason not-a-context --copy dead.jsonl")
def purge(
    conf: Conf,
    settings: Settings = None,
    entity: Entities = None,
    reason: Reasons = None,
    table: Tables = None,
    message_id: MessageIds = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    rate: Rate = None,
    copy: Annotated[
        Path | None, typer.Option(help="File they are copied to first, JSON lines; appended to.")
    ] = None,
    no_copy: Annotated[bool, typer.Option("--no-copy", help="Remove them without a copy.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    at_most: AtMost = _LOOKED_AT,
    output: Output = "text",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show what would be removed, ask, copy it to a file on the disk, remove it."""
    if (copy is None) != no_copy:
        raise typer.BadParameter("name a file with --copy, or say --no-copy")

    def work() -> int:
        from ..dlq.acting import plan_of, purge_command  # noqa: PLC0415
        from ..dlq.commands import choose  # noqa: PLC0415

        chosen = choose(conf, settings, entity, reason, table, message_id, since, until)
        plan = plan_of(chosen, limit, rate, "leave")
        return purge_command(chosen, plan, copy, dry_run, yes, at_most, output, quiet)

    end(work, verbose)
