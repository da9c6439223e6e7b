"""Options that several commands take, and how every command ends."""

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ...model.errors import BridgeError
from ..exit import Exit, exit_code
from ..logs import set_up_logging

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

Entities = Annotated[
    list[str] | None,
    typer.Option("--entity", help="Queue or subscription; repeatable; else all of source.entities."),
]
Reasons = Annotated[
    list[str] | None, typer.Option("--reason", help="Reason of dead-lettering; repeatable, one of them.")
]
Tables = Annotated[
    list[str] | None, typer.Option("--table", help="Dataverse table; repeatable, one of them.")
]
MessageIds = Annotated[list[str] | None, typer.Option("--message-id", help="Id; repeatable, one of them.")]
Since = Annotated[
    str | None, typer.Option(help="First instant of enqueueing that is meant, UTC: 2026-09-21T14:00:00Z.")
]
Until = Annotated[str | None, typer.Option(help="First instant of enqueueing that is not meant any more.")]
AtMost = Annotated[int, typer.Option(min=1, help="Messages to look at.")]

Limit = Annotated[int | None, typer.Option(min=1, help="Messages to take at most.")]
Rate = Annotated[float | None, typer.Option(min=0.001, help="Messages a second at most.")]
Again = Annotated[
    str,
    typer.Option(
        help="What fails again: leave, it keeps its place; defer, it is set aside under its number, "
        "so that any number of them is passed by."
    ),
]
Deferred = Annotated[
    bool, typer.Option("--deferred", help="Those that --again defer has set aside, and no others.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; touch nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]


def end(work: Callable[[], int], verbose: bool, log_json: bool = False) -> NoReturn:
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
