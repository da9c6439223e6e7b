"""Asynchronous clients and receivers of the official SDK."""

import asyncio
from typing import Any, Self

from azure.core.credentials import AccessToken as Token
from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential, TokenCredential
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

from .address import Address
from .config import ServiceBusSource
from .connect import client_options, credential_of, receiver_options


class _InAThread:
    """A synchronous credential, for an asynchronous client; it asks for a token once an hour."""

    def __init__(self, credential: TokenCredential) -> None:
        self._credential = credential

    async def get_token(self, *scopes: str, **options: Any) -> Token:
        return await asyncio.to_thread(self._credential.get_token, *scopes, **options)

    async def close(self) -> None:
        close = getattr(self._credential, "close", None)
        if close is not None:
            close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()


def open_client(source: ServiceBusSource) -> ServiceBusClient:
    """Return an asynchronous client of the source's namespace.  It connects when first used."""
    options = client_options(source, websocket_package="aiohttp")
    if source.connection_string is not None:
        return ServiceBusClient.from_connection_string(source.connection_string.get_secret_value(), **options)
    credential = credential_of(source)
    if isinstance(credential, AzureNamedKeyCredential | AzureSasCredential):
        return ServiceBusClient(source.namespace or "", credential, **options)
    return ServiceBusClient(source.namespace or "", _InAThread(credential), **options)


def open_receiver(client: ServiceBusClient, entity: str, source: ServiceBusSource) -> ServiceBusReceiver:
    """Return an asynchronous peek-lock receiver of an entity.  It connects when first used."""
    address = Address.parse(entity)
    options = receiver_options(source, address)
    if address.subscription is not None:
        return client.get_subscription_receiver(address.name, address.subscription, **options)
    return client.get_queue_receiver(address.name, **options)
