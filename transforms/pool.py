"""Rows gathered from familiar messages, their values still sealed.

Per attribute nothing is done here but one look-up: values and the numbers of
their columns go into one pool over all tables.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import compress

from msgspec import Raw, Struct

from .told import Told


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

    def add(self, seed: Seed, told: Told) -> None:
        """Add a row.

        Raises:
            KeyError: A key has no number; nothing was added.
        """
        codes = told.plan.codes
        before = len(self.codes)
        try:
            self.codes.extend(map(codes.__getitem__, told.columns))
        except KeyError:
            del self.codes[before:]
            raise
        self.seeds.append(seed)
        self.counts.append(len(told.columns))
        self.values.extend(told.columns.values())
        self.label_counts.append(len(told.labels))
        if told.labels:
            self.label_codes.extend(map(codes.__getitem__, told.labels))
            self.labels.extend(told.labels.values())

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
