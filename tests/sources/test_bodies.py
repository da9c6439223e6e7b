"""Bodies in each section AMQP has, sent and received with the SDK, as text, bytes and otherwise."""

from collections.abc import Callable
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient
from azure.servicebus.amqp import AmqpAnnotatedMessage

from cdsbridge.sources import ServiceBusSource
from cdsbridge.sources.convert import from_message, from_transfer, leave_transfers_unbuilt, plain_body
from cdsbridge.sources.peek import peek

BODY = b'{"MessageName":"\xc3\x84"}'
SENT: list[tuple[dict[str, Any], bytes]] = [
    ({"data_body": BODY}, BODY),
    ({"data_body": [BODY[:5], BODY[5:]]}, BODY),
    ({"value_body": BODY}, BODY),
    ({"value_body": BODY.decode()}, BODY),
    ({"sequence_body": [BODY[:5], BODY[5:]]}, BODY),
    ({"sequence_body": [BODY.decode()[:5], BODY[5:]]}, BODY),
    ({"value_body": {"a": [1, b"\xff"]}}, b'{"a":[1,"\\\\xff"]}'),
    ({"value_body": 17}, b"17"),
]


@pytest.mark.parametrize("unbuilt", [True, False])
@pytest.mark.parametrize(("body", "expected"), SENT)
def test_a_body_is_the_same_bytes_in_whatever_section_it_comes(
    client: ServiceBusClient,
    make_queue: Callable[..., str],
    body: dict[str, Any],
    expected: bytes,
    unbuilt: bool,
) -> None:
    queue = make_queue()
    with client.get_queue_sender(queue) as sender:
        sender.send_messages(AmqpAnnotatedMessage(**body))
    with client.get_queue_receiver(queue) as receiver:
        if unbuilt and not leave_transfers_unbuilt(receiver):
            pytest.skip("this SDK hands out no transfers")
        (received,) = receiver.receive_messages(1, max_wait_time=20)
        convert: Callable[..., Any] = from_transfer if unbuilt else from_message
        assert convert(received, queue, 0).envelope.body == expected


def test_a_peeked_message_is_left_where_it_is(
    client: ServiceBusClient, make_queue: Callable[..., str], source_of: Callable[..., ServiceBusSource]
) -> None:
    queue = make_queue()
    with client.get_queue_sender(queue) as sender:
        sender.send_messages([AmqpAnnotatedMessage(data_body=b"one"), AmqpAnnotatedMessage(value_body="two")])
    first = peek(source_of(queue), queue)
    second = peek(source_of(queue), queue, first.sequence_number + 1)
    assert (first.body, second.body) == (b"one", b"two")
    assert first.lock_token is None
    assert peek(source_of(queue), queue).delivery_count == 0


def test_an_empty_body_is_no_bytes() -> None:
    assert plain_body(None) == plain_body([]) == plain_body("") == b""
