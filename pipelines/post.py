"""Posting the simulated Dataverse's messages with the official SDK."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from azure.servicebus import ServiceBusMessage, ServiceBusMessageBatch

from ..emulator.dataverse import Encoding, Post, encodings
from ..model.errors import ConfigError
from ..sources.address import Address
from ..sources.config import ServiceBusSource
from ..sources.connect import explain, open_client


def post_all(
    source: ServiceBusSource,
    entity: str,
    posts: Iterable[Post],
    on_sent: Callable[[int], None] = lambda _: None,
) -> int:
    """Send posts in their order, in batches; return how many were sent.

    Args:
        source: The namespace.
        entity: Queue or topic to send to.
        posts: What to send.
        on_sent: Called with the number of messages of each batch the broker has accepted.

    Raises:
        ServiceUnreachable: The broker cannot be reached.
        NotPermitted: The credential may not Send.
    """
    sent = 0

    def flush(batch: ServiceBusMessageBatch) -> ServiceBusMessageBatch:
        nonlocal sent
        count = len(batch)
        if count:
            sender.send_messages(batch)
            sent += count
            on_sent(count)
        return sender.create_message_batch()

    try:
        with open_client(source) as client, client.get_queue_sender(Address.parse(entity).name) as sender:
            batch = sender.create_message_batch()
            for post in posts:
                message = to_message(post)
                if not _add(batch, message):
                    batch = flush(batch)
                    batch.add_message(message)
            flush(batch)
    except Exception as error:
        raise explain(error, source, entity) from error
    return sent


def chosen(names: Sequence[str]) -> tuple[Encoding, ...]:
    """Return the encodings a command was told to post in.

    Raises:
        ConfigError: One is unknown.
    """
    try:
        return encodings(names)
    except ValueError as error:
        raise ConfigError(f"--encoding: {error}") from error


def to_message(post: Post) -> ServiceBusMessage:
    """Return the SDK's message of a post."""
    properties: dict[str | bytes, Any] = dict(post.properties.items())
    return ServiceBusMessage(
        body=post.body,
        content_type=post.content_type,
        message_id=post.message_id,
        correlation_id=post.correlation_id,
        application_properties=properties,
    )


def _add(batch: ServiceBusMessageBatch, message: ServiceBusMessage) -> bool:
    try:
        batch.add_message(message)
    except ValueError:
        return False
    return True
