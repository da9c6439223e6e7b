"""Rows gathered from familiar messages, their values still sealed.

Per attribute nothing is done here but one look-up: values and the numbers of
their columns go into one pool over all tables.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import compress
from typing import Final

from msgspec import Raw

from ..model.envelope import Envelope
from .contexts import NO_ID
from .identity import event_id
from .messages import MEANINGS, NO_TABLE
from .rules import FlattenRules
from .said import Listener, Said
from .sealed import SealedContext, Unfamiliar, open_context
from .slots import Slots

_CUT: Final = "MessageMaxSizeExceeded"
_GUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_INT32: Final = 2**31


@dataclass(frozen=True, slots=True)
class Seed:
    """What is known of a row before its values are read.

    Attributes:
        position: Index of its message in the micro-batch.
        table: Number of its table.
        id, op, event, sent: As in the row; ``sent`` is JSON text.
        context: The message it came from.
    """

    position: int
    table: int
    id: str
    op: str
    event: str
    sent: str
    context: SealedContext


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
    labels: list[str] = field(default_factory=list)

    def add(self, seed: Seed, said: Said, codes: dict[str, int]) -> None:
        """Add a row whose keys all have numbers."""
        self.seeds.append(seed)
        self.counts.append(len(said.columns))
        self.codes.extend(map(codes.__getitem__, said.columns))
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
        self._listener = Listener(rules)
        self._taken: dict[tuple[str, str], bool] = {}

    def add(self, pool: Pool, position: int, envelope: Envelope) -> str | None:
        """Add the row of a message; return its event id, or ``None`` where the rules skip it.

        Raises:
            Unfamiliar: The message must be read thoroughly; nothing was added.
        """
        context = self._open(envelope)
        meaning = MEANINGS.get(context.MessageName)
        table = context.PrimaryEntityName.lower()
        if meaning is None or meaning.target == "Targets" or table in NO_TABLE:
            raise Unfamiliar
        if not self._takes(context.MessageName, table):
            return None
        primary = context.PrimaryEntityId.lower()
        key, said = self._listener.listen(context, meaning, primary)
        if _GUID.fullmatch(primary) is None or _GUID.fullmatch(key) is None or key == NO_ID:
            raise Unfamiliar
        codes = self._codes(table, said)
        event = event_id(
            envelope.body,
            asynchronous=context.Mode == 1,
            operation_id=context.OperationId.lower(),
            step_id=context.OwningExtension.Id.lower(),
            message=context.MessageName,
            table=table,
            id=primary,
        )
        seed = Seed(
            position, self._slots.table_number(table), key, meaning.op, event, _listed(said.sent), context
        )
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
        context = open_context(body)
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

    def _codes(self, table: str, said: Said) -> dict[str, int]:
        if 3 * len(said.columns) > self._rules.limits.columns:
            raise Unfamiliar
        codes = self._slots.codes(table)
        if not said.columns.keys() <= codes.keys():
            self._slots.learn(table, said.columns)
        return codes


def _listed(keys: list[str]) -> str:
    return '["' + '","'.join(sorted(keys)) + '"]' if keys else "[]"
