"""What a filter sees of a message, and an action changes."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from .errors import FilterError
from .values import Value, type_name

WRITABLE: Final[Mapping[str, type]] = {
    "ContentType": str,
    "CorrelationId": str,
    "Label": str,
    "MessageId": str,
    "PartitionKey": str,
    "ReplyTo": str,
    "ReplyToSessionId": str,
    "ScheduledEnqueueTimeUtc": datetime,
    "SessionId": str,
    "TimeToLive": timedelta,
    "To": str,
}
"""The system properties an action can set, and the type of each."""

READABLE: Final = (
    "DeadLetterSource",
    "DeliveryCount",
    "EnqueuedSequenceNumber",
    "EnqueuedTimeUtc",
    "ExpiresAtUtc",
    "SequenceNumber",
    "Size",
    "State",
)
"""Those it cannot."""

_CANONICAL: Final = {name.casefold(): name for name in (*WRITABLE, *READABLE)} | {"subject": "Label"}


def system_name(name: str) -> str:
    """The name of a system property as documented, whatever its case; ``Subject`` is ``Label``.

    Raises:
        FilterError: There is no such system property.
    """
    known = _CANONICAL.get(name.casefold())
    if known is None:
        raise FilterError(f"There is no system property {name!r}.")
    return known


class Properties:
    """The properties of one message.

    Args:
        system: Gives the system properties by name, as documented; asked at most once.
        user: The sender's properties.  Not changed: what an action does is kept here.
    """

    def __init__(self, system: Callable[[], Mapping[str, Value]], user: Mapping[str, Value]) -> None:
        self._read_system = system
        self._read: dict[str, Value] | None = None
        self._user = dict(user)
        self._names = {name.casefold(): name for name in user}
        self.changed: dict[str, Value] = {}

    @property
    def _system(self) -> dict[str, Value]:
        if self._read is None:
            self._read = dict(self._read_system())
        return self._read

    @property
    def user(self) -> Mapping[str, Value]:
        """The sender's properties, as an action left them."""
        return self._user

    def system_value(self, name: str) -> Value:
        """A system property; ``None``: the message has none.

        Raises:
            FilterError: There is no such system property.
        """
        return self._system.get(system_name(name))

    def value(self, name: str) -> Value:
        """A property of the sender, whatever the case of its name; ``None``: null, or not there."""
        known = self._names.get(name.casefold())
        return None if known is None else self._user[known]

    def has(self, name: str) -> bool:
        """Whether the sender gave a property, null or not."""
        return name.casefold() in self._names

    def set_value(self, name: str, value: Value) -> None:
        """Give a property of the sender a value; an integer becomes a double where one was."""
        known = self._names.setdefault(name.casefold(), name)
        former = self._user.get(known)
        if isinstance(former, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        self._user[known] = value

    def remove(self, name: str) -> None:
        """Take a property of the sender away, if it is there."""
        known = self._names.pop(name.casefold(), None)
        if known is not None:
            del self._user[known]

    def set_system(self, name: str, value: Value) -> None:
        """Give a system property a value, ``None`` to clear it; a text is made of what is none.

        Raises:
            FilterError: There is no such property, it cannot be set, or not to this.
        """
        known = system_name(name)
        kind = WRITABLE.get(known)
        if kind is None:
            raise FilterError(f"The system property {known} cannot be set.")
        if kind is str and value is not None and not isinstance(value, str | bytes | datetime | timedelta):
            value = str(value)
        if value is not None and not isinstance(value, kind):
            raise FilterError(f"The system property {known} cannot be {type_name(value)}.")
        self._system[known] = value
        self.changed[known] = value
