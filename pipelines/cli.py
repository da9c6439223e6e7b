"""The command ``cdsbridge``.

Its commands stand in ``commands/``, a file a group, with names and options only; each one's work is
imported when it runs, so that ``--help`` does not wait for Beam.
"""

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
