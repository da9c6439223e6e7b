"""Rows gathered from familiar messages, their values still sealed.

Per attribute nothing is done here but one look-up: values and the numbers of
their columns go into one pool over all tables.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import compress
from typing import Final

from msgspec import Raw, Struct

from ..model.envelope import Envelope
from .contexts import NO_ID
from .identity import event_id
from .messages import MEANINGS, NO_TABLE
from .rules import FlattenRules
from .said import Listener, Said
from .sealed import Opener, SealedContext, Unfamiliar
from .slots import Slots

_CUT: Final = "MessageMaxSizeExceeded"
_GUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_INT32: Final = 2**31


class Seed(Struct, gc=False):
    """What is known of a row before its values are read.

    It holds no more than is needed: decoded messages that live on until the
    end of a batch cost more than decoding them.

    Attributes:
        position: Index of its message in the micro-batch.
        table: Number of its table.
        id, op, event, sent: As in the row; ``sent`` is JSON text.
        created_on: OperationCreatedOn, sealed.
        message, correlation_id, operation_id, user_id, initiating_user_id,
            organization, depth: As in the row.
    """

    position: int
    table: int
    id: str
    op: str
    event: str
    sent: str
    created_on: Raw
    message: str
    correlation_id: str | None
    operation_id: str | None
    user_id: str | None
    initiating_user_id: str | None
    organization: str | None
    depth: int


@dataclass(slots=True)
class Pool:
    """Rows, and the values of all of them side by side.

    Attributes:
        seeds: The rows.
        counts: Values of each row.
        codes: Column numbers of the values, row after row.
        values: The values.
        label_counts, label_codes, labels: The same for labels.
    """

    seeds: list[Seed] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    values: list[Raw] = field(default_factory=list)
    label_counts: list[int] = field(default_factory=list)
    label_codes: list[int] = field(default_factory=list)
    labels: list[Raw] = field(default_factory=list)

    def add(self, seed: Seed, said: Said, codes: dict[str, int]) -> None:
        """Add a row.

        Raises:
            KeyError: A key has no number; nothing was added.
        """
        before = len(self.codes)
        try:
            self.codes.extend(map(codes.__getitem__, said.columns))
        except KeyError:
            del self.codes[before:]
            raise
        self.seeds.append(seed)
        self.counts.append(len(said.columns))
        self.values.extend(said.columns.values())
        self.label_counts.append(len(said.labels))
        if said.labels:
            self.label_codes.extend(map(codes.__getitem__, said.labels))
            self.labels.extend(said.labels.values())

    def without(self, rows: set[int]) -> "Pool":
        """Return the pool without some of its rows."""
        keep = [row not in rows for row in range(len(self.seeds))]
        of_value = _repeated(keep, self.counts)
        of_label = _repeated(keep, self.label_counts)
        return Pool(
            list(compress(self.seeds, keep)),
            list(compress(self.counts, keep)),
            list(compress(self.codes, of_value)),
            list(compress(self.values, of_value)),
            list(compress(self.label_counts, keep)),
            list(compress(self.label_codes, of_label)),
            list(compress(self.labels, of_label)),
        )


def _repeated(flags: Iterable[bool], counts: Iterable[int]) -> list[bool]:
    return [flag for flag, count in zip(flags, counts, strict=True) for _ in range(count)]


class Gatherer:
    """Puts familiar messages into a pool.

    Args:
        slots: What has been seen of columns.
        rules: What to skip, and what is too large.
    """

    def __init__(self, slots: Slots, rules: FlattenRules) -> None:
        self._slots = slots
        self._rules = rules
        self._opener = Opener()
        self._listener = Listener(rules, self._opener)
        self._taken: dict[tuple[str, str], bool] = {}

    def add(self, pool: Pool, position: int, envelope: Envelope) -> str | None:
        """Add the row of a message; return its event id, or ``None`` where the rules skip it.

        Raises:
            Unfamiliar: The message must be read thoroughly; nothing was added.
        """
        context = self._open(envelope)
        message, table = context.MessageName, context.PrimaryEntityName.lower()
        meaning = MEANINGS.get(message)
        if meaning is None or meaning.target == "Targets" or table in NO_TABLE:
            raise Unfamiliar
        if not self._takes(message, table):
            return None
        primary = context.PrimaryEntityId.lower()
        key, said = self._listener.listen(context, meaning, primary)
        if key == NO_ID or not _GUID(primary) or not (key == primary or _GUID(key)):
            raise Unfamiliar
        if 3 * len(said.columns) > self._rules.limits.columns:
            raise Unfamiliar
        job_id = context.OperationId.lower()
        event = event_id(
            envelope.body,
            job_id if context.Mode == 1 else "",
            context.OwningExtension.Id.lower(),
            message,
            table,
            primary,
        )
        codes = self._slots.codes(table)
        seed = Seed(
            position,
            self._slots.table_number(table),
            key,
            meaning.op,
            event,
            _listed(said.sent),
            context.OperationCreatedOn,
            message,
            context.CorrelationId or None,
            job_id or None,
            context.UserId or None,
            context.InitiatingUserId or None,
            context.OrganizationName or None,
            context.Depth,
        )
        try:
            pool.add(seed, said, codes)
        except KeyError:
            self._slots.learn(table, said.columns)
            pool.add(seed, said, codes)
        return event

    def _open(self, envelope: Envelope) -> SealedContext:
        body = envelope.body
        if (
            not body.startswith(b"{")
            or len(body) > self._rules.limits.body_bytes
            or _CUT in "".join(envelope.properties)
        ):
            raise Unfamiliar
        context = self._opener.context(body)
        if not -_INT32 < context.Depth < _INT32:
            raise Unfamiliar
        return context

    def _takes(self, message: str, table: str) -> bool:
        taken = self._taken.get((message, table))
        if taken is None:
            if len(self._taken) > 10_000:
                self._taken.clear()
            taken = self._rules.messages.takes(message) and self._rules.tables.takes(table)
            self._taken[message, table] = taken
        return taken


def _listed(keys: list[str]) -> str:
    return '["' + '","'.join(sorted(keys)) + '"]' if keys else "[]"
