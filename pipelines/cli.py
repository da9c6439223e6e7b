"""The command ``cdsbridge``.

Its commands stand in ``commands/``, a file a group, with names and options only; each one's work is
imported when it runs, so that ``--help`` does not wait for Beam.
"""

import platform
from importlib import metadata
from typing import Annotated, Final

import typer

from .commands import dlq, faults, looking, quarantine, repairing, running, trying

app = typer.Typer(
    name="cdsbridge",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Microsoft Dataverse change messages from Azure Service Bus to Parquet and SQL; nothing lost.\n\n"
    "Try: cdsbridge demo",
)
_TOLD: Final = ("apache-beam", "azure-servicebus", "pyarrow", "SQLAlchemy", "cdsbridge-engine")


def _version(wanted: bool) -> None:
    if not wanted:
        return
    typer.echo(f"cdsbridge {metadata.version('cdsbridge')} on Python {platform.python_version()}")
    for name in _TOLD:
        try:
            typer.echo(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            typer.echo(f"{name} is not installed")
    raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Tell the versions that matter, and end."
        ),
    ] = False,
) -> None:
    """Hold the options that stand before a command."""


for group in (running, repairing, looking, trying):
    app.add_typer(group.app)
app.add_typer(dlq.app, name="dlq")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(faults.app, name="fault")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
