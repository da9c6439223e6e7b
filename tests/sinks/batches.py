"""Flattened batches made by hand, without the flattener."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from cdsbridge.model.batch import FlattenedBatch, TableBatch
from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.model.verdict import Outcome, Verdict
from cdsbridge.tables.columns import FLATTENED, TIMESTAMP
from cdsbridge.tables.contract import Contracts, TableContract

NOW = 1_790_000_000_000_000
"""An instant in 2026."""

Rows = Sequence[tuple[str, Mapping[str, pa.Scalar]]]


@dataclass(frozen=True)
class Post:
    """One delivery of one message, and the rows it becomes.

    Attributes:
        number: The broker's number of the message.
        event: Identity of the event; shared by the sender's retries.
        rows: Table and data columns of each row.
        verdict: What the flattener said, if not that it is to be committed.
        received_at: When this delivery reached us.
    """

    number: int
    event: str
    rows: Rows = ()
    verdict: Verdict | None = None
    received_at: int = NOW
    entity: str = "orders"
    body: bytes = b"{}"
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def order(self) -> str:
        return f"{7:018d}.1.{self.number:019d}.{self.event}"

    @property
    def key(self) -> tuple[str, int, int]:
        return (self.entity, self.number, NOW + self.number)

    @property
    def is_rejected(self) -> bool:
        return self.verdict is not None and self.verdict.outcome is Outcome.REJECTED

    def envelope(self) -> Envelope:
        return Envelope(
            self.body,
            self.entity,
            self.number,
            enqueued_at=NOW + self.number,
            received_at=self.received_at,
            message_id=f"id-{self.number}",
            properties=self.properties,
            lock_token=self.number.to_bytes(16, "big"),
        )

    def system(self, row: int) -> dict[str, pa.Scalar]:
        values = {
            "Id": f"key-{self.event}",
            "IsDelete": False,
            "_event_id": f"{self.event}-{row}",
            "_op": "create",
            "_message": "Create",
            "_order": f"{self.order}-{row}",
            "_truncated": False,
            "_entity": self.entity,
            "_sequence_number": self.number,
            "_message_id": f"id-{self.number}",
            "_enqueued_at": NOW + self.number,
            "_received_at": self.received_at,
        }
        return {name: pa.scalar(value, FLATTENED[name]) for name, value in values.items()}


def text(value: str | None) -> pa.Scalar:
    return pa.scalar(value, pa.string())


def number(value: int | None) -> pa.Scalar:
    return pa.scalar(value, pa.int64())


def flattened(posts: Sequence[Post]) -> FlattenedBatch:
    """Return what the flattener would make of the deliveries, taken as one micro-batch."""
    envelopes = tuple(post.envelope() for post in posts)
    verdicts = tuple(post.verdict or Verdict(Outcome.COMMITTED, post.event, len(post.rows)) for post in posts)
    found: dict[str, list[tuple[int, dict[str, pa.Scalar]]]] = {}
    for position, post in enumerate(posts):
        for row, (table, values) in enumerate(post.rows):
            sent = {"_changed": text(json.dumps(sorted(values)))}
            found.setdefault(table, []).append((position, {**post.system(row), **sent, **values}))
    tables = tuple(_table_batch(table, rows) for table, rows in found.items())
    return FlattenedBatch(MicroBatch(posts[0].entity, envelopes), tables, verdicts)


def _table_batch(table: str, rows: list[tuple[int, dict[str, pa.Scalar]]]) -> TableBatch:
    columns: dict[tuple[str, pa.DataType], list[object]] = {}
    for index, (_, values) in enumerate(rows):
        for name, value in values.items():
            if value.is_valid:
                column = columns.setdefault((name, value.type), [None] * len(rows))
                column[index] = value.value if value.type == TIMESTAMP else value.as_py()
    fields = [pa.field(name, kind) for name, kind in columns]
    arrays = [pa.array(values, kind.type) for values, kind in zip(columns.values(), fields, strict=True)]
    positions = pa.array([position for position, _ in rows], pa.int32())
    return TableBatch(table, pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields)), positions)


STRICT = Contracts(default=TableContract(other_type="quarantine"))
"""What does not fit its column goes to quarantine."""
