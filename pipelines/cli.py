"""The command ``cdsbridge``.

Only names and options stand here; each command's work is imported when it
runs, so that ``--help`` does not wait for Beam.
"""

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ..model.errors import BridgeError
from .exit import Exit, exit_code
from .logs import set_up_logging

app = typer.Typer(
    name="cdsbridge",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Microsoft Dataverse change messages from Azure Service Bus to Parquet and SQL; nothing lost.\n\n"
    "Try: cdsbridge demo",
)

schema_app = typer.Typer(no_args_is_help=True, help="What Dataverse says about its tables.")
app.add_typer(schema_app, name="schema")

Conf = Annotated[Path, typer.Argument(metavar="CONF", help="The bridge's YAML file, see conf/.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=C", help="Lay a value over the file; repeatable.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more, with tracebacks.")]
Output = Annotated[str, typer.Option(help="text, or json for a script.")]
Encodings = Annotated[
    list[str] | None,
    typer.Option("--encoding", help="json, xml or binary; repeatable: each message is in one of them."),
]
Sinks = Annotated[
    list[str] | None, typer.Option("--sink", help="Name or kind of a sink; repeatable; else all.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


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
        from .run import run_command  # noqa: PLC0415

        return run_command(conf, settings or (), until_idle, drain, output, quiet)

    _end(work, verbose, log_json)


@app.command(epilog="Example: cdsbridge backfill conf/local.yaml --from dlq")
def backfill(
    conf: Conf,
    settings: Settings = None,
    origin: Annotated[
        str, typer.Option("--from", help="queue: what is there now; dlq: the dead letters of each entity.")
    ] = "queue",
    output: Output = "text",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Read what is there now, commit, settle, and end."""

    def work() -> int:
        from .run import backfill_command  # noqa: PLC0415

        return backfill_command(conf, settings or (), origin, output, quiet)

    _end(work, verbose)


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
        from .check import check_command, print_schema  # noqa: PLC0415

        if schema:
            return print_schema()
        if conf is None:
            raise typer.BadParameter("name a configuration, or ask for --schema")
        return check_command(conf, settings or (), offline)

    _end(work, verbose)


@app.command(epilog="Example: cdsbridge audit conf/local.yaml --output json")
def audit(conf: Conf, settings: Settings = None, output: Output = "text", verbose: Verbose = False) -> None:
    """Prove that received = committed + skipped + rejected; exit with 3 if not."""

    def work() -> int:
        from .audit import audit_command  # noqa: PLC0415

        return audit_command(conf, settings or (), output)

    _end(work, verbose)


@app.command(
    epilog="Example: cdsbridge decode message.bin --rows; "
    "pbpaste | cdsbridge decode - --base64; "
    "cdsbridge decode --peek conf/local.yaml --sequence-number 17"
)
def decode(
    file: Annotated[
        Path | None, typer.Argument(help="A message body in any encoding; - for standard input.")
    ] = None,
    rows: Annotated[bool, typer.Option(help="Show the rows it becomes, not the message.")] = False,
    in_base64: Annotated[bool, typer.Option("--base64", help="The body is base64 text.")] = False,
    metadata: Annotated[
        Path | None, typer.Option(help="Column types, as `cdsbridge schema pull` writes them.")
    ] = None,
    peek: Annotated[
        Path | None, typer.Option(help="A bridge's configuration: look at a message in its queue instead.")
    ] = None,
    entity: Annotated[
        str | None, typer.Option(help="With --peek: the queue or subscription, if not the first.")
    ] = None,
    sequence_number: Annotated[
        int, typer.Option(min=0, help="With --peek: the message of this number, or the next higher.")
    ] = 0,
    verbose: Verbose = False,
) -> None:
    """Show what a message says and what becomes of it, or what could not be read, and where."""
    if (file is None) == (peek is None):
        raise typer.BadParameter("name a file, - for standard input, or --peek with a configuration")

    def work() -> int:
        from .decode import decode_body, decode_peeked  # noqa: PLC0415

        if peek is not None:
            return decode_peeked(peek, entity, sequence_number, metadata, rows)
        return decode_body(file or Path("-"), in_base64, metadata, rows)

    _end(work, verbose)


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
        from .hydrate import hydrate_command  # noqa: PLC0415

        return hydrate_command(conf, settings or (), dry_run, limit, output, quiet)

    _end(work, verbose)


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
        from .rebuild import rebuild_command  # noqa: PLC0415

        return rebuild_command(conf, settings or (), origin, into or (), since, until, dry_run, output, quiet)

    _end(work, verbose)


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
        from .compact import compact_command  # noqa: PLC0415

        return compact_command(conf, settings or (), sink or (), table or (), dry_run, grace, output, quiet)

    _end(work, verbose)


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
        from .compact import vacuum_command  # noqa: PLC0415

        return vacuum_command(conf, settings or (), sink or (), hours, dry_run, force, output)

    _end(work, verbose)


@schema_app.command("columns", epilog="Example: cdsbridge schema columns")
def schema_columns() -> None:
    """Print which columns become of what Dataverse sends, as Markdown."""

    def work() -> int:
        from ..transforms.described import columns_page  # noqa: PLC0415

        typer.echo(columns_page(), nl=False)
        return 0

    _end(work, verbose=False)


@schema_app.command("pull", epilog="Example: cdsbridge schema pull conf/azure.yaml --out metadata.json")
def schema_pull(
    conf: Annotated[Path | None, typer.Argument(metavar="CONF", help="The bridge's YAML file.")] = None,
    settings: Settings = None,
    url: Annotated[str | None, typer.Option(help="Of the organization; else dataverse.url.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; else metadata of the file.")] = None,
    table: Annotated[
        list[str] | None,
        typer.Option(help="Logical name; repeatable; else flatten.tables.include, else all."),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a metadata file: what Dataverse says about its tables, columns and relationships."""

    def work() -> int:
        from .schema_pull import schema_pull_command  # noqa: PLC0415

        return schema_pull_command(conf, settings or (), url, out, table or (), quiet)

    _end(work, verbose)


@app.command(epilog="Example: cdsbridge emulator --queue dataverse --store broker.db")
def emulator(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 picks a free one.")] = 5672,
    queue: Annotated[list[str] | None, typer.Option(help="Queue to have; repeatable.")] = None,
    store: Annotated[Path | None, typer.Option(help="SQLite file to keep messages in.")] = None,
    lock_seconds: Annotated[float, typer.Option(help="Lock duration of new queues.")] = 60.0,
    max_deliveries: Annotated[int, typer.Option(help="MaxDeliveryCount of new queues.")] = 10,
    latency_ms: Annotated[float, typer.Option(help="Delay of every answer.")] = 0.0,
) -> None:
    """Run the embedded Service Bus by itself: for development and tests, never for production."""

    def work() -> int:
        from .emulate import emulator_command  # noqa: PLC0415

        queues = queue or ["dataverse"]
        return emulator_command(host, port, queues, store, lock_seconds, max_deliveries, latency_ms)

    _end(work, verbose=False)


@app.command(epilog="Example: cdsbridge simulate conf/local.yaml --count 1000")
def simulate(
    conf: Conf,
    settings: Settings = None,
    count: Annotated[int, typer.Option(help="Messages to post.")] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same messages.")] = 1,
    rate: Annotated[float | None, typer.Option(help="Messages per second at most.")] = None,
    encoding: Encodings = None,
    verbose: Verbose = False,
) -> None:
    """Post a simulated Dataverse's messages to the first entity of a bridge."""

    def work() -> int:
        from .simulate import simulate_command  # noqa: PLC0415

        return simulate_command(conf, settings or (), count, seed, rate, encoding or ("json",))

    _end(work, verbose)


@app.command(epilog="Example: cdsbridge demo --count 8000 --folder /tmp/cdsbridge-demo")
def demo(
    count: Annotated[int, typer.Option(help="Messages of the business day.")] = 6000,
    folder: Annotated[Path, typer.Option(help="Where the tables go; emptied first.")] = Path("demo-output"),
    seed: Annotated[int, typer.Option(help="The same seed gives the same day.")] = 7,
    encoding: Encodings = None,
    verbose: Verbose = False,
) -> None:
    """Show the whole bridge on this machine: broker, Dataverse, a crash, and the proof."""

    def work() -> int:
        from .demo import demo_command  # noqa: PLC0415

        return demo_command(count, folder, seed, encoding or ())

    _end(work, verbose)


def _end(work: Callable[[], int], verbose: bool, log_json: bool = False) -> NoReturn:
    """Do a command's work, tell its error in a sentence, and exit with its code."""
    set_up_logging(verbose, log_json)
    try:
        code = work()
    except BridgeError as error:
        if verbose:
            traceback.print_exc()
        typer.echo(f"cdsbridge: {error}", err=True)
        code = exit_code(error)
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    sys.exit(int(code))


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
