"""Rows gathered from familiar messages, their values still sealed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress

from msgspec import Struct

Source = tuple[bytes, bytes, bool]
"""Attributes and labels of a target or image, as ``pairs.inside`` returns them, and whether
its columns count as sent."""


class Seed(Struct, gc=False):
    """What is known of a row before its values are read.

    It holds no more than is needed: decoded messages that live on until the
    end of a batch cost more than decoding them.

    Attributes:
        position: Index of its message in the micro-batch.
        table: Number of its table.
        id, op, event: As in the row.
        created_on: OperationCreatedOn, sealed.
        message, correlation_id, operation_id, user_id, initiating_user_id,
            organization, depth: As in the row.
    """

    position: int
    table: int
    id: str
    op: str
    event: str
    created_on: bytes
    message: str
    correlation_id: str | None
    operation_id: str | None
    user_id: str | None
    initiating_user_id: str | None
    organization: str | None
    depth: int


@dataclass(slots=True)
class Pool:
    """Rows, and the sources of their columns: targets and images.

    A later source of a row replaces columns of an earlier one.

    Attributes:
        seeds: The rows.
        rows: Index of its row, for each source.
        sent: Whether its columns count as sent, for each source.
        attributes: The attributes of each source, as ``pairs.inside`` returns them.
        label_sources: Index of its source, for each list of labels.
        labels: Lists of labels, in the same way.
    """

    seeds: list[Seed] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    sent: list[bool] = field(default_factory=list)
    attributes: list[bytes] = field(default_factory=list)
    label_sources: list[int] = field(default_factory=list)
    labels: list[bytes] = field(default_factory=list)

    def add(self, seed: Seed, sources: Sequence[Source]) -> None:
        """Add a row, with its sources that have attributes."""
        row = len(self.seeds)
        self.seeds.append(seed)
        for attributes, labels, sent in sources:
            if labels:
                self.label_sources.append(len(self.rows))
                self.labels.append(labels)
            self.rows.append(row)
            self.sent.append(sent)
            self.attributes.append(attributes)

    def without(self, rows: set[int]) -> "Pool":
        """Return the pool without some of its rows."""
        keep_row = [row not in rows for row in range(len(self.seeds))]
        keep_source = [keep_row[row] for row in self.rows]
        keep_labels = [keep_source[source] for source in self.label_sources]
        row_now, source_now = _renumbered(keep_row), _renumbered(keep_source)
        return Pool(
            list(compress(self.seeds, keep_row)),
            [row_now[row] for row in compress(self.rows, keep_source)],
            list(compress(self.sent, keep_source)),
            list(compress(self.attributes, keep_source)),
            [source_now[source] for source in compress(self.label_sources, keep_labels)],
            list(compress(self.labels, keep_labels)),
        )


def _renumbered(keep: Sequence[bool]) -> list[int]:
    """Return the new index of everything kept."""
    numbers, count = [], 0
    for kept in keep:
        numbers.append(count)
        count += kept
    return numbers
