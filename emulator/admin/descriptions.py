"""Settings as descriptions in XML, and back.

The names and their order are those of the management API; what has no effect
here is kept and given back.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from ..entities.durations import duration_of, seconds_of
from ..entities.settings import QueueSettings
from .errors import AdminError
from .xml import COUNTS, INSTANCE, SERVICE_BUS, Element, markup, tag

QUEUE: Final = "QueueDescription"
TOPIC: Final = "TopicDescription"
SUBSCRIPTION: Final = "SubscriptionDescription"

_FIELDS: Final[Mapping[str, str]] = {
    QUEUE: "LockDuration MaxSizeInMegabytes RequiresDuplicateDetection RequiresSession "
    "DefaultMessageTimeToLive DeadLetteringOnMessageExpiration DuplicateDetectionHistoryTimeWindow "
    "MaxDeliveryCount EnableBatchedOperations SizeInBytes MessageCount IsAnonymousAccessible "
    "AuthorizationRules Status ForwardTo UserMetadata CreatedAt UpdatedAt AccessedAt SupportOrdering "
    "CountDetails AutoDeleteOnIdle EnablePartitioning EntityAvailabilityStatus "
    "ForwardDeadLetteredMessagesTo EnableExpress MaxMessageSizeInKilobytes",
    TOPIC: "DefaultMessageTimeToLive MaxSizeInMegabytes RequiresDuplicateDetection "
    "DuplicateDetectionHistoryTimeWindow EnableBatchedOperations SizeInBytes "
    "FilteringMessagesBeforePublishing IsAnonymousAccessible AuthorizationRules Status UserMetadata "
    "CreatedAt UpdatedAt AccessedAt SupportOrdering CountDetails SubscriptionCount SqlFilterCount "
    "CorrelationFilterCount AutoDeleteOnIdle EnablePartitioning EntityAvailabilityStatus "
    "EnableSubscriptionPartitioning EnableExpress MaxMessageSizeInKilobytes",
    SUBSCRIPTION: "LockDuration RequiresSession DefaultMessageTimeToLive "
    "DeadLetteringOnMessageExpiration DeadLetteringOnFilterEvaluationExceptions MessageCount "
    "MaxDeliveryCount EnableBatchedOperations Status ForwardTo CreatedAt UpdatedAt AccessedAt "
    "UserMetadata CountDetails ForwardDeadLetteredMessagesTo AutoDeleteOnIdle EntityAvailabilityStatus",
}
_NOTED: Final[Mapping[str, str]] = {
    "MaxSizeInMegabytes": "1024",
    "EnableBatchedOperations": "true",
    "IsAnonymousAccessible": "false",
    "FilteringMessagesBeforePublishing": "false",
    "SupportOrdering": "true",
    "EnablePartitioning": "false",
    "EnableSubscriptionPartitioning": "false",
    "EnableExpress": "false",
}
_RULES: Final = "AuthorizationRules"
_DETECTION: Final = "RequiresDuplicateDetection"
_WINDOW: Final = "DuplicateDetectionHistoryTimeWindow"
_DEFAULT_WINDOW: Final = 600.0


class Facts(NamedTuple):
    """What is counted of an entity, in the words of the API; ``CountDetails`` is apart.

    Attributes:
        values: Texts by name.
        counts: Numbers of messages by name.
    """

    values: Mapping[str, str]
    counts: Mapping[str, int]


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _read_bool(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def _between(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        seconds = seconds_of(text)
        if seconds is None or not low <= seconds <= high:
            raise ValueError(f"{text} is not between {duration_of(low)} and {duration_of(high)}")
        return seconds

    return read


def _deliveries(text: str) -> int:
    if not 1 <= int(text) <= 2000:
        raise ValueError(f"{text} is not between 1 and 2000")
    return int(text)


def _name_of(address: str) -> str | None:
    """The name of an entity, of ``sb://host/name`` or the name itself."""
    _, scheme, rest = address.partition("://")
    return (rest.partition("/")[2] if scheme else address).strip("/") or None


_read_window: Final = _between(20, 7 * 86400)
_READERS: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "LockDuration": ("lock_duration", _between(0.001, 300)),
    "MaxDeliveryCount": ("max_delivery_count", _deliveries),
    "DefaultMessageTimeToLive": ("default_ttl", seconds_of),
    "DeadLetteringOnMessageExpiration": ("dead_letter_on_expiry", _read_bool),
    "DeadLetteringOnFilterEvaluationExceptions": ("dead_letter_on_filter_error", _read_bool),
    "RequiresSession": ("requires_session", _read_bool),
    "Status": ("status", str),
    "ForwardTo": ("forward_to", _name_of),
    "ForwardDeadLetteredMessagesTo": ("forward_dead_letters_to", _name_of),
    "AutoDeleteOnIdle": ("auto_delete_on_idle", seconds_of),
    "UserMetadata": ("user_metadata", str),
}
_SIZE: Final = "MaxMessageSizeInKilobytes"


def cleared(settings: QueueSettings) -> QueueSettings:
    """What an update begins with: a description that leaves these out takes them away."""
    return replace(settings, forward_to=None, forward_dead_letters_to=None, user_metadata="")


def read_settings(description: Element, base: QueueSettings) -> QueueSettings:
    """The settings a description asks for; what it does not name stays as in ``base``.

    Raises:
        AdminError: A value is not one of its kind, or outside its range.
    """
    values: dict[str, Any] = {}
    noted = dict(base.noted)
    for child in description.children:
        text = description.value(child.name)
        try:
            if child.name == _RULES:
                noted[_RULES] = "".join(_to_markup(rule) for rule in child.children)
            elif text is None:
                continue
            elif child.name in _READERS:
                attribute, read = _READERS[child.name]
                values[attribute] = read(text)
            elif child.name == _SIZE:
                _check_size(text, base)
            elif child.name in _NOTED:
                noted[child.name] = text
        except ValueError as error:
            raise AdminError(400, f"{child.name}: {error}.") from error
    values.update(_duplicates(description, base, noted))
    try:
        return replace(base, **values, noted=noted)
    except ValueError as error:
        raise AdminError(400, f"The description cannot be: {error}.") from error


def _check_size(text: str, base: QueueSettings) -> None:
    if text != str(base.max_message_size // 1024):
        raise ValueError(f"{text} is not to be had: messages of another size are for the Premium tier")


def _duplicates(description: Element, base: QueueSettings, noted: dict[str, str]) -> dict[str, Any]:
    window, detection = description.value(_WINDOW), description.value(_DETECTION)
    try:
        seconds = None if window is None else _read_window(window)
        wanted = base.duplicate_window is not None if detection is None else _read_bool(detection)
    except ValueError as error:
        raise AdminError(400, f"Duplicate detection: {error}.") from error
    if window is not None:
        noted[_WINDOW] = window
    return {"duplicate_window": (seconds or base.duplicate_window or _DEFAULT_WINDOW) if wanted else None}


def write_description(kind: str, settings: QueueSettings, facts: Facts, host: str) -> str:
    """The markup of the description of an entity.

    Args:
        kind: :data:`QUEUE`, :data:`TOPIC` or :data:`SUBSCRIPTION`.
        settings: Its settings.
        facts: What is counted of it.
        host: The host the client asked, for addresses of other entities.
    """
    values = {**_NOTED, **settings.noted, **_values(settings, host), **facts.values}
    parts = []
    for name in _FIELDS[kind].split():
        if name == "CountDetails":
            details = "".join(tag(f"d:{each}", number) for each, number in facts.counts.items())
            parts.append(markup(name, details, xmlns_d=COUNTS))
        elif name == _RULES:
            parts.append(markup(name, settings.noted.get(_RULES, "")))
        elif values.get(name) is not None:
            parts.append(tag(name, values[name]))
    return markup(kind, "".join(parts), xmlns=SERVICE_BUS, xmlns_i=INSTANCE)


def _values(settings: QueueSettings, host: str) -> dict[str, str]:
    def address(name: str | None) -> str | None:
        return None if name is None else f"sb://{host}/{name}"

    window = settings.duplicate_window
    values = {
        "LockDuration": duration_of(settings.lock_duration),
        "MaxDeliveryCount": str(settings.max_delivery_count),
        "DefaultMessageTimeToLive": duration_of(settings.default_ttl),
        "DeadLetteringOnMessageExpiration": _bool(settings.dead_letter_on_expiry),
        "DeadLetteringOnFilterEvaluationExceptions": _bool(settings.dead_letter_on_filter_error),
        "RequiresSession": _bool(settings.requires_session),
        _DETECTION: _bool(window is not None),
        _WINDOW: settings.noted.get(_WINDOW, duration_of(_DEFAULT_WINDOW))
        if window is None
        else duration_of(window),
        "Status": str(settings.status),
        "ForwardTo": address(settings.forward_to),
        "ForwardDeadLetteredMessagesTo": address(settings.forward_dead_letters_to),
        "AutoDeleteOnIdle": duration_of(settings.auto_delete_on_idle),
        "UserMetadata": settings.user_metadata or None,
        _SIZE: str(settings.max_message_size // 1024),
        "EntityAvailabilityStatus": "Available",
    }
    return {name: value for name, value in values.items() if value is not None}


def _to_markup(element: Element) -> str:
    """An element as it came, its type attribute with the prefix that descriptions declare."""
    kind = element.attributes.get("type")
    attributes = "" if kind is None else f" i:type={quoteattr(kind)}"
    inner = escape(element.text) if not element.children else "".join(map(_to_markup, element.children))
    return f"<{element.name}{attributes}>{inner}</{element.name}>"
