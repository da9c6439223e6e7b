"""The elements that text XML and .NET binary XML have in common, and the bounds on them.

Both encodings carry one information set: elements with a type and text.  What
it means stands once, in :mod:`cdsbridge.transforms.contracts`.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from ..model.errors import MessageRejected
from ..model.verdict import Reason
from .rules import Limits

XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
"""Namespace of ``i:type`` and ``i:nil`` (https://www.w3.org/TR/xmlschema-1/#xsi.namespace)."""

CLOCK_EVERY: Final = 1024
"""Elements between two looks at the clock."""

_REMEMBERED: Final = 4096
_LONGEST: Final = 512
_PREFIXES: Final = 256


class Element(Struct, gc=False):
    """One element.

    Attributes:
        name: Local name.
        type: Local name in ``i:type``, or the empty string.
        space: Namespace of the type.
        nil: ``i:nil`` is true.
        children: Elements inside, in order; ``None`` for none.
        text: Text inside; ``bytes`` where binary XML has them raw, ``None`` for none.
        pieces: All pieces of the text while there are several and it is not whole.
    """

    name: str
    type: str = ""
    space: str = ""
    nil: bool = False
    children: list["Element"] | None = None
    text: str | bytes | None = None
    pieces: list[str | bytes] | None = None

    def add_text(self, piece: str | bytes) -> None:
        """Put a piece behind the text."""
        if self.text is None:
            self.text = piece
        elif self.pieces is None:
            self.pieces = [self.text, piece]
        else:
            self.pieces.append(piece)

    def close(self) -> None:
        """Join the pieces; the text is whole from now on."""
        pieces, self.pieces = self.pieces or [], None
        raw = [piece for piece in pieces if isinstance(piece, bytes)]
        if len(raw) == len(pieces):
            self.text = b"".join(raw)
        else:
            self.text = "".join(piece if isinstance(piece, str) else piece.hex() for piece in pieces)


class Opening(NamedTuple):
    """What the attributes of an element say.

    Attributes:
        type: Local name in ``i:type``, or the empty string.
        space: Namespace of the type.
        nil: ``i:nil`` is true.
        scope: The namespaces inside the element.
    """

    type: str
    space: str
    nil: bool
    scope: "Scope"


class Scope:
    """The namespaces declared at some place of a document.

    What names and attributes mean there is worked out once and remembered for
    later documents too: messages repeat the same few on hundreds of elements.
    What is remembered is exact, so it decides only how fast a document is read.

    Args:
        names: Prefix to namespace.
        memory: What may yet be remembered, shared by all scopes inside one another.

    Attributes:
        names: Prefix to namespace.
        plain: For a reader of bytes: those of elements without attributes, to local name.
        blocks: The same for elements with attributes: first bytes, to all bytes,
            local name and what the attributes say.
    """

    __slots__ = ("_memory", "_openings", "blocks", "names", "plain")

    def __init__(self, names: Mapping[str, str], memory: "Memory") -> None:
        self.names = names
        self.plain: dict[bytes, str] = {}
        self.blocks: dict[bytes, list[tuple[bytes, str, Opening]]] = {}
        self._openings: dict[tuple[str, ...], Opening] = {}
        self._memory = memory

    def opening(self, attributes: Sequence[str], most: int) -> Opening:
        """Return what the attributes of an element say.

        Args:
            attributes: Names as written and values, in turns.
            most: Attributes an element may have.

        Raises:
            MessageRejected: ``undecodable``: a prefix is not declared, or an
                attribute stands twice; ``too-large``: there are too many.
        """
        key = tuple(attributes)
        found = self._openings.get(key)
        if found is None:
            if len(key) > 2 * most:
                raise too_many_attributes(most)
            found = self._read(key)
            if self.remembers(sum(map(len, key))):
                self._openings[key] = found
        return found

    def remembers(self, size: int) -> bool:
        """Tell whether something of that many bytes or characters may be remembered."""
        if size > _LONGEST or self._memory.left <= 0:
            return False
        self._memory.left -= 1
        return True

    def _read(self, attributes: tuple[str, ...]) -> Opening:
        pairs = dict(zip(attributes[::2], attributes[1::2], strict=True))
        if 2 * len(pairs) != len(attributes):
            raise MessageRejected(Reason.UNDECODABLE, "an attribute stands twice in one element")
        declared = {
            name[6:]: value for name, value in pairs.items() if name == "xmlns" or name.startswith("xmlns:")
        }
        if len(self.names) + len(declared) > _PREFIXES:
            sentence = f"more than {_PREFIXES} prefixes are declared around one element"
            raise MessageRejected(Reason.TOO_LARGE, sentence)
        scope = Scope({**self.names, **declared}, self._memory) if declared else self
        type_name = space = ""
        nil = False
        for name, value in pairs.items():
            prefix, colon, local = name.partition(":")
            if not colon or prefix == "xmlns" or scope.space(prefix) != XSI:
                continue
            if local == "nil":
                nil = value.strip() in {"true", "1"}
            elif local == "type":
                prefix, colon, type_name = value.strip().rpartition(":")
                space = scope.space(prefix)
        return Opening(type_name, space, nil, scope)

    def space(self, prefix: str) -> str:
        """Return the namespace of a prefix.

        Raises:
            MessageRejected: ``undecodable``: it is not declared.
        """
        try:
            return self.names[prefix]
        except KeyError:
            sentence = f"the prefix {prefix[:40]!a} is not declared, so nothing says what it means"
            raise MessageRejected(Reason.UNDECODABLE, sentence) from None


class Memory:
    """What scopes may yet remember.

    Attributes:
        left: Names and attributes that may be added.
        root: The scope before any namespace is declared.
    """

    def __init__(self) -> None:
        self.left = _REMEMBERED
        self.root = Scope({"": "", "xml": "http://www.w3.org/XML/1998/namespace"}, self)


_memories: Final[dict[int, Memory]] = {}


def outermost(limits: Limits) -> Scope:
    """Return the scope before any namespace is declared, for documents with these limits."""
    most = limits.element_attributes
    memory = _memories.get(most)
    if memory is None or memory.left <= 0:
        _memories.clear()
        memory = _memories[most] = Memory()
    return memory.root


class Document(NamedTuple):
    """A document read.

    Attributes:
        root: Its root element.
        space: Namespace of the root element.
    """

    root: Element
    space: str


class Clock:
    """The time a body may take, from now on.

    Args:
        limits: With ``seconds``.
    """

    def __init__(self, limits: Limits) -> None:
        self._seconds = limits.seconds
        self._until = time.monotonic() + limits.seconds

    def check(self) -> None:
        """Go on or not.

        Raises:
            MessageRejected: ``too-large``: the time is over.
        """
        if time.monotonic() > self._until:
            sentence = f"reading the body took longer than {self._seconds:g} seconds, the limit `seconds`"
            raise MessageRejected(Reason.TOO_LARGE, sentence)


def too_deep(limits: Limits) -> MessageRejected:
    """Return the rejection of a document that nests too deep."""
    sentence = f"elements nest deeper than {limits.nesting}, the limit `nesting`"
    return MessageRejected(Reason.TOO_LARGE, sentence)


def too_many(limits: Limits) -> MessageRejected:
    """Return the rejection of a document with too many elements."""
    sentence = f"the body has more than {limits.elements} elements, the limit `elements`"
    return MessageRejected(Reason.TOO_LARGE, sentence)


def too_many_attributes(most: int) -> MessageRejected:
    """Return the rejection of an element with too many attributes."""
    sentence = f"an element has more than {most} attributes, the limit `element_attributes`"
    return MessageRejected(Reason.TOO_LARGE, sentence)
