"""A context to changes: which rows it touches, and what it says about each column."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..model.errors import MessageRejected
from ..model.verdict import Reason
from ..tables.types import ColumnTypes
from . import numbers
from .contexts import NO_ID, Context, Empty, Instant, Record, Records, Reference, References, Value
from .messages import MEANINGS, NO_TABLE, Meaning
from .values import bad


@dataclass(frozen=True, slots=True)
class Said:
    """What a message says about one column: a value, and its label if one was sent."""

    value: Value
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One row that a message touches.

    Attributes:
        table: Logical name of its table.
        id: Primary key, GUID text in lower case.
        op: create, update or delete.
        occurred_at: Microseconds since 1970 UTC.
        columns: Key, as sent, to what is said about it.
        sent: The keys that were sent: those of the target, and of the pre
            image of a delete.
        truncated: The sender cut the message.
    """

    table: str
    id: str
    op: str
    occurred_at: int
    columns: Mapping[str, Said] = field(default_factory=dict)
    sent: tuple[str, ...] = ()
    truncated: bool = False


def changes(context: Context, cut: bool, types: ColumnTypes) -> list[Change]:
    """Return the changes of a message that changes rows.

    Per column the later source wins: pre image (of deletes only), target,
    post image.  A value replaces its label too.

    Args:
        context: Of a message for which ``changes_rows`` holds.
        cut: The envelope says the message was too large to be sent whole.
        types: What is known about tables: the names of their keys.

    Raises:
        MessageRejected: ``no-table``, ``no-key``, ``not-a-context`` or ``bad-value``.
    """
    meaning = MEANINGS[context.message]
    truncated = cut or context.bare
    targets = _targets(context, meaning, truncated)
    single = meaning.target != "Targets"
    found = [
        _change(context, meaning, _Place(index, single, truncated), target, types)
        for index, target in enumerate(targets)
    ]
    return [*found, *_merged(context, meaning, found)]


@dataclass(frozen=True, slots=True)
class _Place:
    index: int
    single: bool
    truncated: bool


def _targets(context: Context, meaning: Meaning, truncated: bool) -> Sequence[Record]:
    target = context.inputs.get(meaning.target)
    if isinstance(target, Records):
        return target.records
    if isinstance(target, Reference):
        return (Record((target.table or "").lower(), target.id),)
    if isinstance(target, References):
        return [Record((each.table or "").lower(), each.id) for each in target.references]
    if target is not None and not isinstance(target, Empty):
        raise bad(f"InputParameters.{meaning.target}", "a record or a lookup is expected here")
    if not truncated:
        sentence = f"the {context.message} message has no {meaning.target}; look at the step that sends it"
        raise MessageRejected(Reason.NOT_A_CONTEXT, sentence, f"InputParameters.{meaning.target}")
    if meaning.target == "Targets" and context.created_ids:
        return [Record("", each) for each in context.created_ids]
    return (Record("", ""),)


def _merged(context: Context, meaning: Meaning, found: Sequence[Change]) -> Iterator[Change]:
    """Yield the row that was merged into the target: it stays, marked so and pointing there.

    Source: https://learn.microsoft.com/power-apps/developer/data-platform/merge-data
    """
    key = context.inputs.get(meaning.loser)
    if not found or not isinstance(key, str) or key == NO_ID:
        return
    winner = found[0]
    try:
        loser = numbers.guid(key)
    except ValueError as error:
        raise bad(f"InputParameters.{meaning.loser}", str(error)) from error
    if loser == winner.id:
        return
    columns = {"masterid": Said(Reference(winner.id, winner.table, None)), "merged": Said(True)}
    yield Change(winner.table, loser, "update", created_on(context), columns, tuple(columns))


def _change(context: Context, meaning: Meaning, place: _Place, target: Record, types: ColumnTypes) -> Change:
    table = _table(context, target, place)
    key = _key(context, target, place, types.keys.get(table, f"{table}id"))
    before = _images(context.pre_images, key)
    after = _images(context.post_images, key)
    sent = [*before, target, *_extra_columns(context, meaning)]
    columns: dict[str, Said] = {}
    for record in (*sent, *after):
        columns.update(_said(record))
    return Change(
        table,
        key,
        meaning.op,
        _occurred_at(context, meaning.op, columns),
        columns,
        tuple(dict.fromkeys(key for record in sent for key in record.attributes)),
        place.truncated,
    )


def _said(record: Record) -> Iterator[tuple[str, Said]]:
    labels = record.labels
    for key, value in record.attributes.items():
        yield key, Said(value, labels.get(key))


def _extra_columns(context: Context, meaning: Meaning) -> Iterator[Record]:
    if meaning.columns:
        named = {
            column: context.inputs[name] for name, column in meaning.columns.items() if name in context.inputs
        }
        yield Record("", "", named)
    content = context.inputs.get(meaning.content)
    if isinstance(content, Records):
        yield from content.records


def _table(context: Context, target: Record, place: _Place) -> str:
    names = (context.table, target.table) if place.single else (target.table, context.table)
    table = next((name for name in names if name not in NO_TABLE), None)
    if table is None:
        sentence = f"the {context.message} message names no table; it cannot become a row"
        raise MessageRejected(Reason.NO_TABLE, sentence, "PrimaryEntityName")
    return table


def _key(context: Context, target: Record, place: _Place, column: str) -> str:
    created = context.created_ids[place.index] if place.index < len(context.created_ids) else ""
    held = target.attributes.get(column)
    first = context.id if place.single else ""
    for found in (first, target.id, created, held):
        if isinstance(found, str) and found and found != NO_ID:
            try:
                return numbers.guid(found)
            except ValueError as error:
                raise bad(f"InputParameters.{MEANINGS[context.message].target}.Id", str(error)) from error
    sentence = f"the {context.message} message has no id of the row it changed, nor a {column}"
    raise MessageRejected(Reason.NO_KEY, sentence, "PrimaryEntityId")


def _images(images: Sequence[tuple[str, Record]], key: str) -> list[Record]:
    return [image for _, image in images if image.id.lower() in {"", NO_ID, key}]


def _occurred_at(context: Context, op: str, columns: Mapping[str, Said]) -> int:
    modified = columns.get("modifiedon") if op != "delete" else None
    if modified is not None and isinstance(modified.value, Instant):
        return modified.value.ticks // 10
    if modified is not None and type(modified.value) is str and numbers.is_date(modified.value):
        try:
            return numbers.milliseconds(modified.value) * 1000
        except ValueError as error:
            raise bad("modifiedon", str(error)) from error
    return created_on(context)


def created_on(context: Context) -> int:
    """Return the instant of the operation.

    Raises:
        MessageRejected: ``not-a-context``: the message has none.
    """
    if context.created_on is None:
        raise MessageRejected(
            Reason.NOT_A_CONTEXT,
            f"the {context.message} message has no OperationCreatedOn, so it has no place in time",
            "OperationCreatedOn",
        )
    return context.created_on
