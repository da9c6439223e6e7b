"""The commands ``fault …``: what shall go wrong in an embedded Service Bus that runs."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import typer

from ..model.errors import ConfigError, ServiceUnreachable
from .exit import Exit

_SECONDS: Final = 10.0
_NOT_SERVED: Final = 404


def arm_command(port: int, fault: Mapping[str, Any], output: str) -> int:
    """Arm a fault and tell its number; return the exit code."""
    number = _ask(port, "POST", "", fault)["number"]
    typer.echo(json.dumps({"number": number}) if output == "json" else f"fault {number} is armed")
    return Exit.OK


def lose_locks_command(port: int, entity: str, count: int | None, output: str) -> int:
    """Let locks of an entity lapse now and tell how many have; return the exit code."""
    answer = _ask(port, "POST", "/locks", {"entity": entity, "count": count})
    typer.echo(json.dumps(answer) if output == "json" else f"{answer['lost']} locks of {entity} have lapsed")
    return Exit.OK


def list_command(port: int, output: str) -> int:
    """Show the faults that are armed, with how often they struck; return the exit code."""
    faults = _ask(port, "GET", "")["faults"]
    if output == "json":
        typer.echo(json.dumps(faults))
        return Exit.OK
    for armed in faults:
        fault = armed["fault"]
        often = "until disarmed" if fault["count"] is None else f"{fault['count']} times"
        typer.echo(
            f"{armed['number']}: {fault['kind']} at {fault['at']} of {fault['entity']}, {often}; "
            f"struck {armed['hits']} of {armed['chances']} chances"
        )
    if not faults:
        typer.echo("no fault is armed")
    return Exit.OK


def clear_command(port: int, number: int | None) -> int:
    """Disarm one fault, or all of them; return the exit code."""
    _ask(port, "DELETE", "" if number is None else f"/{number}")
    typer.echo("all faults are disarmed" if number is None else f"fault {number} is disarmed")
    return Exit.OK


def _ask(port: int, method: str, rest: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    request = Request(
        f"http://127.0.0.1:{port}/$faults{rest}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"X-Cdsbridge-Faults": "1", "Content-Type": "application/json"},
    )
    try:
        with urlopen(request, timeout=_SECONDS) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
            return answer
    except HTTPError as error:
        if error.code == _NOT_SERVED:
            raise ConfigError(
                f"The emulator on port {port} takes no faults: start it with `cdsbridge emulator --faults`."
            ) from None
        raise ConfigError(f"The emulator refuses that: {json.load(error)['error']}.") from None
    except (URLError, OSError) as error:
        raise ServiceUnreachable(
            f"No emulator answers on port {port} of this machine ({error}): "
            "start `cdsbridge emulator --faults`, or give its --port."
        ) from error
