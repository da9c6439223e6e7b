"""Looking through all messages of an entity without taking any."""

from collections.abc import Generator
from typing import Final

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusMessageState

from ..model.envelope import Envelope
from .config import ServiceBusSource
from .connect import explain, open_client, open_receiver
from .convert import from_message, now_us

_PAGE: Final = 250
"""Messages asked for at once; the broker gives fewer of large ones."""


def browse(
    source: ServiceBusSource, entity: str, first: int = 1, *, deferred: bool | None = None
) -> Generator[Envelope]:
    """Yield the messages of an entity by their numbers, none locked, none counted as delivered.

    Messages that others hold are among them.  Memory is that of a page.

    Args:
        source: The namespace.
        entity: Queue or subscription, with ``/$DeadLetterQueue`` for its dead letters.
        first: The lowest sequence number.
        deferred: Only those that are set aside under their numbers, or only those that are not.

    Raises:
        ServiceUnreachable: Service Bus or the entity cannot be reached.
        NotPermitted: The credential may not listen.
    """
    for envelope, state in _browse(source, entity, first):
        if deferred in {None, state is ServiceBusMessageState.DEFERRED}:
            yield envelope


def _browse(
    source: ServiceBusSource, entity: str, first: int
) -> Generator[tuple[Envelope, ServiceBusMessageState]]:
    number = first
    try:
        with open_client(source) as client, open_receiver(client, entity, source) as receiver:
            while page := receiver.peek_messages(_PAGE, sequence_number=number):
                now = now_us()
                for message in page:
                    envelope = from_message(message, entity, now).envelope
                    number = envelope.sequence_number + 1
                    yield envelope, message.state
    except (AzureError, OSError) as error:
        raise explain(error, source, entity) from error
