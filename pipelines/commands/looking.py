"""Commands that look at messages, and at what Dataverse says of its tables."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Quiet, Settings, Verbose, end

app = typer.Typer()

schema_app = typer.Typer(no_args_is_help=True, help="What Dataverse says about its tables.")
app.add_typer(schema_app, name="schema")


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
        from ..decode import decode_body, decode_peeked  # noqa: PLC0415

        if peek is not None:
            return decode_peeked(peek, entity, sequence_number, metadata, rows)
        return decode_body(file or Path("-"), in_base64, metadata, rows)

    end(work, verbose)


@schema_app.command("columns", epilog="Example: cdsbridge schema columns")
def schema_columns() -> None:
    """Print which columns become of what Dataverse sends, as Markdown."""

    def work() -> int:
        from ...transforms.described import columns_page  # noqa: PLC0415

        typer.echo(columns_page(), nl=False)
        return 0

    end(work, verbose=False)


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
        from ..schema_pull import schema_pull_command  # noqa: PLC0415

        return schema_pull_command(conf, settings or (), url, out, table or (), quiet)

    end(work, verbose)
