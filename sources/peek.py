"""Looking at messages without taking them."""

from azure.core.exceptions import AzureError

from ..model.envelope import Envelope
from ..model.errors import ConfigError
from .config import ServiceBusSource
from .connect import explain, open_client, open_receiver
from .convert import from_message, now_us


def peek(source: ServiceBusSource, entity: str, sequence_number: int = 0) -> Envelope:
    """Return a message as it lies in an entity; it is neither locked nor counted.

    Args:
        source: The namespace.
        entity: Queue or subscription, with ``/$DeadLetterQueue`` for its dead letters.
        sequence_number: The first message with this number or a higher one.

    Raises:
        ConfigError: There is no such message.
        ServiceUnreachable: Service Bus cannot be reached.
        NotPermitted: The credential may not listen.
    """
    try:
        with open_client(source) as client, open_receiver(client, entity, source) as receiver:
            found = receiver.peek_messages(max_message_count=1, sequence_number=sequence_number)
    except (AzureError, OSError) as error:
        raise explain(error, source, entity) from error
    if not found:
        beyond = f" with the number {sequence_number} or a higher one" if sequence_number else ""
        raise ConfigError(f"{entity!r} holds no message{beyond}")
    return from_message(found[0], entity, now_us()).envelope
