"""The commands ``cdsbridge quarantine …``."""

from typing import Annotated

import typer

from .options import (
    AtMost,
    Conf,
    DryRun,
    Limit,
    MessageIds,
    Output,
    Quiet,
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
    help="What was rejected and lies in the quarantine of the sinks; see docs/dead-letters.md.",
)

Sink = Annotated[
    str | None,
    typer.Option("--sink", help="Name or kind of the sink whose quarantine is read; else the last."),
]


@app.command("list", epilog="Example: cdsbridge quarantine list conf/local.yaml --reason bad-value")
def list_messages(
    conf: Conf,
    settings: Settings = None,
    sink: Sink = None,
    reason: Reasons = None,
    table: Tables = None,
    message_id: MessageIds = None,
    since: Since = None,
    until: Until = None,
    count: Annotated[int, typer.Option(min=1, help="Messages to show.")] = 20,
    cured: Annotated[bool, typer.Option("--all", help="Also those that were committed since.")] = False,
    output: Output = "text",
    verbose: Verbose = False,
) -> None:
    """Show what was rejected and has not been committed since."""

    def work() -> int:
        from ..quarantine.commands import list_command  # noqa: PLC0415
        from ..selecting import selection_of  # noqa: PLC0415

        selection = selection_of(reason, table, message_id, since, until)
        return list_command(conf, settings or (), sink, selection, count, cured, output)

    end(work, verbose)


@app.command(epilog="Example: cdsbridge quarantine show conf/local.yaml 17")
def show(
    conf: Conf,
    number: Annotated[int, typer.Argument(min=0, help="Sequence number of the message.")],
    settings: Settings = None,
    sink: Sink = None,
    entity: Annotated[
        str | None, typer.Option(help="Where it came from, if several have the number.")
    ] = None,
    output: Output = "text",
    verbose: Verbose = False,
) -> None:
    """Show one message whole, why it was rejected, and what would become of it now."""

    def work() -> int:
        from ..quarantine.commands import show_command  # noqa: PLC0415

        return show_command(conf, settings or (), sink, number, entity, output)

    end(work, verbose)


@app.command(epilog="Example: cdsbridge quarantine replay conf/local.yaml --reason contract --dry-run")
def replay(
    conf: Conf,
    settings: Settings = None,
    sink: Sink = None,
    reason: Reasons = None,
    table: Tables = None,
    message_id: MessageIds = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    at_most: AtMost = 10_000,
    output: Output = "text",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run what was rejected through the graph again; what fails again stays, with the new reason beside."""

    def work() -> int:
        from ..quarantine.commands import replay_command  # noqa: PLC0415
        from ..selecting import selection_of  # noqa: PLC0415

        selection = selection_of(reason, table, message_id, since, until)
        return replay_command(
            conf, settings or (), sink, selection, limit, dry_run, yes, at_most, output, quiet
        )

    end(work, verbose)
