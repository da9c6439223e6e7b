"""Rows as they are now, by their keys, many in one request."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from ..model.errors import ServiceUnreachable
from .answers import LATER, Answer
from .client import WebClient

_NO_SUCH_ROW: Final = "0x80040217"
"""ObjectDoesNotExist.  A 404 with another code speaks of the table, not of the row
(https://learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes)."""

_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class State(StrEnum):
    """What became of asking for a row."""

    FOUND = "found"
    GONE = "gone"
    FORBIDDEN = "forbidden"
    THROTTLED = "throttled"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The answer for one row.

    Attributes:
        state: GONE is certain: Dataverse has no row with that key.
        body: The row as JSON, of FOUND.
        reason: One sentence, of all others.
    """

    state: State
    body: bytes = b""
    reason: str = ""


def retrieve(client: WebClient, rows: Sequence[tuple[str, str]]) -> list[Retrieved]:
    """Ask for rows, all columns, labels and lookup tables with them.

    Args:
        client: Whom to ask.
        rows: Entity set and key of each.

    Returns:
        One answer a row, in their order.

    Raises:
        NotPermitted: As :meth:`cdsbridge.webapi.client.WebClient.batch`; so are the others.
    """
    sound = [index for index, (_, key) in enumerate(rows) if _GUID.fullmatch(key)]
    paths = [f"{quote(rows[index][0], safe='')}({rows[index][1]})" for index in sound]
    found = dict(zip(sound, map(_judged, client.batch(paths)), strict=True))
    unsound = Retrieved(State.REFUSED, reason="the key is no GUID")
    return [found.get(index, unsound) for index in range(len(rows))]


def unique_name(client: WebClient) -> str:
    """Return the unique name of the organization, which messages carry as OrganizationName.

    Source: https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/retrievecurrentorganization

    Raises:
        NotPermitted: As :meth:`cdsbridge.webapi.client.WebClient.get`; so are the others.
    """
    asked = (
        "RetrieveCurrentOrganization(AccessType=@p1)?@p1=Microsoft.Dynamics.CRM.EndpointAccessType'Default'"
    )
    detail = client.get(asked).json().get("Detail")
    name = detail.get("UniqueName") if isinstance(detail, dict) else None
    if not isinstance(name, str) or not name:
        raise ServiceUnreachable(
            f"{client.api.url} does not tell its unique name; set dataverse.organization"
        )
    return name


def _judged(answer: Answer) -> Retrieved:
    code, message = answer.fault()
    told = " ".join(part for part in (str(answer.status), code, message) if part)
    if answer.status == 200:
        return Retrieved(State.FOUND, answer.body)
    if answer.status == 404 and code.lower() == _NO_SUCH_ROW:
        return Retrieved(State.GONE, reason=f"Dataverse has no such row any more: {told}")
    if answer.status in {401, 403}:
        return Retrieved(State.FORBIDDEN, reason=f"the identity may not read the row: {told}")
    if answer.status in LATER:
        return Retrieved(State.THROTTLED, reason=f"Dataverse says to come back later: {told}")
    return Retrieved(State.REFUSED, reason=f"Dataverse does not give the row: {told}")
