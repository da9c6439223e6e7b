"""Commands that run a bridge, and those that try and prove it."""

from pathlib import Path
from typing import Annotated

import typer

from .options import (
    Again,
    Conf,
    Deferred,
    DryRun,
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
    end,
)

app = typer.Typer()


@app.command(epilog="Example: cdsbridge run conf/local.yaml --set commit.seconds=5")
def run(
    conf: Conf,
    settings: Settings = None,
    until_idle: Annotated[
        float | None, typer.Option(help="End when nothing came for so many seconds.")
    ] = None,
    drain: Annotated[bool, typer.Option(help="End at the last message that is there now.")] = False,
    output: Output = "text",
    quiet: Quiet = False,
    log_json: Annotated[bool, typer.Option(help="Log as JSON lines.")] = False,
    verbose: Verbose = False,
) -> None:
    """Run a bridge, for ever or until drained.  SIGTERM and Ctrl-C end it in order."""

    def work() -> int:
        from ..run import run_command  # noqa: PLC0415

        return run_command(conf, settings or (), until_idle, drain, output, quiet)

    end(work, verbose, log_json)


@app.command(
    epilog="Example: cdsbridge backfill conf/local.yaml --from dlq; "
    "cdsbridge backfill conf/local.yaml exports/ --from files"
)
def backfill(
    conf: Conf,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH", help="With --from files: JSON lines, Parquet, Service Bus Explorer's."
        ),
    ] = None,
    settings: Settings = None,
    origin: Annotated[
        str,
        typer.Option(
            "--from",
            help="queue: what is there now; dlq: the dead letters of each entity; archive: the raw archive; "
            "files: messages that were exported.",
        ),
    ] = "queue",
    entity: Annotated[
        list[str] | None,
        typer.Option(
            help="With --from dlq: of which entity; repeatable. With files: of which that do not say it."
        ),
    ] = None,
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
    output: Output = "text",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Read what is there now, commit, settle, and end.  Filters and limits go with --from dlq."""

    def work() -> int:
        from ..backfill import Wanted, backfill_command  # noqa: PLC0415

        wanted = Wanted(
            entity or (),
            reason or (),
            table or (),
            message_id or (),
            since,
            until,
            limit,
            rate,
            again,
            deferred,
            dry_run,
        )
        return backfill_command(conf, settings or (), origin, paths or (), wanted, output, quiet)

    end(work, verbose)


@app.command(epilog="Example: cdsbridge check conf/azure.yaml --offline")
def check(
    conf: Annotated[Path | None, typer.Argument(metavar="CONF", help="The bridge's YAML file.")] = None,
    settings: Settings = None,
    offline: Annotated[bool, typer.Option(help="Read the file only; open nothing.")] = False,
    schema: Annotated[
        bool, typer.Option(help="Print the JSON Schema of configurations, for editors.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Find every fault in a configuration, then try source and sinks."""

    def work() -> int:
        from ..check import check_command, print_schema  # noqa: PLC0415

        if schema:
            return print_schema()
        if conf is None:
            raise typer.BadParameter("name a configuration, or ask for --schema")
        return check_command(conf, settings or (), offline)

    end(work, verbose)


@app.command(epilog="Example: cdsbridge audit conf/local.yaml --output json")
def audit(conf: Conf, settings: Settings = None, output: Output = "text", verbose: Verbose = False) -> None:
    """Prove that received = committed + skipped + rejected; exit with 3 if not."""

    def work() -> int:
        from ..audit import audit_command  # noqa: PLC0415

        return audit_command(conf, settings or (), output)

    end(work, verbose)
