"""Rows of the ledger and of the quarantine, made from messages and their verdicts."""

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import pyarrow as pa

from ..model.envelope import Envelope
from ..model.verdict import Outcome, Verdict
from . import ledger, quarantine

Ended = tuple[Envelope, Verdict]
"""A message and how its journey ended."""

_EMPTY_QUARANTINE: Final = quarantine.SCHEMA.empty_table()


def ledger_rows(ended: Sequence[Ended], now: int) -> pa.Table:
    """Return one ledger row a message, as :data:`cdsbridge.sinks.ledger.SCHEMA`.

    Args:
        ended: Distinct messages.
        now: The instant of the commit, microseconds since 1970 UTC.
    """
    envelopes, verdicts = [envelope for envelope, _ in ended], [verdict for _, verdict in ended]
    columns: list[Sequence[object]] = [
        [envelope.entity for envelope in envelopes],
        [envelope.sequence_number for envelope in envelopes],
        [envelope.enqueued_at for envelope in envelopes],
        [envelope.message_id for envelope in envelopes],
        [str(verdict.outcome) for verdict in verdicts],
        [str(verdict.reason) for verdict in verdicts],
        [verdict.event for verdict in verdicts],
        [verdict.rows for verdict in verdicts],
        [now] * len(ended),
    ]
    return _table(columns, ledger.SCHEMA)


def quarantine_rows(ended: Iterable[Ended], now: int) -> pa.Table:
    """Return one quarantine row a rejected message, as :data:`cdsbridge.sinks.quarantine.SCHEMA`.

    Args:
        ended: Distinct messages; those not rejected are passed over.
        now: The instant of the commit, microseconds since 1970 UTC.
    """
    rows = [
        (
            envelope.entity,
            envelope.sequence_number,
            envelope.enqueued_at,
            envelope.message_id,
            envelope.correlation_id,
            envelope.content_type,
            envelope.delivery_count,
            str(verdict.reason),
            verdict.sentence,
            verdict.where,
            properties_json(envelope.properties),
            envelope.body,
            now,
        )
        for envelope, verdict in ended
        if verdict.outcome is Outcome.REJECTED
    ]
    return _table(list(zip(*rows, strict=True)), quarantine.SCHEMA) if rows else _EMPTY_QUARANTINE


def properties_json(properties: Mapping[str, str | bytes | int | float | bool | None]) -> str:
    r"""Return application properties as a JSON object with sorted keys.

    Bytes become ``{"base64": "..."}``; numbers JSON has no form for become text.

    >>> properties_json({"b": b"\x00", "a": float("inf")})
    '{"a": "inf", "b": {"base64": "AA=="}}'
    """
    return json.dumps({key: _plain(value) for key, value in properties.items()}, sort_keys=True)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _table(columns: Sequence[Sequence[object]], schema: pa.Schema) -> pa.Table:
    arrays = [_array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: Sequence[object], arrow_type: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, arrow_type)
    except UnicodeEncodeError:
        # a sentence may quote half a surrogate pair, which UTF-8 cannot hold
        return pa.array([str(value).encode("utf-8", "replace").decode() for value in values], arrow_type)
