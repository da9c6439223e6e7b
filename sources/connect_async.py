"""Asynchronous clients and receivers of the official SDK."""

from azure.identity.aio import DefaultAzureCredential
from azure.servicebus import ServiceBusSubQueue, TransportType
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

from .address import Address
from .config import ServiceBusSource
from .connect import RETRIES


def open_client(source: ServiceBusSource) -> ServiceBusClient:
    """Return an asynchronous client of the source's namespace.  It connects when first used."""
    transport = TransportType.AmqpOverWebsocket if source.transport == "websockets" else TransportType.Amqp
    if source.connection_string is None:
        credential = DefaultAzureCredential(managed_identity_client_id=source.client_id)
        return ServiceBusClient(
            source.namespace or "", credential, transport_type=transport, retry_total=RETRIES
        )
    return ServiceBusClient.from_connection_string(
        source.connection_string.get_secret_value(), transport_type=transport, retry_total=RETRIES
    )


def open_receiver(client: ServiceBusClient, entity: str) -> ServiceBusReceiver:
    """Return an asynchronous peek-lock receiver of an entity.  It connects when first used."""
    address = Address.parse(entity)
    sub_queue = ServiceBusSubQueue.DEAD_LETTER if address.dead_letters else None
    if address.subscription is not None:
        return client.get_subscription_receiver(address.name, address.subscription, sub_queue=sub_queue)
    return client.get_queue_receiver(address.name, sub_queue=sub_queue)
