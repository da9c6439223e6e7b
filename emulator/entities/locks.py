"""Peek-locks: which token holds which message, and until when."""

from collections.abc import Iterable, Sequence
from itertools import islice
from math import inf
from random import Random
from uuid import UUID

from .message import Delivery, StoredMessage

_random_bits = Random().getrandbits  # noqa: S311 - a token names a lock and guards nothing; uuid4 costs thrice as much


def keys_of(tokens: Iterable[UUID]) -> list[int]:
    """The tokens as integers, which hash ten times faster."""
    return [token.int for token in tokens]


class Locks:
    """The locks of one queue, in the order in which they lapse.

    A lock given or renewed later lapses later, for all hold equally long; so
    the order of the dictionary is the order of time.
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[int, StoredMessage] = {}

    def __len__(self) -> int:
        return len(self._held)

    def grant(self, messages: Sequence[StoredMessage], until: float) -> list[Delivery]:
        """Lock messages until a time, epoch seconds, under new tokens."""
        held, bits = self._held, _random_bits
        deliveries: list[Delivery] = []
        for message in messages:
            key = bits(128)
            message.locked_until = until
            held[key] = message
            deliveries.append(Delivery(message, UUID(int=key), until))
        return deliveries

    def lost(self, keys: Iterable[int]) -> int:
        """How many of the keys hold nothing."""
        return sum([key not in self._held for key in keys])

    def end(self, keys: Iterable[int]) -> list[StoredMessage]:
        """End the locks among the keys, and yield the messages they held, each once."""
        ended: list[StoredMessage] = []
        for key in keys:
            message = self._held.pop(key, None)
            if message is not None:
                message.locked_until = 0.0
                ended.append(message)
        return ended

    def renew(self, keys: Iterable[int], until: float) -> None:
        """Let locks, all of them held, last until a time, epoch seconds."""
        for key in keys:
            message = self._held.pop(key)
            message.locked_until = until
            self._held[key] = message

    def end_first(self, count: int | None) -> list[StoredMessage]:
        """End so many locks, or all, those that lapse first; yield the messages they held."""
        return self.end(list(islice(self._held, count)))

    def lapse(self, now: float) -> list[StoredMessage]:
        """End the locks that have lapsed and yield the messages they held."""
        count = 0
        for message in self._held.values():
            if message.locked_until > now:
                break
            count += 1
        return self.end(list(islice(self._held, count)))

    def first(self) -> float:
        """When the next lock lapses, epoch seconds; infinity if none is held."""
        message = next(iter(self._held.values()), None)
        return inf if message is None else message.locked_until
