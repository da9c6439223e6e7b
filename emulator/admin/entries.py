"""Entries of the entities of a namespace, with what is counted of them."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from ..entities.directory import subscription_address
from ..entities.namespace import Namespace
from ..entities.queue import Queue
from ..entities.topic import Topic
from ..filters.rules import CorrelationFilter
from .descriptions import QUEUE, SUBSCRIPTION, TOPIC, Facts, write_description
from .feeds import Entry, time_text
from .rule_markup import write_rule
from .xml import INSTANCE, SERVICE_BUS, markup, tag

_TIER: Final = "Standard"


class Entries:
    """Makes entries.

    Args:
        namespace: The namespace.
        host: The host and port the client asked, for addresses.
        version: The version of the API it asked for.
    """

    def __init__(self, namespace: Namespace, host: str, version: str) -> None:
        self._namespace = namespace
        self._host = host
        self._version = version

    def href(self, path: str, skip: int | None = None, top: int | None = None) -> str:
        """The URL of a path, or of a page of a list."""
        page = "" if skip is None else f"&$skip={skip}&$top={top}"
        return f"https://{self._host}/{quote(path)}?api-version={quote(self._version)}{page}"

    def entity(self, name: str) -> Entry:
        """The entry of a queue or topic."""
        found = self._namespace.entity(name)
        kind = TOPIC if isinstance(found, Topic) else QUEUE
        return self._entry(found, kind, found.name, found.name)

    def subscription(self, topic: str, name: str) -> Entry:
        """The entry of a subscription."""
        found = self._namespace.subscription(subscription_address(topic, name))
        return self._entry(found, SUBSCRIPTION, found.name.rpartition("/")[2], found.name)

    def rule(self, topic: str, subscription: str, name: str) -> Entry:
        """The entry of a rule."""
        address = subscription_address(topic, subscription)
        found = self._namespace.subscription(address).rule(name)
        href = self.href(f"{address}/Rules/{found.name}")
        return Entry(found.name, href, found.created_at, found.created_at, write_rule(found))

    def namespace_info(self, name: str) -> Entry:
        """The entry that describes the namespace itself."""
        created = time_text(0)
        inner = tag("CreatedTime", created) + tag("MessagingSKU", _TIER) + tag("ModifiedTime", created)
        inner += tag("Name", name) + tag("NamespaceType", "Messaging")
        description = markup("NamespaceInfo", inner, xmlns=SERVICE_BUS, xmlns_i=INSTANCE)
        return Entry(name, self.href("$namespaceinfo"), 0.0, 0.0, description)

    def _entry(self, entity: Queue | Topic, kind: str, title: str, path: str) -> Entry:
        facts = self._of_topic(entity) if isinstance(entity, Topic) else self._of_queue(entity)
        dates = {
            "CreatedAt": time_text(entity.created_at),
            "UpdatedAt": time_text(entity.updated_at),
            "AccessedAt": time_text(entity.accessed_at),
            "SizeInBytes": str(entity.bytes),
        }
        described = write_description(
            kind, entity.settings, Facts({**dates, **facts.values}, facts.counts), self._host
        )
        return Entry(title, self.href(path), entity.created_at, entity.updated_at, described)

    def _of_queue(self, queue: Queue) -> Facts:
        depth = queue.depth()
        waiting = depth["active"] + depth["locked"] + depth["deferred"]
        transfer = self._namespace.queue(f"{queue.name}/$Transfer/$DeadLetterQueue").size
        counts = _counts(waiting, depth["dead_lettered"], depth["scheduled"], transfer)
        return Facts({"MessageCount": str(sum(counts.values()))}, counts)

    def _of_topic(self, topic: Topic) -> Facts:
        rules = [rule.filter for each in topic.subscriptions.values() for rule in each.rules]
        values = {
            "SubscriptionCount": str(len(topic.subscriptions)),
            "SqlFilterCount": str(sum(not isinstance(each, CorrelationFilter) for each in rules)),
            "CorrelationFilterCount": str(sum(isinstance(each, CorrelationFilter) for each in rules)),
        }
        return Facts(values, _counts(0, 0, topic.depth()["scheduled"], 0))


def _counts(active: int, dead: int, scheduled: int, transfer: int) -> Mapping[str, int]:
    return {
        "ActiveMessageCount": active,
        "DeadLetterMessageCount": dead,
        "ScheduledMessageCount": scheduled,
        "TransferDeadLetterMessageCount": transfer,
        "TransferMessageCount": 0,
    }
