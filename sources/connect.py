"""Clients and receivers of the official SDK, and what their errors mean."""

from typing import Final

from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.identity import DefaultAzureCredential
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusReceiver,
    ServiceBusSubQueue,
    TransportType,
)
from azure.servicebus.exceptions import (
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
)

from ..model.errors import BridgeError, ConfigError, NotPermitted, ServiceUnreachable
from .address import Address
from .config import ServiceBusSource

RETRIES: Final = 1
"""Tries of the SDK's own beyond the first; a link that breaks is reopened by us, with back-off."""


def open_client(source: ServiceBusSource) -> ServiceBusClient:
    """Return a client of the source's namespace.  It connects when first used.

    Raises:
        ConfigError: The connection string cannot be read.
    """
    transport = TransportType.AmqpOverWebsocket if source.transport == "websockets" else TransportType.Amqp
    if source.connection_string is None:
        credential = DefaultAzureCredential(managed_identity_client_id=source.client_id)
        return ServiceBusClient(
            source.namespace or "", credential, transport_type=transport, retry_total=RETRIES
        )
    try:
        return ServiceBusClient.from_connection_string(
            source.connection_string.get_secret_value(), transport_type=transport, retry_total=RETRIES
        )
    except (ValueError, KeyError):
        raise ConfigError(
            "source.connection_string: not a Service Bus connection string; it begins Endpoint=sb://"
        ) from None


def open_receiver(client: ServiceBusClient, entity: str) -> ServiceBusReceiver:
    """Return a peek-lock receiver of an entity.  It connects when first used."""
    address = Address.parse(entity)
    sub_queue = ServiceBusSubQueue.DEAD_LETTER if address.dead_letters else None
    if address.subscription is not None:
        return client.get_subscription_receiver(address.name, address.subscription, sub_queue=sub_queue)
    return client.get_queue_receiver(address.name, sub_queue=sub_queue)


def namespace_of(source: ServiceBusSource) -> str:
    """Return the host of the namespace, fit to be shown.

    >>> namespace_of(ServiceBusSource(namespace="contoso.servicebus.windows.net", entities=("q",)))
    'contoso.servicebus.windows.net'
    """
    if source.connection_string is None:
        return source.namespace or ""
    for part in source.connection_string.get_secret_value().split(";"):
        key, _, value = part.partition("=")
        if key.strip().lower() == "endpoint":
            return value.strip().removeprefix("sb://").rstrip("/")
    return "the namespace"


def explain(error: BaseException, source: ServiceBusSource, entity: str) -> BridgeError:
    """Return what an SDK error means to the person who runs the bridge, in one sentence."""
    host = namespace_of(source)
    if isinstance(error, BridgeError):
        return error
    if isinstance(error, MessagingEntityNotFoundError):
        return ServiceUnreachable(
            f"{entity!r} does not exist on {host}; create it or correct source.entities"
        )
    if isinstance(error, MessagingEntityDisabledError):
        return ServiceUnreachable(f"{entity!r} on {host} is disabled; enable it to receive from it")
    if isinstance(
        error, ServiceBusAuthenticationError | ServiceBusAuthorizationError | ClientAuthenticationError
    ):
        return NotPermitted(
            f"{host} refuses to let us receive from {entity!r}; the credential needs the claim Listen, "
            "or the role Azure Service Bus Data Receiver"
        )
    kind = type(error).__name__ if isinstance(error, AzureError | OSError) else repr(type(error))
    return ServiceUnreachable(
        f"{host} cannot be reached for {entity!r} ({kind}); check the host name, the network and port"
    )
