"""The bodies of management requests and responses: what stands under which key."""

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from ..amqp.types import Array, Value
from .conditions import argument_error

Body: TypeAlias = Mapping[Value, Value]
"""The map a request brings."""

OK: Final = 200
"""The status of a response with something in it."""

NO_CONTENT: Final = 204
"""The status of a response where there was nothing to give."""


class Answer(NamedTuple):
    """What is answered.

    Attributes:
        status: As of HTTP.
        body: The map of the response.
    """

    status: int
    body: dict[Value, Value]


def _items(body: Body, key: str) -> tuple[Value, ...]:
    value = body.get(key)
    if isinstance(value, Array):
        return value.items
    if isinstance(value, list):
        return tuple(value)
    raise argument_error(f"{key!r} is not an array.")


def tokens(body: Body) -> list[UUID]:
    """The lock tokens a request names.

    Raises:
        EntityError: There are none, or something else is in their place.
    """
    found = [token for token in _items(body, "lock-tokens") if isinstance(token, UUID)]
    if len(found) != len(_items(body, "lock-tokens")) or not found:
        raise argument_error("'lock-tokens' is not an array of lock tokens.")
    return found


def integers(body: Body, key: str) -> list[int]:
    """The numbers under a key.

    Raises:
        EntityError: There is no array of numbers.
    """
    numbers = [number for number in _items(body, key) if isinstance(number, int)]
    if len(numbers) != len(_items(body, key)):
        raise argument_error(f"{key!r} is not an array of numbers.")
    return numbers


def integer(body: Body, key: str) -> int:
    """The number under a key.

    Raises:
        EntityError: There is none.
    """
    value = body.get(key)
    if not isinstance(value, int):
        raise argument_error(f"{key!r} is not a number.")
    return value


def text(body: Body, key: str) -> str:
    """The string under a key.

    Raises:
        EntityError: There is none.
    """
    value = body.get(key)
    if not isinstance(value, str):
        raise argument_error(f"{key!r} is not a string.")
    return value
