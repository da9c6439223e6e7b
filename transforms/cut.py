"""Entities cut into their parts, where they are written as the serializer writes them.

An entity's JSON ends in a few members that are nearly always empty, and the
labels stand before them.  Found from the end, the parts are cut out without
decoding what lies between.  Quotes inside texts are escaped, so a mark that
holds bare quotes stands in no text; were it to stand in a value, what is cut
out would be no list of pairs, and whoever reads the pairs finds out.
"""

import re
from typing import Final

from msgspec import Struct

from .pairs import inside
from .sealed import ENTITY, REFERENCE

_FIRST: Final = b'"Attributes":'
_TARGET: Final = ENTITY + _FIRST
_IMAGE: Final = b"{" + _FIRST
_LABELS: Final = b',"EntityState":null,"FormattedValues":'
_ID: Final = b',"Id":"'
_TAIL: Final = re.compile(
    rb',"Id":"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})","KeyAttributes":\[\],'
    rb'"LogicalName":"[a-z0-9_]*","RelatedEntities":\[\],"RowVersion":null\}'
).fullmatch

_REFERENCE: Final = re.compile(
    re.escape(REFERENCE)
    + rb'"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})","KeyAttributes":'
    rb'\[\],"LogicalName":"[a-z0-9_]*","Name":(?:null|"[^"\\\x00-\x1f]*"),"RowVersion":null\}'
).fullmatch


class Parts(Struct, frozen=True, gc=False):
    """What rows are made of in an entity.

    Attributes:
        id: Its Id, lower case.
        attributes: Its attributes, as :func:`cdsbridge.transforms.pairs.inside` returns them.
        labels: Its labels, in the same way.
    """

    id: str
    attributes: bytes
    labels: bytes


def parts_of(sealed: bytes) -> Parts | None:
    """Return the parts of a Target or image; ``None`` if it is written otherwise.

    Args:
        sealed: Valid JSON.
    """
    start = len(_TARGET) if sealed.startswith(_TARGET) else len(_IMAGE)
    if start == len(_IMAGE) and not sealed.startswith(_IMAGE):
        return None
    end = sealed.rfind(_ID)
    middle = sealed.rfind(_LABELS, start, end) if end > 0 else -1
    tail = _TAIL(sealed, end) if middle >= start else None
    if tail is None:
        return None
    attributes = inside(sealed, start, middle)
    labels = inside(sealed, middle + len(_LABELS), end)
    if attributes is None or labels is None or (labels and not attributes):
        return None
    return Parts(tail[1].decode(), attributes, labels)


def reference_id(sealed: bytes) -> str | None:
    """Return the id, lower case, of a lookup without an alternate key; ``None`` if it is written otherwise.

    Args:
        sealed: Valid JSON.
    """
    found = _REFERENCE(sealed)
    return found[1].decode() if found else None
