"""Faults asked for over HTTP, by whoever is on this machine and says so.

``GET /$faults`` shows what is armed, ``POST`` arms what its JSON says, ``DELETE`` disarms all, or
with a number behind the path that one.  ``POST /$faults/locks`` lets the locks of an entity lapse now.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..admin.http import HttpRequest, HttpResponse
from ..entities.errors import EntityError
from .broker import Route
from .faults import Armed, Fault, fault_from

PATH: Final = "$faults"
"""First segment of the path."""

MARK: Final = "x-cdsbridge-faults"
"""A header every request must have, so that no web page can ask in a browser's name."""

_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


def fault_route(
    arm: Callable[[Fault], int],
    disarm: Callable[[int | None], None],
    armed: Callable[[], list[Armed]],
    lose_locks: Callable[[str, int | None], int],
) -> Route:
    """What answers requests about faults.

    Args:
        arm: Arms a fault; raises ``ValueError`` for one that is not to be had here.
        disarm: Disarms one by its number, or all.
        armed: Those that are armed.
        lose_locks: Lets so many locks of an entity lapse, or all; raises ``EntityError`` for one that
            is not there.
    """

    def answer(request: HttpRequest) -> HttpResponse | None:
        segments = request.segments
        if not segments or segments[0].lower() != PATH:
            return None
        if not _is_from_here(request):
            return _plain(403, {"error": f"Ask on this machine, with the header {MARK}."})
        try:
            return _plain(200, do(request.method, segments[1:], request.body))
        except ValueError as error:
            return _plain(400, {"error": str(error)})
        except EntityError as error:
            return _plain(400, {"error": error.description.rstrip(".")})

    def do(method: str, rest: list[str], body: bytes) -> Mapping[str, Any]:
        if method == "GET" and not rest:
            return {"faults": [each.to_plain() for each in armed()]}
        if method == "POST" and not rest:
            return {"number": arm(fault_from(_read(body)))}
        if method == "POST" and rest == ["locks"]:
            return {"lost": lose_locks(*_which_locks(_read(body)))}
        if method == "DELETE" and (not rest or rest[0].isdecimal()):
            disarm(int(rest[0]) if rest else None)
            return {}
        raise ValueError("faults are shown by GET, armed by POST, disarmed by DELETE; locks are lost by POST")

    return answer


def _read(body: bytes) -> dict[str, Any]:
    try:
        values = json.loads(body)
    except ValueError:
        raise ValueError("the body of the request is no JSON") from None
    return values if isinstance(values, dict) else {}


def _which_locks(values: Mapping[str, Any]) -> tuple[str, int | None]:
    entity, count = values.get("entity"), values.get("count")
    if not isinstance(entity, str) or not entity:
        raise ValueError("the entity is missing whose locks are to be lost")
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
        raise ValueError("count must be at least 1, or none for all")
    return entity, count


def _is_from_here(request: HttpRequest) -> bool:
    host = request.headers.get("host", "").lower()
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return MARK in request.headers and name in _HOSTS


def _plain(status: int, values: Mapping[str, Any]) -> HttpResponse:
    return HttpResponse(status, json.dumps(values).encode(), "application/json")
