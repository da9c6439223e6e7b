"""Commands that work on what was committed."""

from typing import Annotated

import typer

from .options import Conf, Output, Quiet, Settings, Sinks, Verbose, end

app = typer.Typer()


@app.command(epilog="Example: cdsbridge hydrate conf/azure.yaml --limit 1000")
def hydrate(
    conf: Conf,
    settings: Settings = None,
    dry_run: Annotated[bool, typer.Option(help="Count the list; ask and write nothing.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Rows to ask for at most.")] = None,
    output: Output = "text",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Read truncated rows again from the Dataverse Web API; exit with 75 while rows wait."""

    def work() -> int:
        from ..hydrate import hydrate_command  # noqa: PLC0415

        return hydrate_command(conf, settings or (), dry_run, limit, output, quiet)

    end(work, verbose)


@app.command(epilog="Example: cdsbridge rebuild conf/azure.yaml --from az://archive/raw --into sql")
def rebuild(
    conf: Conf,
    settings: Settings = None,
    origin: Annotated[
        str | None, typer.Option("--from", help="URL of the archive; else the only one in the file.")
    ] = None,
    into: Annotated[
        list[str] | None, typer.Option(help="Name or kind of a sink; repeatable; else all sinks of tables.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="First commit to read, as 2026-09-21T14:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option(help="First commit not to read any more.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Read and flatten; write nothing.")] = False,
    output: Output = "text",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make tables anew from the raw archive, without Service Bus."""

    def work() -> int:
        from ..rebuild import rebuild_command  # noqa: PLC0415

        return rebuild_command(conf, settings or (), origin, into or (), since, until, dry_run, output, quiet)

    end(work, verbose)


@app.command(epilog="Example: cdsbridge compact conf/azure.yaml --dry-run")
def compact(
    conf: Conf,
    settings: Settings = None,
    sink: Sinks = None,
    table: Annotated[list[str] | None, typer.Option(help="Name; repeatable; else all.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Look only; write nothing.")] = False,
    grace: Annotated[
        float, typer.Option(min=0, help="Seconds that old Parquet files stay beside the new ones.")
    ] = 30.0,
    output: Output = "text",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Merge small files and drop repeats; a bridge may run beside it."""

    def work() -> int:
        from ..compact import compact_command  # noqa: PLC0415

        return compact_command(conf, settings or (), sink or (), table or (), dry_run, grace, output, quiet)

    end(work, verbose)


@app.command(epilog="Example: cdsbridge vacuum conf/azure.yaml --dry-run")
def vacuum(
    conf: Conf,
    settings: Settings = None,
    sink: Sinks = None,
    hours: Annotated[
        float, typer.Option("--retention-hours", min=0, help="Age of what may go; below 168 with --force.")
    ] = 168.0,
    dry_run: Annotated[bool, typer.Option(help="Look only; remove nothing.")] = False,
    force: Annotated[
        bool, typer.Option(help="Less than a week: no bridge and no reader may be at work.")
    ] = False,
    output: Output = "text",
    verbose: Verbose = False,
) -> None:
    """Remove files that no Delta table refers to any more."""

    def work() -> int:
        from ..compact import vacuum_command  # noqa: PLC0415

        return vacuum_command(conf, settings or (), sink or (), hours, dry_run, force, output)

    end(work, verbose)
