"""The tree of a body to a context, whatever order or unknown members it has."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from ..model.errors import MessageRejected
from ..model.verdict import Reason
from ..tables.names import EVENT_TABLE
from . import numbers
from .contexts import Context, Instant, Number, Record, Value
from .messages import MEANINGS, NO_TABLE, PAIR_PARAMETERS, PAIRING, changes_rows
from .rules import FlattenRules
from .trees import Tree, compact
from .values import Values, bad, text, unambiguous, under

_EMPTIED: Final = ("InputParameters", "PreEntityImages", "PostEntityImages", "ParentContext")


def read_context(tree: Tree, rules: FlattenRules) -> Context | None:
    """Return the context in a tree; ``None`` where the rules skip its message or table.

    Only what rows are made of is read: parent contexts, shared variables and
    images that do not count may hold anything.

    Raises:
        MessageRejected: ``not-a-context``, ``bad-value`` or ``too-large``.
    """
    if not isinstance(tree, dict) or not isinstance(tree.get("MessageName"), str):
        raise MessageRejected(
            Reason.NOT_A_CONTEXT,
            "the body has no MessageName, so it is no execution context of Dataverse; "
            "find out who else sends to this queue",
        )
    reader = _ContextReader(unambiguous(tree, "the context"), rules)
    return None if reader.skipped() else reader.read()


class _ContextReader:
    """Reads the members of one context."""

    def __init__(self, members: dict[str, Tree], rules: FlattenRules) -> None:
        self._members = members
        self._rules = rules
        self._values = Values(rules.limits)

    def skipped(self) -> bool:
        """Tell whether the rules skip the message, as far as its head tells."""
        message, table = self._text("MessageName"), self._text("PrimaryEntityName").lower()
        if not self._rules.messages.takes(message):
            return True
        if message in PAIRING:
            return False
        if not changes_rows(message):
            table = EVENT_TABLE
        return table not in NO_TABLE and not self._rules.tables.takes(table)

    def read(self) -> Context:
        """Return the context."""
        message = self._text("MessageName")
        meaning = MEANINGS.get(message)
        pairing = PAIR_PARAMETERS if message in PAIRING else ()
        single = meaning is not None and meaning.target != "Targets"
        return Context(
            message=message,
            table=self._text("PrimaryEntityName").lower(),
            id=self._guid("PrimaryEntityId"),
            created_on=self._created_on(),
            asynchronous=self._is_asynchronous(),
            depth=self._depth(),
            operation_id=self._text("OperationId").lower(),
            step_id=self._step_id(),
            correlation_id=self._text("CorrelationId") or None,
            user_id=self._text("UserId") or None,
            initiating_user_id=self._text("InitiatingUserId") or None,
            organization=self._text("OrganizationName") or None,
            inputs=self._inputs(meaning.parameters if meaning else pairing),
            created_ids=self._created_ids(),
            pre_images=self._images("PreEntityImages")
            if meaning and single and meaning.op == "delete"
            else (),
            post_images=self._images("PostEntityImages") if single else (),
            parameters=partial(self._exact, "InputParameters"),
            outputs=partial(self._exact, "OutputParameters"),
            bare=not any(self._members.get(name) for name in _EMPTIED),
        )

    def _text(self, name: str) -> str:
        return text(self._members, name, "") or ""

    def _guid(self, name: str) -> str:
        found = self._text(name)
        try:
            return numbers.guid(found) if found else ""
        except ValueError as error:
            raise bad(name, str(error)) from error

    def _is_asynchronous(self) -> bool:
        mode = self._members.get("Mode")
        return isinstance(mode, Number) and mode.text == "1"

    def _created_on(self) -> int | None:
        marked = self._members.get("OperationCreatedOn")
        if isinstance(marked, Instant):
            return marked.ticks // 10
        found = self._text("OperationCreatedOn")
        try:
            return numbers.milliseconds(found) * 1000 if found else None
        except ValueError as error:
            raise bad("OperationCreatedOn", str(error)) from error

    def _depth(self) -> int | None:
        found = self._members.get("Depth")
        if found is None:
            return None
        if not isinstance(found, Number):
            raise bad("Depth", "a number is expected here")
        try:
            return numbers.integer(found.text)
        except ValueError as error:
            raise bad("Depth", str(error)) from error

    def _step_id(self) -> str:
        extension = self._members.get("OwningExtension")
        if extension is None:
            return ""
        return (text(unambiguous(extension, "OwningExtension"), "Id", "OwningExtension") or "").lower()

    def _inputs(self, names: Sequence[str]) -> dict[str, Value]:
        if not names:
            return {}
        pairs = self._values.pairs(self._members.get("InputParameters"), "InputParameters")
        return {
            name: self._values.value(pairs[name], under("InputParameters", name))
            for name in names
            if name in pairs
        }

    def _created_ids(self) -> tuple[str, ...]:
        found = self._members.get("OutputParameters")
        pairs = [pair for pair in found if isinstance(pair, dict)] if isinstance(found, list) else []
        held = {str(pair.get("key")): pair.get("value") for pair in pairs}
        ids = held.get("Ids") if isinstance(held.get("Ids"), list) else [held.get("id")]
        return tuple(each if isinstance(each, str) else "" for each in ids or ())

    def _images(self, member: str) -> tuple[tuple[str, Record], ...]:
        pairs = self._values.pairs(self._members.get(member), member)
        aliases = self._rules.images.of(self._text("PrimaryEntityName").lower())
        return tuple(
            (alias, self._values.record(image, under(member, alias)))
            for alias, image in pairs.items()
            if image is not None and aliases.count(alias)
        )

    def _exact(self, member: str) -> str:
        found = self._members.get(member)
        return "[]" if found is None else compact(found, self._rules.limits.depth)
