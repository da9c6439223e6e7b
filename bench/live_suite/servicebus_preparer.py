"""The decorators by which Microsoft's live tests ask for entities; these make them in an embedded broker."""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cloud import ROOT, SUFFIX, cloud
from supplying import supply

from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import Policy, Right

SERVICEBUS_ENDPOINT_SUFFIX = SUFFIX
NAMESPACE = "livetests"


@dataclass(frozen=True, slots=True)
class Resource:
    """What a test is told of an entity."""

    name: str


class _Preparer:
    parameter = ""

    def __init__(
        self, name_prefix: str = "", use_cache: bool = False, parameter_name: str = "", **settings: Any
    ) -> None:
        del use_cache  # every test gets entities of its own
        self._prefix = name_prefix
        self._parameter = parameter_name or self.parameter
        self._settings = settings

    def __call__(self, test: Callable[..., Any]) -> Callable[..., Any]:
        return supply(test, [self._parameter], self._give)

    def _give(self, given: dict[str, Any]) -> dict[str, Any]:
        name = f"{self._prefix}{uuid.uuid4().hex[:12]}"
        return {self._parameter: Resource(name), **self.create(name, given, self._settings)}

    def create(self, name: str, given: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
        """Create the resource; return what else there is to tell of it."""
        raise NotImplementedError


class ServiceBusResourceGroupPreparer(_Preparer):
    """Resource groups mean nothing here."""

    parameter = "resource_group"

    def create(self, name: str, given: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
        del name, given, settings
        return {}


class ServiceBusNamespacePreparer(_Preparer):
    """One namespace serves all tests of a process."""

    parameter = "servicebus_namespace"

    def create(self, name: str, given: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
        del name, given, settings
        cloud().broker(NAMESPACE)
        return {
            self._parameter: Resource(NAMESPACE),
            f"{self._parameter}_connection_string": cloud().connection_string(NAMESPACE, ROOT),
            f"{self._parameter}_key_name": ROOT.name,
            f"{self._parameter}_primary_key": ROOT.key,
        }


class ServiceBusQueuePreparer(_Preparer):
    """A queue."""

    parameter = "servicebus_queue"

    def create(self, name: str, given: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
        del given
        wanted = _settings(settings)
        cloud().broker(NAMESPACE).call(lambda namespace: namespace.create_queue(name, wanted))
        return {}


class ServiceBusTopicPreparer(_Preparer):
    """A topic."""

    parameter = "servicebus_topic"

    def create(self, name: str, given: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
        del given, settings
        cloud().broker(NAMESPACE).call(lambda namespace: namespace.create_topic(name))
        return {}


class ServiceBusSubscriptionPreparer(_Preparer):
    """A subscription of the topic given further out."""

    parameter = "servicebus_subscription"

    def create(self, name: str, given: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
        topic, wanted = given["servicebus_topic"].name, _settings(settings)
        cloud().broker(NAMESPACE).call(lambda namespace: namespace.create_subscription(topic, name, wanted))
        return {}


class ServiceBusNamespaceAuthorizationRulePreparer(_Preparer):
    """A key of the namespace with some rights."""

    parameter = "servicebus_authorization_rule"

    def create(self, name: str, given: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
        wanted = [Right(right.value) for right in settings.get("access_rights", ())]
        policy = Policy(name, uuid.uuid4().hex, frozenset(wanted or Right), self.entity(given))
        cloud().broker(NAMESPACE).add_policy(policy)
        return {f"{self._parameter}_connection_string": cloud().connection_string(NAMESPACE, policy)}

    def entity(self, given: dict[str, Any]) -> str:
        """Return what the key is of; nothing: the namespace."""
        del given
        return ""


class ServiceBusQueueAuthorizationRulePreparer(ServiceBusNamespaceAuthorizationRulePreparer):
    """A key of the queue given further out."""

    parameter = "servicebus_queue_authorization_rule"

    def entity(self, given: dict[str, Any]) -> str:
        """Return the queue."""
        return str(given["servicebus_queue"].name)


def _settings(given: dict[str, Any]) -> QueueSettings:
    return QueueSettings(
        lock_duration=_seconds(given.get("lock_duration", "PT30S")),
        dead_letter_on_expiry=given.get("dead_lettering_on_message_expiration", False),
        requires_session=given.get("requires_session", False),
        duplicate_window=600.0 if given.get("requires_duplicate_detection") else None,
    )


def _seconds(duration: str) -> float:
    found = re.fullmatch(r"PT(\d+)([MS])", duration)
    if found is None:
        raise ValueError(f"the duration {duration!r} is none of PT<n>S and PT<n>M")
    return float(found[1]) * (60 if found[2] == "M" else 1)


CachedServiceBusResourceGroupPreparer = ServiceBusResourceGroupPreparer
CachedServiceBusNamespacePreparer = ServiceBusNamespacePreparer
CachedServiceBusQueuePreparer = ServiceBusQueuePreparer
CachedServiceBusTopicPreparer = ServiceBusTopicPreparer
CachedServiceBusSubscriptionPreparer = ServiceBusSubscriptionPreparer
