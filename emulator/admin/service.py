"""What the management API answers to each request.

The requests are those of the Service Bus resource provider over HTTP: entities
at ``/name``, ``/topic/subscriptions/name`` and ``…/rules/name``; lists at
``/$Resources/queues`` and ``/$Resources/topics``.
"""

from collections.abc import Callable, Sequence
from typing import Final

from ..entities.directory import subscription_address
from ..entities.errors import EntityError, entity_not_found
from ..entities.namespace import Namespace
from ..entities.settings import QueueSettings
from ..entities.topic import Subscription, Topic
from .descriptions import QUEUE, SUBSCRIPTION, TOPIC, cleared, read_settings
from .entries import Entries
from .errors import AdminError, refusal
from .feeds import ENTRY, FEED, Entry, entry_document, feed_document, read_description
from .http import HttpRequest, HttpResponse
from .rule_markup import RULE, read_rule
from .xml import XmlError

_PAGE: Final = 100
_SUBSCRIPTIONS: Final = "subscriptions"
_RULES: Final = "rules"

Permits = Callable[[str, str], bool]
"""Whether an ``Authorization`` header allows to manage what is at a path."""


class AdminService:
    """The management API of a namespace.

    Args:
        namespace: The namespace.
        permits: Who may manage what.
        name: The name of the namespace, as clients are told it.
    """

    def __init__(self, namespace: Namespace, permits: Permits, name: str) -> None:
        self._namespace = namespace
        self._permits = permits
        self._name = name

    def answer(self, request: HttpRequest) -> HttpResponse | None:
        """Do what a request asks; ``None``: it is not for this API."""
        if "api-version" not in request.query:
            return None
        try:
            self._authorize(request)
            return self._answer(request)
        except (AdminError, EntityError) as error:
            return refusal(error)
        except XmlError as error:
            return refusal(AdminError(400, str(error)))

    def _authorize(self, request: HttpRequest) -> None:
        header = request.headers.get("authorization", "")
        if not header:
            raise AdminError(401, "The request has no Authorization header: give a signature or a token.")
        if not self._permits(header, "/".join(request.segments)):
            raise AdminError(
                401, "The token of the request does not allow this, which wants the right Manage."
            )

    def _answer(self, request: HttpRequest) -> HttpResponse:
        segments = request.segments
        host = request.headers.get("host", self._name)
        entries = Entries(self._namespace, host, request.query["api-version"])
        lowered = [segment.casefold() for segment in segments]
        if lowered == ["$namespaceinfo"]:
            return self._one(entries.namespace_info(self._name))
        if lowered[:1] == ["$resources"] and len(segments) == 2:
            return self._resources(lowered[1], entries, request)
        if _SUBSCRIPTIONS in lowered:
            at = lowered.index(_SUBSCRIPTIONS)
            topic, rest = "/".join(segments[:at]), segments[at + 1 :]
            return self._of_topic(topic, rest, entries, request)
        return self._entity("/".join(segments), entries, request)

    def _resources(self, kind: str, entries: Entries, request: HttpRequest) -> HttpResponse:
        if request.method != "GET" or kind not in {"queues", "topics"}:
            raise AdminError(400, f"There is no list {kind!r} to {request.method}: get queues or topics.")
        names = self._namespace.names() if kind == "queues" else self._namespace.topics()
        return self._page(kind, sorted(names, key=str.casefold), entries.entity, entries, request)

    def _of_topic(
        self, topic: str, rest: Sequence[str], entries: Entries, request: HttpRequest
    ) -> HttpResponse:
        if not rest:
            names = sorted(self._namespace.subscriptions(topic), key=str.casefold)
            return self._page(
                _SUBSCRIPTIONS, names, lambda name: entries.subscription(topic, name), entries, request
            )
        if len(rest) == 1:
            return self._subscription(topic, rest[0], entries, request)
        if rest[1].casefold() != _RULES or len(rest) > 3:
            raise entity_not_found("/".join(request.segments))
        address = subscription_address(topic, rest[0])
        if len(rest) == 2:
            rules = [rule.name for rule in self._subscribed(address).rules]
            return self._page(
                _RULES, rules, lambda name: entries.rule(topic, rest[0], name), entries, request
            )
        return self._rule(topic, rest[0], rest[2], entries, request)

    def _subscribed(self, address: str) -> Subscription:
        return self._namespace.subscription(address)

    def _entity(self, name: str, entries: Entries, request: HttpRequest) -> HttpResponse:
        namespace = self._namespace
        known = next((each for each in (*namespace.names(), *namespace.topics()) if _same(each, name)), None)
        if request.method == "PUT":
            description = read_description(request.body, QUEUE, TOPIC)
            self._expect(known, name, request)
            base = QueueSettings() if known is None else cleared(namespace.entity(known).settings)
            settings = read_settings(description, base)
            if description.name == QUEUE:
                namespace.create_queue(known or name, settings)
            else:
                namespace.create_topic(known or name, settings)
            return self._one(entries.entity(known or name), 200 if known else 201)
        if known is None:
            raise entity_not_found(name)
        if request.method == "GET":
            return self._one(entries.entity(known))
        self._demand_delete(request)
        if isinstance(namespace.entity(known), Topic):
            namespace.delete_topic(known)
        else:
            namespace.delete_queue(known)
        return HttpResponse(200)

    def _subscription(self, topic: str, name: str, entries: Entries, request: HttpRequest) -> HttpResponse:
        namespace = self._namespace
        known = next((each for each in namespace.subscriptions(topic) if _same(each, name)), None)
        if request.method == "PUT":
            description = read_description(request.body, SUBSCRIPTION)
            self._expect(known, name, request)
            base = QueueSettings()
            if known is not None:
                base = cleared(self._subscribed(subscription_address(topic, known)).settings)
            first = description.find("DefaultRuleDescription")
            rule = None if first is None else read_rule(first.value("Name") or "$Default", first)
            namespace.create_subscription(topic, known or name, read_settings(description, base), rule)
            return self._one(entries.subscription(topic, known or name), 200 if known else 201)
        if known is None:
            raise entity_not_found(subscription_address(topic, name))
        if request.method == "GET":
            return self._one(entries.subscription(topic, known))
        self._demand_delete(request)
        namespace.delete_subscription(topic, known)
        return HttpResponse(200)

    def _rule(
        self, topic: str, subscription: str, name: str, entries: Entries, request: HttpRequest
    ) -> HttpResponse:
        address = subscription_address(topic, subscription)
        rules = self._subscribed(address).rules
        known = next((rule.name for rule in rules if _same(rule.name, name)), None)
        if request.method == "PUT":
            rule = read_rule(known or name, read_description(request.body, RULE))
            self._expect(known, name, request)
            put = self._namespace.add_rule if known is None else self._namespace.replace_rule
            put(address, rule)
            return self._one(entries.rule(topic, subscription, rule.name), 200 if known else 201)
        found = self._subscribed(address).rule(name)
        if request.method == "GET":
            return self._one(entries.rule(topic, subscription, found.name))
        self._demand_delete(request)
        self._namespace.remove_rule(address, found.name)
        return HttpResponse(200)

    def _expect(self, known: str | None, name: str, request: HttpRequest) -> None:
        """Insist that what is updated is there, and what is created is not."""
        updates = "if-match" in request.headers
        if updates and known is None:
            raise entity_not_found(name)
        if not updates and known is not None:
            raise AdminError(409, f"{known!r} exists already: take another name, or update it with If-Match.")

    def _demand_delete(self, request: HttpRequest) -> None:
        if request.method != "DELETE":
            raise AdminError(405, f"{request.method} is not supported here: GET, PUT and DELETE are.")

    def _one(self, entry: Entry, status: int = 200) -> HttpResponse:
        return HttpResponse(status, entry_document(entry, self._name), ENTRY)

    def _page(
        self,
        title: str,
        names: Sequence[str],
        entry: Callable[[str], Entry],
        entries: Entries,
        request: HttpRequest,
    ) -> HttpResponse:
        if request.method != "GET":
            raise AdminError(405, f"{request.method} is not supported on lists: GET is.")
        skip, top = _number(request, "$skip", 0), min(_number(request, "$top", _PAGE), _PAGE)
        page = [entry(name) for name in names[skip : skip + top]]
        path = "/".join(request.segments)
        following = entries.href(path, skip + top, top) if skip + top < len(names) else None
        document = feed_document(title, entries.href(path, skip, top), page, self._name, following)
        return HttpResponse(200, document, FEED)


def _number(request: HttpRequest, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit()):
        raise AdminError(400, f"{name} is {text!r}, which is no number.")
    return int(text)


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()
