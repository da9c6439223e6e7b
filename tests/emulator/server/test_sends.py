"""Sent messages and requests on the wire, seen by a client that shows every frame."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from cdsbridge.emulator.amqp.endpoints import Accepted
from cdsbridge.emulator.amqp.performatives import (
    Disposition,
    Flow,
    Transfer,
)
from cdsbridge.emulator.amqp.sections import (
    APPLICATION_PROPERTIES,
    DATA,
    DELIVERY_ANNOTATIONS,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    VALUE,
    list_fields,
    section,
    section_value,
    split_sections,
)
from cdsbridge.emulator.amqp.types import UUID_ARRAY, Array, ULong, Value
from cdsbridge.emulator.server import RunningBroker


def test_a_message_without_an_id_is_given_one(wire: Any, queue: str) -> None:
    wire.begin()
    wire.send_to(queue)
    wire.say(Transfer(1, 0, b"t", 0, False), section(PROPERTIES, [None, b"user"]) + section(DATA, b""))
    assert wire.hear(Disposition) == Disposition(True, 0, 0, True, Accepted())
    wire.receive_from(queue)
    wire.credit(1)
    wire.transfers(1)
    message_id, user = list_fields(split_sections(wire.payload).properties, (0, 1))
    assert isinstance(message_id, str)
    assert message_id
    assert user == b"user"


@pytest.mark.parametrize(
    "junk",
    [
        b"junk",
        section(MESSAGE_ANNOTATIONS, "no map") + section(DATA, b""),
        section(DELIVERY_ANNOTATIONS, ["x-opt-no-map"]) + section(DATA, b""),
    ],
)
def test_a_message_that_is_not_amqp_is_rejected_and_the_next_one_taken(
    wire: Any, queue: str, depth_of: Callable[[], dict[str, int]], junk: bytes
) -> None:
    wire.begin()
    wire.send_to(queue)
    wire.say(Transfer(1, 0, b"t", 0, False), junk)
    assert wire.hear(Disposition).state.error.condition == "amqp:decode-error"
    wire.say(Transfer(1, 1, b"t", 0, False), section(DATA, b"fine"))
    assert wire.hear(Disposition).state == Accepted()
    assert depth_of() == {"active": 1}


def test_a_message_of_many_frames_is_put_together_and_an_aborted_one_dropped(
    broker: RunningBroker, wire: Any, queue: str
) -> None:
    wire.begin()
    wire.send_to(queue)
    message = section(DATA, bytes(1000))
    wire.say(Transfer(1, 0, b"t", 0, False, more=True), message[:300])
    wire.say(Transfer(1, more=True, aborted=True))
    wire.say(Transfer(1, 1, b"t", 0, False, more=True), message[:300])
    wire.say(Transfer(1, more=True), message[300:900])
    wire.say(Transfer(1), message[900:])
    assert wire.hear(Disposition) == Disposition(True, 1, 1, True, Accepted())
    (stored,) = broker.call(lambda namespace: namespace.queue("q").peek(0, 10))
    assert stored.content.body == message


def test_credit_is_granted_again_before_it_runs_out(wire: Any, queue: str) -> None:
    wire.begin()
    wire.send_to(queue)
    for number in range(500):
        wire.say(Transfer(1, number, b"t", 0, True), section(DATA, b""))
    flow = wire.hear(Flow)
    assert (flow.handle, flow.delivery_count, flow.link_credit) == (1, 500, 1000)


@pytest.mark.parametrize("message_id", ["text", ULong(7), b"raw"])
def test_a_response_comes_after_the_request_is_settled_with_the_id_in_its_type(
    message_id: Value, wire: Any, queue: str
) -> None:
    wire.begin()
    wire.receive_from(f"{queue}/$management", 0)
    wire.send_to(f"{queue}/$management", 1)
    wire.credit(1)
    request = section(PROPERTIES, [message_id, None, None, None, "me"]) + section(
        APPLICATION_PROPERTIES, {"operation": "com.microsoft:peek-message"}
    )
    body: Value = {"from-sequence-number": 0, "message-count": 1}
    wire.say(Transfer(1, 0, b"t", 0, False), request + section(VALUE, body))
    assert wire.hear(Disposition).state == Accepted()
    assert wire.hear(Transfer).settled is True
    parts = split_sections(wire.payload)
    (correlation,) = list_fields(parts.properties, (5,))
    assert correlation == message_id
    assert type(correlation) is type(message_id)
    assert section_value(parts.application_properties) == {
        "statusCode": 204,
        "statusDescription": "No content",
    }


def test_responses_wait_for_credit(wire: Any, queue: str) -> None:
    wire.begin()
    wire.receive_from("$cbs", 0)
    wire.send_to("$cbs", 1)
    request = section(PROPERTIES, ["id"]) + section(APPLICATION_PROPERTIES, {"operation": "put-token"})
    wire.say(Transfer(1, 0, b"t", 0, False), request + section(VALUE, "token"))
    wire.hear(Disposition)
    wire.credit(1)
    wire.hear(Transfer)
    answer = section_value(split_sections(wire.payload).application_properties)
    assert answer == {"status-code": 202, "status-description": "Accepted"}


def test_a_link_forgets_deliveries_that_were_settled_by_token(
    broker: RunningBroker, wire: Any, fill: Callable[..., None]
) -> None:
    fill(3)
    wire.begin()
    wire.receive_from("q", 0)
    wire.credit(3)
    tokens = tuple(UUID(bytes_le=transfer.delivery_tag) for transfer in wire.transfers(3))
    wire.receive_from("q/$management", 2)
    wire.send_to("q/$management", 1)
    wire.credit(1, seen=0, handle=2)
    request = section(PROPERTIES, ["id"]) + section(
        APPLICATION_PROPERTIES, {"operation": "com.microsoft:update-disposition"}
    )
    body: Value = {"disposition-status": "completed", "lock-tokens": Array(UUID_ARRAY, tokens[:2])}
    wire.say(Transfer(1, 0, b"t", 0, True), request + section(VALUE, body))
    wire.hear(Transfer)
    ((link,),) = broker._bus._broker.receivers.values()  # type: ignore[union-attr]
    assert list(link._unsettled.values()) == [tokens[2]]
    assert list(link._ids) == [tokens[2]]
