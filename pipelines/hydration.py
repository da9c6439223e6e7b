"""Truncated rows in, the rows that answer them out: Web API and flattening together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from ..model.errors import BridgeError, ConfigError, MessageRejected, NotPermitted, ServiceUnreachable
from ..tables.description import Description
from ..tables.hydration import TruncatedRow
from ..tables.metadata import Metadata, gathered
from ..tables.types import Kind
from ..transforms.rows import Row
from ..transforms.web_rows import deleted_row, hydrated_row
from ..webapi.answers import RequestRefused
from ..webapi.client import WebClient
from ..webapi.definitions import describe_table
from ..webapi.rows import Retrieved, State, retrieve, unique_name


class End(StrEnum):
    """What became of a truncated row.  All but the first two leave it on the list."""

    HYDRATED = "hydrated"
    DELETED = "deleted"
    FORBIDDEN = "forbidden"
    THROTTLED = "throttled"
    REFUSED = "refused"
    ELSEWHERE = "elsewhere"
    NO_TABLE = "no-table"
    BAD_VALUE = "bad-value"


_ENDS: Final = {
    State.FORBIDDEN: End.FORBIDDEN,
    State.THROTTLED: End.THROTTLED,
    State.REFUSED: End.REFUSED,
}


@dataclass(frozen=True, slots=True)
class Hydration:
    """What became of one truncated row.

    Attributes:
        truncated: The row.
        end: What became of it.
        made: The row that answers it, of HYDRATED and DELETED.
        reason: One sentence, where it stays on the list.
    """

    truncated: TruncatedRow
    end: End
    made: Row | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Table:
    """What it takes to ask for rows of a table, or why that cannot be done."""

    entity_set: str = ""
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    reason: str = ""


class Hydrator:
    """Reads rows again.  Used by one thread at a time.

    Args:
        client: Whom to ask.
        metadata: What flattening knows.
        binaries: Keep the bytes of images.
        asks_for_tables: Whether tables that the metadata does not know are asked for too.
    """

    def __init__(
        self,
        client: WebClient,
        metadata: Metadata,
        *,
        binaries: bool = False,
        asks_for_tables: bool = True,
    ) -> None:
        self._client = client
        self._metadata = metadata
        self._binaries = binaries
        self._asks = asks_for_tables
        self._tables: dict[str, _Table] = {}
        self._organization = client.api.organization

    def hydrate(self, rows: Sequence[TruncatedRow]) -> list[Hydration]:
        """Ask for rows, in one batch as far as the batch size allows; one result a row, in their order.

        Raises:
            NotPermitted: Dataverse, or Microsoft Entra ID, refuses our credential.
            ServiceUnreachable: It is away, or throttles us beyond our patience.
            ConfigError: The URL is not one a token may go to.
        RequestRefused: Dataverse does not take the request as a whole.
        """
        ended: dict[int, Hydration] = {}
        asked: dict[tuple[str, str], list[int]] = defaultdict(list)
        for index, row in enumerate(rows):
            stays = self._stays(row)
            if stays is None:
                asked[self._known(row.table).entity_set, row.id or ""].append(index)
            else:
                ended[index] = stays
        # two truncated events of one row are answered by one request
        answers = retrieve(self._client, list(asked)) if asked else []
        for indexes, answer in zip(asked.values(), answers, strict=True):
            for index in indexes:
                ended[index] = self._judged(rows[index], answer)
        return [ended[index] for index in range(len(rows))]

    def _stays(self, row: TruncatedRow) -> Hydration | None:
        """Return why a row is not asked for, if it is not."""
        if row.id is None:
            return Hydration(row, End.REFUSED, reason="the message had no key")
        if row.organization and row.organization.lower() != self._our_name():
            return Hydration(
                row,
                End.ELSEWHERE,
                reason=f"the row is of organization {row.organization!r}, {self._client.api.url} is "
                f"{self._our_name()!r}; a bridge hydrates from one organization",
            )
        table = self._known(row.table)
        return Hydration(row, End.NO_TABLE, reason=table.reason) if table.reason else None

    def _our_name(self) -> str:
        if self._organization is None:
            self._organization = unique_name(self._client)
        return self._organization.lower()

    def _known(self, table: str) -> _Table:
        if table not in self._tables:
            self._tables[table] = self._looked_up(table)
        return self._tables[table]

    def _looked_up(self, table: str) -> _Table:
        entity_set = self._metadata.entity_sets.get(table)
        if entity_set:
            return _Table(entity_set)
        if not self._asks:
            return _Table(reason=f"the metadata file has no entity set of {table}; pull it anew")
        try:
            described = describe_table(self._client, table)
        except (ConfigError, RequestRefused) as error:
            return _Table(reason=str(error))
        found = gathered(Description(tables={table: described}))
        if not described.entity_set:
            return _Table(reason=f"rows of {table} cannot be read by the Web API: it has no entity set")
        return _Table(described.entity_set, found.types.tables[table])

    def _judged(self, row: TruncatedRow, answer: Retrieved) -> Hydration:
        if answer.state is State.GONE:
            return Hydration(row, End.DELETED, deleted_row(row))
        if answer.state is not State.FOUND:
            return Hydration(row, _ENDS[answer.state], reason=answer.reason)
        types, told = self._metadata.types, self._known(row.table).kinds
        try:
            made = hydrated_row(row, answer.body, types, told, binaries=self._binaries)
        except MessageRejected as fault:
            return Hydration(row, End.BAD_VALUE, reason=fault.sentence)
        return Hydration(row, End.HYDRATED, made)


AWAY: Final[tuple[type[BridgeError], ...]] = (
    NotPermitted,
    ServiceUnreachable,
    ConfigError,
    RequestRefused,
)
"""What asking raises when nothing can be read at all."""
