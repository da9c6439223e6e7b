"""The commands ``cdsbridge fault …``."""

from typing import Annotated

import typer

from .options import Output, end

app = typer.Typer(
    no_args_is_help=True,
    help="What shall go wrong in an emulator that runs with --faults; see docs/emulator.md.",
)

Port = Annotated[int, typer.Option(help="Port of the emulator.")]


@app.command(epilog="Example: cdsbridge fault arm drop --at sent --entity orders --count 2")
def arm(
    kind: Annotated[
        str,
        typer.Argument(help="drop, silence, delay, kill, detach, refuse, lose-lock, duplicate or reorder."),
    ],
    at: Annotated[
        str,
        typer.Option(help="connect, auth, attach, send, sent, deliver, settle, settled or request."),
    ],
    entity: Annotated[str, typer.Option(help="Path of the entity; * stands for anything.")] = "*",
    count: Annotated[int, typer.Option(min=0, help="How often; 0: until disarmed.")] = 1,
    skip: Annotated[int, typer.Option(min=0, help="Chances to let pass first.")] = 0,
    chance: Annotated[float, typer.Option(help="How likely at each chance, above 0 to 1.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same strikes.")] = 0,
    seconds: Annotated[
        float, typer.Option(help="Of a delay; of a reorder, how long messages are held back.")
    ] = 0.0,
    messages: Annotated[
        int | None, typer.Option(min=1, help="Of a reorder with --seconds: how many of one go; else all.")
    ] = None,
    condition: Annotated[str, typer.Option(help="Error of detach and refuse; else the usual.")] = "",
    port: Port = 5672,
    output: Output = "text",
) -> None:
    """Let something go wrong from now on."""

    def work() -> int:
        from ..faulting import arm_command  # noqa: PLC0415

        fault = {
            "kind": kind,
            "at": at,
            "entity": entity,
            "count": count or None,
            "skip": skip,
            "chance": chance,
            "seed": seed,
            "seconds": seconds,
            "messages": messages,
            "condition": condition,
        }
        return arm_command(port, fault, output)

    end(work, verbose=False)


@app.command("lose-locks", epilog="Example: cdsbridge fault lose-locks --entity orders --count 3")
def lose_locks(
    entity: Annotated[str, typer.Option(help="Queue, subscription or dead-letter queue.")],
    count: Annotated[
        int | None, typer.Option(min=1, help="How many, those that would lapse first; else all.")
    ] = None,
    port: Port = 5672,
    output: Output = "text",
) -> None:
    """Let locks that are held now lapse at once; where sessions are required, those of sessions."""

    def work() -> int:
        from ..faulting import lose_locks_command  # noqa: PLC0415

        return lose_locks_command(port, entity, count, output)

    end(work, verbose=False)


@app.command("list", epilog="Example: cdsbridge fault list --output json")
def list_faults(port: Port = 5672, output: Output = "text") -> None:
    """Show what is armed, and how often it struck."""

    def work() -> int:
        from ..faulting import list_command  # noqa: PLC0415

        return list_command(port, output)

    end(work, verbose=False)


@app.command(epilog="Example: cdsbridge fault clear 3")
def clear(
    number: Annotated[int | None, typer.Argument(help="Number of the fault; else all.")] = None,
    port: Port = 5672,
) -> None:
    """Let a fault, or all of them, strike no more."""

    def work() -> int:
        from ..faulting import clear_command  # noqa: PLC0415

        return clear_command(port, number)

    end(work, verbose=False)
