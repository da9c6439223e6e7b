"""Finding the familiar messages of a batch, and gathering their values.

A few dozen messages go through each stage together: that keeps what a stage
needs in the processor's caches, and decoded messages do not live long.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Raw

from ..model.envelope import Envelope
from .contexts import NO_ID
from .identity import event_id
from .messages import MEANINGS, NO_TABLE
from .pairs import inside
from .pool import Pool, Seed, Source
from .rules import FlattenRules
from .sealed import ENTITY, REFERENCE, Opener, Pair, SealedRecord
from .slots import Slots
from .told import Plan, Told

_TOGETHER: Final = 64
_CUT: Final = "MessageMaxSizeExceeded"
_GUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_INT32: Final = 2**31
_MANY: Final = 10_000
_MOST_SOURCES: Final = 8


class Gatherer:
    """Puts familiar messages into pools; not for two threads at once.

    Args:
        slots: What has been seen of columns.
        rules: What to skip, and what is too large.
    """

    def __init__(self, slots: Slots, rules: FlattenRules) -> None:
        self._slots = slots
        self._rules = rules
        self._opener = Opener()
        self._plans: dict[tuple[str, str], Plan | None] = {}
        self._counts: dict[tuple[str, str], bool] = {}

    def gather(self, pool: Pool, messages: Sequence[tuple[int, Envelope]]) -> dict[int, str | None]:
        """Add the rows of familiar messages to a pool.

        Args:
            pool: Where to.
            messages: Positions and envelopes; the bodies are UTF-8.

        Returns:
            Position to event id, or to ``None`` where the rules skip the
            message.  A position that is missing must be read thoroughly.
        """
        known: dict[int, str | None] = {}
        for start in range(0, len(messages), _TOGETHER):
            self._gather(pool, messages[start : start + _TOGETHER], known)
        return known

    def _gather(
        self, pool: Pool, messages: Sequence[tuple[int, Envelope]], known: dict[int, str | None]
    ) -> None:
        limit = self._rules.limits.body_bytes
        whole = [
            (position, envelope)
            for position, envelope in messages
            if len(envelope.body) <= limit and _CUT not in "".join(envelope.properties)
        ]
        contexts = self._opener.contexts([envelope.body for _, envelope in whole])
        told: list[Told] = []
        for (position, envelope), context in zip(whole, contexts, strict=True):
            plan = None if context is None else self._plan(context.MessageName, context.PrimaryEntityName)
            if context is None or plan is None:
                continue
            if plan.taken:
                told.append(Told(position, envelope, context, plan))
            else:
                known[position] = None
        self._open_targets(told)
        self._open_images(told)
        for each in told:
            if each.familiar:
                self._add(pool, each, known)

    def _plan(self, message: str, table: str) -> Plan | None:
        try:
            return self._plans[message, table]
        except KeyError:
            if len(self._plans) > _MANY:
                self._plans.clear()
            plan = self._plans[message, table] = self._new_plan(message, table.lower())
            return plan

    def _new_plan(self, message: str, table: str) -> Plan | None:
        meaning = MEANINGS.get(message)
        if meaning is None or meaning.target == "Targets" or meaning.content or table in NO_TABLE:
            return None
        taken = self._rules.messages.takes(message) and self._rules.tables.takes(table)
        return Plan(taken, meaning, table)

    def _open_targets(self, told: Sequence[Told]) -> None:
        entities = [each for each in told if each.target.startswith(ENTITY)]
        for each, record in zip(
            entities, self._opener.records([each.target for each in entities]), strict=True
        ):
            each.record = record
            if record is None:
                each.familiar = False
            elif each.key == NO_ID:
                each.key = record.Id.lower()
        others = [each for each in told if not each.target.startswith(ENTITY)]
        references = [each.target if each.target.startswith(REFERENCE) else b"" for each in others]
        for each, reference in zip(others, self._opener.references(references), strict=True):
            if reference is None:
                each.familiar = False
            elif each.key == NO_ID:
                each.key = reference.Id.lower()

    def _open_images(self, told: Sequence[Told]) -> None:
        owners: list[tuple[Told, bool]] = []
        sealed: list[bytes] = []
        for each in told:
            for image in self._counting(each, each.context.PostEntityImages):
                owners.append((each, True))
                sealed.append(image)
            if each.plan.meaning.op == "delete":
                for image in self._counting(each, each.context.PreEntityImages):
                    owners.append((each, False))
                    sealed.append(image)
        for (each, after), record in zip(owners, self._opener.images(sealed), strict=True):
            if record is None or record.Id.lower() not in {each.key, "", NO_ID}:
                each.familiar = False
            elif after:
                each.after = [*(each.after or ()), record]
            else:
                each.before = [*(each.before or ()), record]

    def _counting(self, told: Told, images: Sequence[Pair]) -> list[bytes]:
        """Return the images that count."""
        if len(images) > 1 and len({image.key for image in images}) != len(images):
            told.familiar = False
        table = told.plan.table
        found = [bytes(image.value) for image in images if self._count(table, image.key)]
        return [image for image in found if image != b"null"]

    def _count(self, table: str, alias: str) -> bool:
        try:
            return self._counts[table, alias]
        except KeyError:
            if len(self._counts) > _MANY:
                self._counts.clear()
            counts = self._counts[table, alias] = self._rules.images.of(table).count(alias)
            return counts

    def _add(self, pool: Pool, told: Told, known: dict[int, str | None]) -> None:
        context, plan = told.context, told.plan
        sources = _sources(told)
        primary = context.PrimaryEntityId.lower()
        if (
            sources is None
            or told.key == NO_ID
            or not -_INT32 < context.Depth < _INT32
            or not _GUID(primary)
            or not (told.key == primary or _GUID(told.key))
        ):
            return
        seed = _seed(told, self._slots.table(plan.table), primary)
        pool.add(seed, sources)
        known[told.position] = seed.event


def _seed(told: Told, table: int, primary: str) -> Seed:
    context, plan = told.context, told.plan
    job_id = context.OperationId.lower()
    event = event_id(
        told.envelope.body,
        job_id if context.Mode == 1 else "",
        context.OwningExtension.Id.lower(),
        context.MessageName,
        plan.table,
        primary,
    )
    return Seed(
        told.position,
        table,
        told.key,
        plan.meaning.op,
        event,
        context.OperationCreatedOn,
        context.MessageName,
        context.CorrelationId or None,
        job_id or None,
        context.UserId or None,
        context.InitiatingUserId or None,
        context.OrganizationName or None,
        context.Depth,
    )


def _sources(told: Told) -> list[Source] | None:
    """Return what tells of the row's columns, later ones last.

    ``None`` if a list is unfamiliar, or there are more images than steps have.
    """
    found: list[Source] = []
    familiar = True
    for image in told.before or ():
        familiar &= _put(found, image, sent=True)
    if told.record is not None:
        familiar &= _put(found, told.record, sent=True)
    if told.plan.meaning.columns:
        attributes = _as_attributes(told.inputs, told.plan.meaning.columns)
        if attributes:
            found.append((attributes, b"", True))
    for image in told.after or ():
        familiar &= _put(found, image, sent=False)
    return found if familiar and len(found) <= _MOST_SOURCES else None


def _put(sources: list[Source], record: SealedRecord, *, sent: bool) -> bool:
    """Add a record that has attributes to the sources; tell whether its lists are familiar."""
    attributes, labels = inside(bytes(record.Attributes)), inside(bytes(record.FormattedValues))
    if attributes is None or labels is None:
        return False
    if attributes:
        sources.append((attributes, labels, sent))
    return bool(attributes) or not labels


def _as_attributes(inputs: Mapping[str, Raw], columns: Mapping[str, str]) -> bytes:
    """Return parameters that are columns as a list of attributes."""
    pairs = [
        b'{"key":"%b","value":%b}' % (column.encode(), bytes(inputs[parameter]))
        for parameter, column in columns.items()
        if parameter in inputs
    ]
    return inside(b"[%b]" % b",".join(pairs)) or b""
