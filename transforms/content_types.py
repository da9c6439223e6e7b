"""Whether senders say the encoding they use: noted where they do not, and no more than that."""

import logging
from collections.abc import Iterable
from typing import Final

from ..model.counters import counters
from ..model.envelope import Envelope
from .encodings import CONTENT_TYPES, first_encoding

_log = logging.getLogger(__name__)

_JSON: Final = "application/json"


def disagreement(envelope: Envelope) -> str:
    """Return a sentence if the content type names another encoding than the body has; else nothing.

    >>> disagreement(Envelope(b"<a/>", "q", 1, content_type="application/json"))
    'the content type is application/json, but the body begins as text XML'
    """
    declared = envelope.content_type.partition(";")[0].strip().lower()
    expected, found = CONTENT_TYPES.get(declared), first_encoding(envelope.body)
    if expected is None or found is None or found is expected:
        return ""
    return f"the content type is {declared}, but the body begins as {found}"


class ContentTypes:
    """Notes disagreements: counts all of them, and logs each kind once."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def note(self, envelopes: Iterable[Envelope]) -> None:
        """Look at the messages of a batch."""
        doubtful = [
            each
            for each in envelopes
            if each.content_type and not (each.content_type == _JSON and each.body[:1] == b"{")
        ]
        sentences = [sentence for sentence in map(disagreement, doubtful) if sentence]
        if not sentences:
            return
        counters.add("content_types_wrong", len(sentences))
        for sentence in set(sentences) - self._logged:
            self._logged.add(sentence)
            _log.warning("%s; it is read as what it is (told once)", sentence)
