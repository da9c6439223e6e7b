"""Finding the familiar messages of a batch, and gathering their values.

A few dozen messages are decoded together: that keeps what is needed in the
processor's caches, and decoded messages do not live long.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa
from msgspec import Raw, Struct

from ..model.envelope import Envelope
from .contexts import NO_ID
from .cut import Parts, parts_of, reference_id
from .identity import event_id
from .messages import MEANINGS, NO_TABLE, Meaning
from .pairs import inside, one_binary
from .pool import Pool, Seed, Source
from .rules import FlattenRules, Limits
from .sealed import ENTITY, REFERENCE, Opener, Pair, SealedContext
from .slots import Slots

_TOGETHER: Final = 64
_CUT: Final = "MessageMaxSizeExceeded"
_GUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_INT32: Final = 2**31
_MANY: Final = 10_000
_MOST_SOURCES: Final = 8
_NO_INPUTS: Final[dict[str, Raw]] = {}


class Plan(Struct, frozen=True, gc=False):
    """What is to be done with messages of one name about one table.

    Attributes:
        taken: The rules take them; else they are skipped.
        meaning: Of the message name.
        table: Logical name of the table.
        number: Number of the table.
    """

    taken: bool
    meaning: Meaning
    table: str
    number: int


def plan_of(message: str, table: str, rules: FlattenRules, slots: Slots) -> Plan | None:
    """Return what is to be done with a message; ``None`` if it is of no familiar kind.

    Args:
        message: Its name.
        table: Logical name of its table, lower case.
        rules: What to skip.
        slots: Gives the table a number if the message is taken.
    """
    meaning = MEANINGS.get(message)
    if meaning is None or meaning.target == "Targets" or meaning.content or table in NO_TABLE:
        return None
    taken = rules.messages.takes(message) and rules.tables.takes(table)
    return Plan(taken, meaning, table, slots.table(table) if taken else -1)


def largest(limits: Limits) -> int:
    """Return the most bytes a familiar body has: of fewer than elements allowed it has no more of them."""
    return min(limits.body_bytes, limits.elements)


def is_whole(envelope: Envelope, limits: Limits) -> bool:
    """Tell whether a message may be familiar: its body is neither cut nor large."""
    if len(envelope.body) > largest(limits):
        return False
    return not (envelope.properties and _CUT in "".join(envelope.properties))


class Unfamiliar(Exception):
    """The message must be read thoroughly."""


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
            messages: Positions and envelopes.

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
        whole = [each for each in messages if is_whole(each[1], self._rules.limits)]
        bodies, lines = _lines(whole)
        if not _utf8(lines):
            whole = [each for each in whole if _utf8(each[1].body)]
            bodies, lines = _lines(whole)
        contexts = self._opener.contexts(bodies, lines)
        for (position, envelope), context in zip(whole, contexts, strict=True):
            if context is None:
                continue
            plan = self._plan(context.MessageName, context.PrimaryEntityName)
            if plan is None:
                continue
            if not plan.taken:
                known[position] = None
                continue
            try:
                seed, sources = self._read(position, envelope, context, plan)
            except Unfamiliar:
                continue
            pool.add(seed, sources)
            known[position] = seed.event

    def _plan(self, message: str, table: str) -> Plan | None:
        try:
            return self._plans[message, table]
        except KeyError:
            if len(self._plans) > _MANY:
                self._plans.clear()
            plan = plan_of(message, table.lower(), self._rules, self._slots)
            self._plans[message, table] = plan
            return plan

    def _read(
        self, position: int, envelope: Envelope, context: SealedContext, plan: Plan
    ) -> tuple[Seed, list[Source]]:
        """Return the row of a message, and what tells of its columns, later ones last.

        Raises:
            Unfamiliar: Something is not as Dataverse mostly writes it.
        """
        pairs, meaning = context.InputParameters, plan.meaning
        if len(pairs) == 1 and pairs[0].key == meaning.target:
            sealed, inputs = pairs[0].value, _NO_INPUTS
        else:
            inputs = {pair.key: pair.value for pair in pairs}
            if len(inputs) != len(pairs) or meaning.target not in inputs:
                raise Unfamiliar
            sealed = inputs[meaning.target]
        primary = context.PrimaryEntityId.lower()
        row_id, target = self._target(bytes(sealed), primary)
        if not _GUID(primary) or row_id == NO_ID or not (row_id is primary or _GUID(row_id)):
            raise Unfamiliar
        sources: list[Source] = []
        if context.PreEntityImages and meaning.op == "delete":
            self._add_images(sources, context.PreEntityImages, plan.table, row_id, sent=True)
        if target is not None and target.attributes:
            sources.append((target.attributes, target.labels, True))
        if inputs and meaning.columns:
            attributes = _as_attributes(inputs, meaning.columns)
            if attributes:
                sources.append((attributes, b"", True))
        if context.PostEntityImages:
            self._add_images(sources, context.PostEntityImages, plan.table, row_id, sent=False)
        if len(sources) > _MOST_SOURCES or not -_INT32 < context.Depth < _INT32:
            raise Unfamiliar
        return _seed(position, envelope, context, plan, primary, row_id), sources

    def _target(self, sealed: bytes, primary: str) -> tuple[str, Parts | None]:
        """Return the id of the row, and the target's parts where it has any."""
        if sealed.startswith(ENTITY):
            parts = self._parts(sealed, typed=True)
            return parts.id if primary == NO_ID else primary, parts
        found = reference_id(sealed)
        if found is None and sealed.startswith(REFERENCE):
            (reference,) = self._opener.references([sealed])
            found = reference.Id.lower() if reference else None
        if found is None:
            raise Unfamiliar
        return found if primary == NO_ID else primary, None

    def _parts(self, sealed: bytes, *, typed: bool) -> Parts:
        parts = parts_of(sealed)
        if parts is not None:
            return parts
        (record,) = self._opener.records([sealed]) if typed else self._opener.images([sealed])
        if record is None:
            raise Unfamiliar
        lists = bytes(record.Attributes), bytes(record.FormattedValues)
        attributes, labels = (inside(each, 0, len(each)) for each in lists)
        if attributes is None or labels is None or (labels and not attributes):
            raise Unfamiliar
        return Parts(record.Id.lower(), attributes, labels)

    def _add_images(
        self, sources: list[Source], images: Sequence[Pair], table: str, row_id: str, *, sent: bool
    ) -> None:
        """Add the images that count to the sources."""
        if len(images) > 1 and len({image.key for image in images}) != len(images):
            raise Unfamiliar
        for image in images:
            if not self._count(table, image.key):
                continue
            sealed = bytes(image.value)
            if sealed == b"null":
                continue
            parts = self._parts(sealed, typed=False)
            if parts.id not in {row_id, "", NO_ID}:
                raise Unfamiliar
            if parts.attributes:
                sources.append((parts.attributes, parts.labels, sent))

    def _count(self, table: str, alias: str) -> bool:
        try:
            return self._counts[table, alias]
        except KeyError:
            if len(self._counts) > _MANY:
                self._counts.clear()
            counts = self._counts[table, alias] = self._rules.images.of(table).count(alias)
            return counts


def _lines(messages: Sequence[tuple[int, Envelope]]) -> tuple[list[bytes], bytes]:
    """Return the bodies of messages, one by one and as lines."""
    bodies = [envelope.body for _, envelope in messages]
    return bodies, b"\n".join(bodies)


def _utf8(text: bytes) -> bool:
    """Tell whether bytes are UTF-8."""
    if text.isascii():
        return True
    try:
        one_binary(text).cast(pa.string())
    except (pa.ArrowInvalid, OverflowError):
        return False
    return True


def _seed(
    position: int, envelope: Envelope, context: SealedContext, plan: Plan, primary: str, row_id: str
) -> Seed:
    job_id = context.OperationId.lower()
    event = event_id(
        envelope.body,
        job_id if context.Mode == 1 else "",
        context.OwningExtension.Id.lower(),
        context.MessageName,
        plan.table,
        primary,
    )
    return Seed(
        position,
        plan.number,
        row_id,
        plan.meaning.op,
        event,
        bytes(context.OperationCreatedOn),
        context.MessageName,
        context.CorrelationId or None,
        job_id or None,
        context.UserId or None,
        context.InitiatingUserId or None,
        context.OrganizationName or None,
        context.Depth,
    )


def _as_attributes(inputs: Mapping[str, Raw], columns: Mapping[str, str]) -> bytes:
    """Return parameters that are columns as a list of attributes."""
    pairs = [
        b'{"key":"%b","value":%b}' % (column.encode(), bytes(inputs[parameter]))
        for parameter, column in columns.items()
        if parameter in inputs
    ]
    listed = b"[%b]" % b",".join(pairs)
    return inside(listed, 0, len(listed)) or b""
