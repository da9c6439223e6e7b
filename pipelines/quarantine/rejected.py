"""What lies in the quarantine of a sink, and which of it a replay has cured since."""

from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from ...model.envelope import Envelope, MicroBatch
from ...model.errors import ConfigError
from ...model.properties import properties_of
from ...model.verdict import Outcome
from ...sinks import AnySink
from ...sinks import quarantine as kept
from ...sinks.base import SinkReader
from ...sources.plan import Selection, table_of
from ..config import BridgeConfig

REPLAYED: Final = "/$Quarantine"
"""What the entity of a message that was replayed out of a quarantine ends in, a number behind it."""
_DEAD: Final = "/$deadletterqueue"
_AT_ONCE: Final = 1_000
_REMEMBERED: Final = 1_000_000
"""Messages by which a repeat is told."""

Name = tuple[str, str, int]
"""A message: entity in lower case, message id or the empty string, and number where there is no id."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message in quarantine.

    Attributes:
        envelope: The message as it came.
        reason: Why it was rejected.
        sentence: The sentence to it.
        place: Where in the body.
        at: When it was committed, microseconds since 1970 UTC.
        replays: How often it was replayed since and rejected again.
        cured: Whether it has been committed since, or skipped.
    """

    envelope: Envelope
    reason: str
    sentence: str
    place: str
    at: int
    replays: int = 0
    cured: bool = False


def sink_of(config: BridgeConfig, name: str | None) -> AnySink:
    """Return the sink whose quarantine is meant; all of them hold the same.

    Args:
        config: Of the bridge.
        name: Its name or kind; else the last of them, whose key is looked up fastest as a rule.

    Raises:
        ConfigError: There is none.
    """
    found = [
        sink for sink in config.sinks if sink.history and (name is None or name in {sink.name, sink.kind})
    ]
    if not found:
        told = ", ".join(sink.name for sink in config.sinks if sink.history) or "none"
        raise ConfigError(f"--sink: name a sink with a quarantine by its name or kind: {told}")
    return found[-1]


def quarantined(
    reader: SinkReader, selection: Selection | None = None, *, cured: bool = False
) -> Generator[Quarantined]:
    """Yield what is in quarantine, each message once, in the order of the sink.

    Memory is that of a piece, and of the names of messages that were replayed.

    Args:
        reader: Of the sink.
        selection: Which; its reasons are those of the quarantine.
        cured: Also those that have been committed since.

    Raises:
        SinkUnavailable: The sink cannot be read.
        ConfigError: A row cannot be read.
    """
    selection = selection or Selection()
    replays, good = _replays(reader)
    seen: dict[tuple[str, int, int], None] = {}
    for piece in reader.quarantined():
        for row in _as_rows(piece):
            entry = _entry(row, replays, good)
            key = (entry.envelope.entity, entry.envelope.sequence_number, entry.envelope.enqueued_at)
            if key in seen or REPLAYED in entry.envelope.entity or (entry.cured and not cured):
                continue
            seen[key] = None
            if len(seen) > _REMEMBERED:
                del seen[next(iter(seen))]
            if _takes(selection, entry):
                yield entry


class QuarantinedMessages(BaseModel):
    """The messages in a quarantine that are not cured: a source that pickles."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    sink: AnySink
    selection: Selection = Selection()
    limit: int | None = None

    def batches(self) -> Iterator[MicroBatch]:
        """Yield them, each under a name that tells it from the first time.

        Raises:
            SinkUnavailable: The sink cannot be read.
        """
        gathered: dict[str, list[Envelope]] = {}
        count = 0
        with closing(self.sink.read()) as reader:
            for entry in quarantined(reader, self.selection):
                if count == self.limit:
                    break
                count += 1
                envelope = renamed(entry)
                some = gathered.setdefault(envelope.entity, [])
                some.append(envelope)
                if len(some) >= _AT_ONCE:
                    yield MicroBatch(envelope.entity, tuple(gathered.pop(envelope.entity)))
        yield from (MicroBatch(entity, tuple(some)) for entity, some in gathered.items())


def renamed(entry: Quarantined) -> Envelope:
    """Return a message under the name of its next replay, so that the ledger tells the two ends apart."""
    envelope = entry.envelope
    return Envelope(
        envelope.body,
        f"{envelope.entity}{REPLAYED}{entry.replays + 1}",
        envelope.sequence_number,
        envelope.enqueued_at,
        envelope.received_at,
        envelope.message_id,
        envelope.correlation_id,
        envelope.content_type,
        envelope.properties,
        envelope.delivery_count,
    )


def _takes(selection: Selection, entry: Quarantined) -> bool:
    envelope = entry.envelope
    return (
        (not selection.reasons or entry.reason in selection.reasons)
        and (not selection.tables or table_of(envelope) in selection.tables)
        and (not selection.message_ids or envelope.message_id in selection.message_ids)
        and (selection.since is None or envelope.enqueued_at >= selection.since)
        and (selection.until is None or envelope.enqueued_at < selection.until)
    )


def _as_rows(piece: pa.Table) -> list[dict[str, Any]]:
    columns = [
        column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in piece.columns
    ]
    return pa.Table.from_arrays(columns, names=piece.column_names).to_pylist()


def _entry(row: dict[str, Any], replays: Counter[Name], good: set[Name]) -> Quarantined:
    try:
        properties = properties_of(row["properties"] or "{}")
    except ValueError as error:
        raise ConfigError(f"The properties of a message in {kept.TABLE} cannot be read: {error}") from error
    envelope = Envelope(
        row["body"] or b"",
        row["entity"],
        row["sequence_number"],
        enqueued_at=row["enqueued_at"] or 0,
        received_at=row["quarantined_at"] or 0,
        message_id=row["message_id"] or "",
        correlation_id=row["correlation_id"] or "",
        content_type=row["content_type"] or "",
        properties=properties,
        delivery_count=row["delivery_count"] or 0,
    )
    name = _name(envelope.entity, envelope.message_id, envelope.sequence_number)
    return Quarantined(
        envelope,
        row["reason"] or "",
        row["sentence"] or "",
        row["place"] or "",
        row["quarantined_at"] or 0,
        replays[name],
        name in good,
    )


def _replays(reader: SinkReader) -> tuple[Counter[Name], set[Name]]:
    """Return how often messages were replayed in vain, and which ended well, there or as dead letters."""
    replays: Counter[Name] = Counter()
    good: set[Name] = set()
    for piece in reader.ledger():
        again = pc.match_substring_regex(piece.column("entity"), r"(?i)\$(quarantine|deadletterqueue)")
        rows = piece.filter(again)
        for entity, number, message_id, end in zip(
            *(
                rows.column(name).to_pylist()
                for name in ("entity", "sequence_number", "message_id", "disposition")
            ),
            strict=True,
        ):
            base, replay, _ = entity.partition(REPLAYED)
            name = _name(base, message_id or "", number)
            if replay and end == Outcome.REJECTED:
                replays[name] += 1
            elif end != Outcome.REJECTED:
                good.add(name)
    return replays, good


def _name(entity: str, message_id: str, number: int) -> Name:
    """Return what tells a message, whether it is named as itself or as the dead letter of itself."""
    base = entity.lower().partition("#")[0].removesuffix(_DEAD)
    return base, message_id, 0 if message_id else number
