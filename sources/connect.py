"""Clients and receivers of the official SDK."""

import importlib.util
import re
from typing import Any, Final

from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential, TokenCredential
from azure.servicebus import (
    NEXT_AVAILABLE_SESSION,
    ServiceBusClient,
    ServiceBusReceiver,
    ServiceBusSubQueue,
    TransportType,
)

from ..login.credential import open_credential
from ..model.errors import ConfigError
from .access import AccessKey, AccessToken
from .address import Address, SubQueue
from .config import ServiceBusSource
from .explain import explain, namespace_of

__all__ = ["explain", "namespace_of", "open_client", "open_receiver", "open_session"]

_SUB_QUEUES: Final = {
    None: None,
    SubQueue.DEAD_LETTERS: ServiceBusSubQueue.DEAD_LETTER,
    SubQueue.TRANSFER_DEAD_LETTERS: ServiceBusSubQueue.TRANSFER_DEAD_LETTER,
}


def open_client(source: ServiceBusSource) -> ServiceBusClient:
    """Return a client of the source's namespace.  It connects when first used.

    Raises:
        ConfigError: The connection string cannot be read, or a package is missing.
    """
    options = client_options(source, websocket_package="websocket")
    if source.connection_string is None:
        return ServiceBusClient(source.namespace or "", credential_of(source), **options)
    try:
        return ServiceBusClient.from_connection_string(source.connection_string.get_secret_value(), **options)
    except (ValueError, KeyError):
        raise ConfigError(
            "source.connection_string: not a Service Bus connection string; it begins Endpoint=sb://"
        ) from None


def client_options(source: ServiceBusSource, websocket_package: str) -> dict[str, Any]:
    """Return what both kinds of client are made with.

    Args:
        source: The settings.
        websocket_package: The package that this kind of client needs for WebSockets.

    Raises:
        ConfigError: WebSockets are asked for and the package is not there.
    """
    websockets = source.transport == "websockets" or source.proxy is not None
    if websockets and importlib.util.find_spec(websocket_package) is None:
        raise ConfigError(
            f"source.transport: websockets needs the package {_INSTALLED_AS[websocket_package]}; "
            f"pip install {_INSTALLED_AS[websocket_package]}"
        )
    retries = source.retries
    options: dict[str, Any] = {
        "transport_type": TransportType.AmqpOverWebsocket if websockets else TransportType.Amqp,
        "retry_total": retries.total,
        "retry_mode": retries.mode,
        "retry_backoff_factor": retries.backoff,
        "retry_backoff_max": retries.backoff_max,
        "http_proxy": _proxy(source),
        "custom_endpoint_address": _endpoint(source.endpoint, _WEBSOCKETS if websockets else _AMQPS),
        "connection_verify": None if source.ca_file is None else str(source.ca_file),
    }
    return {name: value for name, value in options.items() if value is not None}


_AMQPS: Final = 5671
_WEBSOCKETS: Final = 443
_INSTALLED_AS: Final = {"websocket": "websocket-client", "aiohttp": "aiohttp"}


def _endpoint(endpoint: str | None, port: int) -> str | None:
    """Return an endpoint with its port: the SDK would take 443 for plain AMQP too."""
    if endpoint is None or re.search(r":\d+$", endpoint):
        return endpoint
    return f"{endpoint}:{port}"


def _proxy(source: ServiceBusSource) -> dict[str, Any] | None:
    proxy = source.proxy
    if proxy is None:
        return None
    told = {"proxy_hostname": proxy.host, "proxy_port": proxy.port, "username": proxy.username}
    password = None if proxy.password is None else proxy.password.get_secret_value()
    return {name: value for name, value in (told | {"password": password}).items() if value is not None}


def credential_of(
    source: ServiceBusSource,
) -> TokenCredential | AzureNamedKeyCredential | AzureSasCredential:
    """Return the live credential of a source that has no connection string."""
    login = source.credential
    if isinstance(login, AccessKey):
        return AzureNamedKeyCredential(login.policy, login.access_key.get_secret_value())
    if isinstance(login, AccessToken):
        return AzureSasCredential(login.sas_token.get_secret_value())
    return open_credential(login, "source.credential")


def receiver_options(source: ServiceBusSource | None, address: Address) -> dict[str, Any]:
    """Return what both kinds of receiver are made with."""
    options: dict[str, Any] = {"sub_queue": _SUB_QUEUES[address.sub_queue]}
    if source is not None:
        options["client_identifier"] = source.identifier
        options["socket_timeout"] = source.retries.socket_timeout
    return {name: value for name, value in options.items() if value is not None}


def open_receiver(
    client: ServiceBusClient, entity: str, source: ServiceBusSource | None = None
) -> ServiceBusReceiver:
    """Return a peek-lock receiver of an entity without sessions.  It connects when first used.

    Args:
        client: Of the namespace.
        entity: Queue, subscription or sub-queue.
        source: With how the receiver calls itself and waits for its socket, if that matters.
    """
    address = Address.parse(entity)
    return _receiver(client, address, receiver_options(source, address))


def open_session(
    client: ServiceBusClient, entity: str, source: ServiceBusSource, wait: float
) -> ServiceBusReceiver:
    """Return a receiver of the next session that is free.

    Args:
        client: Of the namespace.
        entity: Queue or subscription that requires sessions.
        source: The settings.
        wait: Seconds until opening it raises ``OperationTimeoutError``, if no session is free.
    """
    address = Address.parse(entity)
    options = {"session_id": NEXT_AVAILABLE_SESSION, "max_wait_time": wait}
    return _receiver(client, address, receiver_options(source, address) | options)


def _receiver(client: ServiceBusClient, address: Address, options: dict[str, Any]) -> ServiceBusReceiver:
    if address.subscription is not None:
        return client.get_subscription_receiver(address.name, address.subscription, **options)
    return client.get_queue_receiver(address.name, **options)
