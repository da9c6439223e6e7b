"""Entities from a file in the format of Microsoft's Service Bus emulator, ``Config.json``.

Errors name the place in the file, such as ``UserConfig.Namespaces[0].Queues[1].Name``.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from ...model.errors import ConfigError
from ..filters.rules import SYSTEM_FIELDS, CorrelationFilter, Filter, Rule, SqlAction, SqlFilter, TrueFilter
from .directory import subscription_address
from .durations import seconds_of
from .errors import EntityError
from .namespace import Namespace
from .settings import QueueSettings

_DEFAULT_WINDOW: Final = 600.0


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _duration(value: Any) -> float | None:
    return seconds_of(_text(value))


_SETTINGS: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "LockDuration": ("lock_duration", _duration),
    "MaxDeliveryCount": ("max_delivery_count", _count),
    "DefaultMessageTimeToLive": ("default_ttl", _duration),
    "DeadLetteringOnMessageExpiration": ("dead_letter_on_expiry", _flag),
    "DeadLetteringOnFilterEvaluationExceptions": ("dead_letter_on_filter_error", _flag),
    "MaxMessageSizeInKilobytes": ("max_message_size", lambda value: _count(value) * 1024),
    "RequiresSession": ("requires_session", _flag),
    "Status": ("status", _text),
    "ForwardTo": ("forward_to", lambda value: _text(value) or None),
    "ForwardDeadLetteredMessagesTo": ("forward_dead_letters_to", lambda value: _text(value) or None),
    "AutoDeleteOnIdle": ("auto_delete_on_idle", _duration),
    "UserMetadata": ("user_metadata", _text),
}
_WINDOW: Final = "DuplicateDetectionHistoryTimeWindow"
_DETECTION: Final = "RequiresDuplicateDetection"
_CORRELATION: Final = {system: name for name, system in SYSTEM_FIELDS.items()}


class _Node:
    """A value of the file, and its place in it."""

    def __init__(self, value: Any, place: str) -> None:
        self.value = value
        self.place = place

    def fail(self, sentence: str) -> ConfigError:
        return ConfigError(f"{self.place}: {sentence}.")

    def table(self, *keys: str) -> dict[str, Any]:
        if not isinstance(self.value, dict):
            raise self.fail("an object was expected")
        for key in self.value:
            if key not in keys:
                near = get_close_matches(key, keys, 1)
                hint = f"did you mean {near[0]!r}" if near else f"known are {', '.join(sorted(keys))}"
                raise self.fail(f"{key!r} is not known here; {hint}")
        return self.value

    def get(self, key: str) -> "_Node":
        return _Node(self.value.get(key), f"{self.place}.{key}" if self.place else key)

    def items(self, key: str) -> "Iterator[_Node]":
        node = self.get(key)
        if node.value is not None and not isinstance(node.value, list):
            raise node.fail("a list was expected")
        for index, value in enumerate(node.value or ()):
            yield _Node(value, f"{node.place}[{index}]")

    def read(self, reader: Callable[[Any], Any]) -> Any:
        try:
            return reader(self.value)
        except (TypeError, ValueError) as error:
            raise self.fail(str(error)) from error


@dataclass(frozen=True, slots=True)
class Declared:
    """An entity as the file declares it.

    Attributes:
        place: Where in the file.
        name: Its name; of a subscription, its own.
        settings: Its settings.
        topic: Of a subscription, its topic.
        rules: Of a subscription, its rules; empty: the default one.
    """

    place: str
    name: str
    settings: QueueSettings
    topic: str = ""
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Declaration:
    """All that a file declares."""

    queues: tuple[Declared, ...]
    topics: tuple[Declared, ...]
    subscriptions: tuple[Declared, ...]

    def create(self, namespace: Namespace) -> None:
        """Create what is declared; entities that exist take the settings and rules, and keep their messages.

        Raises:
            ConfigError: Something cannot be created; what came before it is.
        """
        for forwarding in (False, True):
            for queue in self.queues:
                with _naming(queue):
                    namespace.create_queue(queue.name, _settings(queue, forwarding=forwarding))
            for topic in self.topics:
                with _naming(topic):
                    namespace.create_topic(topic.name, topic.settings)
            for each in self.subscriptions:
                with _naming(each):
                    settings = _settings(each, forwarding=forwarding)
                    namespace.create_subscription(each.topic, each.name, settings)
                    _set_rules(namespace, each)


class _naming:  # noqa: N801 - reads as a statement
    def __init__(self, declared: Declared) -> None:
        self._place = declared.place

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, EntityError):
            raise ConfigError(f"{self._place}: {error.description}") from error


def _settings(declared: Declared, *, forwarding: bool) -> QueueSettings:
    """The settings; in the first round without forwarding, for what it leads to may come later."""
    if forwarding:
        return declared.settings
    return replace(declared.settings, forward_to=None, forward_dead_letters_to=None)


def _set_rules(namespace: Namespace, declared: Declared) -> None:
    address = subscription_address(declared.topic, declared.name)
    wanted = {rule.name.casefold(): rule for rule in declared.rules}
    for known in namespace.subscription(address).rules if wanted else ():
        if known.name.casefold() not in wanted:
            namespace.remove_rule(address, known.name)
        else:
            namespace.replace_rule(address, wanted.pop(known.name.casefold()))
    for rule in wanted.values():
        namespace.add_rule(address, rule)


def read_config(path: Path) -> Declaration:
    """Read a file.

    Raises:
        ConfigError: It cannot be read or is not of the format; the sentence names the place.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"The emulator's configuration {path} cannot be read: {error}.") from error
    root = _Node(content, "")
    root.table("UserConfig")
    user = root.get("UserConfig")
    user.table("Namespaces", "Logging")
    namespaces = list(user.items("Namespaces"))
    if len(namespaces) != 1:
        raise user.get("Namespaces").fail(f"exactly one namespace was expected, not {len(namespaces)}")
    (namespace,) = namespaces
    namespace.table("Name", "Queues", "Topics")
    queues, topics, subscriptions = list[Declared](), list[Declared](), list[Declared]()
    for node in namespace.items("Queues"):
        node.table("Name", "Properties")
        queues.append(_entity(node))
    for node in namespace.items("Topics"):
        node.table("Name", "Properties", "Subscriptions")
        topics.append(_entity(node))
        for each in node.items("Subscriptions"):
            each.table("Name", "Properties", "Rules")
            rules = tuple(_rule(rule) for rule in each.items("Rules"))
            subscriptions.append(replace(_entity(each), topic=topics[-1].name, rules=rules))
    return Declaration(tuple(queues), tuple(topics), tuple(subscriptions))


def _entity(node: _Node) -> Declared:
    name: str = node.get("Name").read(_text)
    return Declared(node.place, name, _read_settings(node.get("Properties")))


def _read_settings(node: _Node) -> QueueSettings:
    if node.value is None:
        return QueueSettings()
    given = node.table(*_SETTINGS, _WINDOW, _DETECTION)
    values = {
        attribute: node.get(key).read(reader)
        for key, (attribute, reader) in _SETTINGS.items()
        if key in given
    }
    if values.get("lock_duration", 0) is None:
        raise node.get("LockDuration").fail("a lock cannot last for ever")
    if _DETECTION in given and node.get(_DETECTION).read(_flag):
        window = node.get(_WINDOW).read(_duration) if _WINDOW in given else None
        values["duplicate_window"] = window or _DEFAULT_WINDOW
    try:
        return QueueSettings(**values)
    except ValueError as error:
        raise node.fail(str(error)) from error


def _rule(node: _Node) -> Rule:
    node.table("Name", "Properties")
    name: str = node.get("Name").read(_text)
    properties = node.get("Properties")
    given = (
        properties.table("FilterType", "CorrelationFilter", "SqlFilter", "Action") if properties.value else {}
    )
    return Rule(name, _filter(properties, given), _action(properties.get("Action")) if given else None)


def _filter(node: _Node, given: Mapping[str, Any]) -> Filter:
    kind = given.get("FilterType", "Sql" if "SqlFilter" in given else "Correlation")
    if kind == "Sql" and "SqlFilter" in given:
        sql: Filter = node.get("SqlFilter").read(lambda _: SqlFilter(_expression(node.get("SqlFilter"))))
        return sql
    if kind == "Correlation" and "CorrelationFilter" in given:
        return _correlation(node.get("CorrelationFilter"))
    if not given:
        return TrueFilter()
    raise node.fail(f"the FilterType {kind!r} has no filter beside it: give SqlFilter or CorrelationFilter")


def _correlation(node: _Node) -> CorrelationFilter:
    given = node.table(*_CORRELATION, "Properties")
    fields = {_CORRELATION[key]: node.get(key).read(_text) for key in given if key != "Properties"}
    properties = node.get("Properties")
    if properties.value is not None and not isinstance(properties.value, dict):
        raise properties.fail("an object was expected")
    for key, value in (properties.value or {}).items():
        if not isinstance(value, str | int | float):
            raise properties.get(key).fail(f"{value!r} is no text, number, true or false")
    found: CorrelationFilter = node.read(
        lambda _: CorrelationFilter(**fields, properties=dict(properties.value or {}))
    )
    return found


def _action(node: _Node) -> SqlAction | None:
    if node.value is None:
        return None
    found: SqlAction = node.read(lambda _: SqlAction(_expression(node)))
    return found


def _expression(node: _Node) -> str:
    node.table("SqlExpression")
    expression: str = node.get("SqlExpression").read(_text)
    return expression
