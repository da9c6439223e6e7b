"""A context to rows, with the columns every row has beside its data."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from ..model.envelope import Envelope
from ..model.errors import MessageRejected
from ..model.verdict import Reason
from ..tables.names import EVENT_TABLE, PARTY_TABLE
from ..tables.order import order_key
from ..tables.types import ColumnTypes, Kind
from .cells import Cell, cells
from .changes import Change, Said, changes, created_on
from .contexts import NO_ID, Context, Option, Records, Reference
from .identity import event_id
from .messages import PAIRING, PARTY_ROLES, changes_rows
from .pairing import pair_changes
from .rules import FlattenRules
from .spelling import dump, json_object

_CUT: Final = "MessageMaxSizeExceeded"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Attributes:
        table: Logical name of the table.
        system: Values of the columns in ``tables.columns.FLATTENED``, in their order.
        cells: The data.
    """

    table: str
    system: tuple[Any, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows of a message, and its event id."""

    event: str
    rows: tuple[Row, ...]


def rows_of(context: Context, envelope: Envelope, types: ColumnTypes, rules: FlattenRules) -> Rows:
    """Return the rows of a message; none if the rules skip all of its tables.

    Raises:
        MessageRejected: It cannot become rows; never only some of them.
    """
    cut = any(name.endswith(_CUT) for name in envelope.properties)
    found = _drafts(context, cut, types, rules)
    drafts = [draft for draft in found if rules.tables.takes(draft.table)]
    if len(drafts) > rules.limits.rows:
        sentence = f"the message has {len(drafts)} rows; the limit is {rules.limits.rows}"
        raise MessageRejected(Reason.TOO_LARGE, sentence)
    job_id = context.operation_id if context.asynchronous else ""
    event = event_id(envelope.body, job_id, context.step_id, context.message, context.table, context.id)
    delivery = _delivery(envelope)
    return Rows(
        event,
        tuple(
            Row(draft.table, _system(context, envelope, draft, f"{event}-{ordinal}", delivery), draft.cells)
            for ordinal, draft in enumerate(drafts)
        ),
    )


@dataclass(frozen=True, slots=True)
class _Draft:
    table: str
    id: str | None
    op: str
    occurred_at: int
    cells: tuple[Cell, ...]
    sent: str = "[]"
    extra: str | None = None
    truncated: bool = False


def _drafts(context: Context, cut: bool, types: ColumnTypes, rules: FlattenRules) -> Iterator[_Draft]:
    if changes_rows(context.message):
        return _changed_rows(changes(context, cut, types), types, rules)
    pairs = pair_changes(context, types) if context.message in PAIRING else []
    return _changed_rows(pairs, types, rules) if pairs else _event(context, cut)


def _changed_rows(found: Iterable[Change], types: ColumnTypes, rules: FlattenRules) -> Iterator[_Draft]:
    parties: list[tuple[int, Change]] = []
    for change in found:
        draft, lists = _draft(change, types, rules)
        yield draft
        for column, records in lists.items():
            parties.extend(_parties(change, column, records))
    for ordinal, party in parties:
        draft, _ = _draft(party, types, rules)
        numbered = {cell.column: cell for cell in (Cell("ordinal", Kind.INTEGER, ordinal), *draft.cells)}
        yield replace(draft, cells=tuple(numbered.values()))


def _draft(change: Change, types: ColumnTypes, rules: FlattenRules) -> tuple[_Draft, dict[str, Records]]:
    row = cells(change, types, rules.binaries)
    if len(row.found) > rules.limits.columns:
        sentence = (
            f"a row of {change.table} has {len(row.found)} columns; the limit is {rules.limits.columns}"
        )
        raise MessageRejected(Reason.TOO_LARGE, sentence)
    draft = _Draft(
        change.table,
        change.id or None,
        change.op,
        change.occurred_at,
        tuple(row.found),
        dump(row.sent),
        json_object(row.extra),
        change.truncated,
    )
    return draft, row.parties


def _parties(change: Change, column: str, records: Records) -> Iterator[tuple[int, Change]]:
    for ordinal, record in enumerate(records.records):
        named = record.attributes.get("activitypartyid")
        columns = {"activityid": Said(Reference(change.id, change.table, None))}
        role = PARTY_ROLES.get(column)
        if role is not None:
            columns["participationtypemask"] = Said(Option(role))
        for key, value in record.attributes.items():
            columns[key] = Said(value, record.labels.get(key))
        key = record.id if record.id not in {"", NO_ID} else named if isinstance(named, str) else ""
        sent = ("ordinal", *columns)
        yield ordinal, Change(PARTY_TABLE, key.lower(), change.op, change.occurred_at, columns, sent)


def _event(context: Context, cut: bool) -> Iterator[_Draft]:
    texts = {
        "parameters": context.parameters(),
        "outputs": context.outputs(),
        "primaryentity": "" if context.table == "none" else context.table,
    }
    cells = tuple(Cell(name, Kind.TEXT, text) for name, text in texts.items() if text)
    key = None if context.id in {"", NO_ID} else context.id
    truncated = cut or (context.bare and context.message in PAIRING)
    yield _Draft(EVENT_TABLE, key, "event", created_on(context), cells, truncated=truncated)


def _delivery(envelope: Envelope) -> tuple[Any, ...]:
    return (
        envelope.entity,
        envelope.sequence_number,
        envelope.message_id or None,
        envelope.enqueued_at or None,
        envelope.received_at or None,
    )


def _system(
    context: Context, envelope: Envelope, draft: _Draft, event: str, delivery: tuple[Any, ...]
) -> tuple[Any, ...]:
    return (
        draft.id,
        draft.op == "delete",
        event,
        draft.op,
        context.message,
        order_key(draft.occurred_at, draft.op, envelope.sequence_number, event),
        draft.sent,
        draft.extra,
        draft.truncated,
        draft.occurred_at,
        context.correlation_id,
        context.operation_id or None,
        context.user_id,
        context.initiating_user_id,
        context.organization,
        context.depth,
        *delivery,
    )
