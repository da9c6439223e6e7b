"""Under which messages the process has died: written down where the bridge runs, read at the next start.

A message that is handed back before it is worked on costs no delivery when the process dies, so the
broker cannot tell which one the process dies of.  This file does.
"""

import logging
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from ..model.envelope import Envelope

_log = logging.getLogger(__name__)

_FILE: Final = "under-way.json"
_REMEMBERED: Final = 5000
"""Messages that deaths are remembered of; the oldest are forgotten first."""
_COMMIT: Final = 10.0
"""Seconds with nothing under way that show as well as one commit that the process can live."""
_DOUBLINGS: Final = 4
"""How often the proof is doubled that is asked for before a suspect is tried for the last time."""

Name = tuple[str, int, int]
"""Entity, sequence number, and when it was enqueued in microseconds since 1970 UTC."""


class _Note(msgspec.Struct):
    entity: str
    number: int
    enqueued: int
    count: int
    """Its delivery count when it was last under way."""
    deaths: int = 0
    """Deaths of the process with it under way, in whatever company."""
    alone: bool = False
    """Whether the process has died with nothing else under way."""
    under_way: bool = False
    locked: bool = False


class _Life(msgspec.Struct):
    """What a process leaves to the next: whether it ended in order, and the messages it died under."""

    ended: bool
    notes: list[_Note]


class Trials:
    """Shared by all links of a process.

    A message that was alone at a death is a *suspect*.  It is tried again, alone and under its lock,
    only when this life of the process has shown that it can live without it: after one commit of
    others, or ten seconds where there are none; after 2, 4, 8 of them for its last deliveries, and
    16 for the very last.  So deaths that come whatever is under way raise no delivery count, and
    those that come of one message raise its own.

    Args:
        folder: Where the file lies, made if it is not there.
        max_deliveries: ``MaxDeliveryCount`` of the entities.
    """

    def __init__(self, folder: Path, max_deliveries: int) -> None:
        """Read what the last life of the process left; what was under way then has seen a death.

        Raises:
            OSError: The file cannot be read or written.
        """
        self._path = folder / _FILE
        self._max_deliveries = max_deliveries
        self._lock = threading.Lock()
        self._proof = 0.0
        self._committed = False
        folder.mkdir(parents=True, exist_ok=True)
        before = self._read()
        self.after_death: Final = not before.ended
        """Whether the last life of the process ended by a death."""
        self._notes = {(note.entity, note.number, note.enqueued): note for note in before.notes}
        self._count_death()
        self._write()

    def failed(self, envelope: Envelope) -> int:
        """Return how often a message has failed: its delivery count, and deaths the broker has not seen."""
        with self._lock:
            note = self._notes.get(name_of(envelope))
        if note is None:
            return envelope.delivery_count
        return self._max_deliveries if note.alone else envelope.delivery_count + note.deaths

    def suspects(self, entity: str) -> int:
        """Return how many messages of an entity are suspects."""
        with self._lock:
            return sum(note.alone and note.entity == entity for note in self._notes.values())

    def suspected(self, envelope: Envelope) -> bool:
        """Tell whether a message was alone at a death."""
        with self._lock:
            note = self._notes.get(name_of(envelope))
            return note is not None and note.alone

    def ready(self, envelope: Envelope) -> bool:
        """Tell whether a suspect may be tried under its lock."""
        with self._lock:
            note = self._notes.get(name_of(envelope))
            left = self._max_deliveries - 1 - envelope.delivery_count
            asked = _COMMIT * 2 ** max(0, _DOUBLINGS - left)
            return note is not None and note.alone and self._proof >= asked

    def live(self, seconds: float) -> None:
        """Note that this life of the process has lasted so long with nothing under way."""
        with self._lock:
            self._proof += seconds

    def begin(self, envelopes: Iterable[Envelope]) -> None:
        """Write down messages that failed often and are to be worked on now.

        Raises:
            OSError: The file cannot be written.
        """
        with self._lock:
            for envelope in envelopes:
                name = name_of(envelope)
                note = self._notes.pop(name, None) or _Note(*name, count=0)
                note.count, note.under_way = envelope.delivery_count, True
                note.locked = envelope.lock_token is not None
                self._notes[name] = note
            self._write()

    def end(self, names: Iterable[Name]) -> None:
        """Forget messages whose end is durable; others live on it."""
        with self._lock:
            self._committed = True
            if not self._notes:
                return
            self._proof += _COMMIT
            if [name for name in names if self._notes.pop(name, None) is not None]:
                self._try_to_write()

    def lay_down(self, names: Iterable[Name]) -> None:
        """Note that messages are under way no more, and have not ended."""
        with self._lock:
            found = [note for name in names if (note := self._notes.get(name)) is not None and note.under_way]
            for note in found:
                note.under_way = False
            if found:
                self._try_to_write()

    def close(self) -> None:
        """Note that the process ends in order: what is under way is not what it dies of.

        A life without a commit says nothing of the death before it.
        """
        with self._lock:
            for note in self._notes.values():
                note.under_way = False
            self._try_to_write(ended=self._committed or not self.after_death)

    def _count_death(self) -> None:
        """What was under way when the last life ended has seen a death."""
        there = [note for note in self._notes.values() if note.under_way]
        for note in there:
            note.under_way = False
            note.deaths += 1
            note.alone = note.alone or len(there) == 1
            if note.locked and note.count + 1 >= self._max_deliveries:
                del self._notes[note.entity, note.number, note.enqueued]
        for name in list(self._notes)[:-_REMEMBERED]:
            del self._notes[name]

    def _read(self) -> _Life:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Life)
        except FileNotFoundError:
            return _Life(ended=True, notes=[])
        except msgspec.DecodeError as error:
            _log.warning("%s is broken (%s): what the process died of is not known", self._path, error)
            return _Life(ended=False, notes=[])

    def _try_to_write(self, *, ended: bool = False) -> None:
        try:
            self._write(ended=ended)
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._path, error)

    def _write(self, *, ended: bool = False) -> None:
        """Replace the file; a process that dies meanwhile leaves the one before."""
        known = [note for note in self._notes.values() if note.deaths or note.under_way]
        draft = self._path.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(_Life(ended, known)))
        draft.replace(self._path)


def name_of(envelope: Envelope) -> Name:
    """Return what names a message, even when its entity is deleted and made again."""
    return envelope.entity, envelope.sequence_number, envelope.enqueued_at
