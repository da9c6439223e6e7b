"""Settling and renewing, over the link and over the management node."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiver,
    ServiceBusSender,
)
from azure.servicebus.exceptions import MessageLockLostError, MessageNotFoundError, ServiceBusError

Depth = Callable[..., dict[str, int]]
PassTime = Callable[[float], None]


def _tokens(*messages: ServiceBusReceivedMessage) -> Any:
    return [message.lock_token for message in messages]


@pytest.fixture
def send(orders_sender: ServiceBusSender) -> Callable[..., None]:
    def send(*bodies: str) -> None:
        orders_sender.send_messages([ServiceBusMessage(body) for body in bodies])

    return send


def test_a_completed_message_is_gone(
    send: Callable[..., None], orders_receiver: ServiceBusReceiver, depth: Depth
) -> None:
    send("x")
    (message,) = orders_receiver.receive_messages(1, 5)
    assert depth() == {"locked": 1}
    orders_receiver.complete_message(message)
    orders_receiver.peek_messages(1, sequence_number=1)
    assert depth() == {}


def test_an_abandoned_message_comes_back_to_its_place_with_a_higher_count(
    send: Callable[..., None], orders_receiver: ServiceBusReceiver
) -> None:
    send("a", "b")
    first, second = orders_receiver.receive_messages(2, 5)
    orders_receiver.abandon_message(second)
    orders_receiver.abandon_message(first)
    again = orders_receiver.receive_messages(2, 5)
    assert [(str(message), message.delivery_count) for message in again] == [("a", 1), ("b", 1)]
    assert [message.sequence_number for message in again] == [first.sequence_number, second.sequence_number]


def test_a_message_abandoned_too_often_is_dead_lettered(
    send: Callable[..., None], orders_receiver: ServiceBusReceiver, dead_receiver: ServiceBusReceiver
) -> None:
    send("x")
    for _ in range(3):
        (message,) = orders_receiver.receive_messages(1, 5)
        orders_receiver.abandon_message(message)
    (dead,) = dead_receiver.receive_messages(1, 5)
    assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"
    assert dead.dead_letter_error_description == "Message could not be consumed after 3 delivery attempts."


def test_a_dead_lettered_message_keeps_its_reason_and_its_own_properties(
    orders_sender: ServiceBusSender, orders_receiver: ServiceBusReceiver, dead_receiver: ServiceBusReceiver
) -> None:
    orders_sender.send_messages(ServiceBusMessage("x", message_id="m", application_properties={"a": "b"}))
    (message,) = orders_receiver.receive_messages(1, 5)
    orders_receiver.dead_letter_message(message, reason="bad_json", error_description="It ends too early.")
    (dead,) = dead_receiver.receive_messages(1, 5)
    assert (dead.message_id, str(dead)) == ("m", "x")
    assert (dead.dead_letter_reason, dead.dead_letter_error_description) == ("bad_json", "It ends too early.")
    assert (dead.application_properties or {})[b"a"] == b"b"
    dead_receiver.complete_message(dead)


def test_a_deferred_message_is_received_by_its_number_only(
    send: Callable[..., None], orders_receiver: ServiceBusReceiver, depth: Depth, confirmed: None
) -> None:
    send("x")
    (message,) = orders_receiver.receive_messages(1, 5)
    orders_receiver.defer_message(message)
    assert depth() == {"deferred": 1}
    number = message.sequence_number or 0
    (deferred,) = orders_receiver.receive_deferred_messages([number])
    assert (str(deferred), deferred.delivery_count) == ("x", 1)
    orders_receiver.complete_message(deferred)
    assert depth() == {}
    with pytest.raises(MessageNotFoundError):
        orders_receiver.receive_deferred_messages([number])


def test_a_lock_that_lapsed_cannot_be_settled_and_the_message_comes_again(
    send: Callable[..., None],
    orders_receiver: ServiceBusReceiver,
    depth: Depth,
    pass_time: PassTime,
    confirmed: None,
) -> None:
    send("x")
    (message,) = orders_receiver.receive_messages(1, 5)
    pass_time(61)
    with pytest.raises(MessageLockLostError):
        orders_receiver.complete_message(message)
    assert depth() == {"active": 1}
    (again,) = orders_receiver.receive_messages(1, 5)
    assert (again.sequence_number, again.delivery_count) == (message.sequence_number, 1)
    assert again.lock_token != message.lock_token


def test_a_renewed_lock_holds_from_now(
    send: Callable[..., None], orders_receiver: ServiceBusReceiver, depth: Depth, pass_time: PassTime
) -> None:
    send("x")
    (message,) = orders_receiver.receive_messages(1, 5)
    before = message.locked_until_utc
    assert before is not None
    pass_time(50)
    until = orders_receiver.renew_message_lock(message)
    assert abs(until - before - timedelta(seconds=50)) < timedelta(milliseconds=2)
    pass_time(50)
    assert depth() == {"locked": 1}
    orders_receiver.complete_message(message)


def test_many_locks_are_renewed_in_one_request(
    send: Callable[..., None], orders_receiver: ServiceBusReceiver, depth: Depth, pass_time: PassTime
) -> None:
    send(*"abcdefgh")
    messages = orders_receiver.receive_messages(8, 5)
    pass_time(50)
    response = orders_receiver._renew_locks(*_tokens(*messages))
    assert len(response[b"expirations"]) == 8
    pass_time(50)
    assert depth() == {"locked": 8}


@pytest.mark.parametrize(
    ("status", "left"),
    [
        ("completed", {}),
        ("abandoned", {"active": 3}),
        ("defered", {"deferred": 3}),
        ("suspended", {"dead_lettered": 3}),
    ],
)
def test_many_messages_are_settled_in_one_request(
    status: str,
    left: dict[str, int],
    send: Callable[..., None],
    orders_receiver: ServiceBusReceiver,
    depth: Depth,
) -> None:
    send("a", "b", "c")
    messages = orders_receiver.receive_messages(3, 5)
    orders_receiver._settle_message_via_mgmt_link(status, _tokens(*messages))
    assert depth() == left


def test_one_lost_lock_refuses_the_whole_request(
    send: Callable[..., None], orders_receiver: ServiceBusReceiver, depth: Depth, pass_time: PassTime
) -> None:
    send("a")
    (late,) = orders_receiver.receive_messages(1, 5)
    pass_time(61)
    send("b", "c")
    messages = orders_receiver.receive_messages(3, 5)
    tokens = _tokens(*messages)
    with pytest.raises(MessageLockLostError):
        orders_receiver._settle_message_via_mgmt_link("completed", [*tokens, *_tokens(late)])
    with pytest.raises(MessageLockLostError):
        orders_receiver._renew_locks(*tokens, *_tokens(late))
    assert depth() == {"locked": 3}
    orders_receiver._settle_message_via_mgmt_link("completed", tokens)
    assert depth() == {}


def test_dead_lettering_by_token_carries_the_reason(
    send: Callable[..., None], orders_receiver: ServiceBusReceiver, dead_receiver: ServiceBusReceiver
) -> None:
    send("x")
    (message,) = orders_receiver.receive_messages(1, 5)
    orders_receiver._settle_message_via_mgmt_link(
        "suspended",
        _tokens(message),
        {"deadletter-reason": "why", "deadletter-description": "because"},
    )
    (dead,) = dead_receiver.receive_messages(1, 5)
    assert (dead.dead_letter_reason, dead.dead_letter_error_description) == ("why", "because")


def test_settling_by_token_may_set_properties(
    orders_sender: ServiceBusSender, orders_receiver: ServiceBusReceiver, dead_receiver: ServiceBusReceiver
) -> None:
    orders_sender.send_messages(ServiceBusMessage("x", application_properties={"kept": "k", "changed": "c"}))
    (message,) = orders_receiver.receive_messages(1, 5)
    for status, changed in (("abandoned", 1), ("defered", 2), ("suspended", 3)):
        details = {"properties-to-modify": {"changed": changed, status: True}}
        orders_receiver._settle_message_via_mgmt_link(status, _tokens(message), details)
        if status == "abandoned":
            (message,) = orders_receiver.receive_messages(1, 5)
        elif status == "defered":
            (message,) = orders_receiver.receive_deferred_messages([message.sequence_number or 0])
    (dead,) = dead_receiver.receive_messages(1, 5)
    assert dead.application_properties == {
        b"kept": b"k",
        b"changed": 3,
        b"abandoned": True,
        b"defered": True,
        b"suspended": True,
    }


def test_a_range_of_deliveries_is_settled_with_one_frame(
    send: Callable[..., None], orders_receiver: ServiceBusReceiver, depth: Depth, confirmed: None
) -> None:
    send(*"abcdefgh")
    messages = orders_receiver.receive_messages(8, 5)
    numbers = [message._delivery_id for message in messages]
    handler: Any = orders_receiver._handler
    tag = next(iter(handler._link._received_delivery_tags))
    handler.settle_messages((numbers[0], numbers[-1]), tag, "accepted", await_outcome=True)
    assert depth() == {}


def test_messages_of_every_kind_are_peeked_without_a_lock(
    send: Callable[..., None], orders_receiver: ServiceBusReceiver, depth: Depth
) -> None:
    send("a", "b", "c")
    deferred, _ = orders_receiver.receive_messages(2, 5)
    orders_receiver._settle_message_via_mgmt_link("defered", _tokens(deferred))
    peeked = orders_receiver.peek_messages(10, sequence_number=1)
    assert [(str(message), message.state) for message in peeked] == [("a", 1), ("b", 0), ("c", 0)]
    assert depth() == {"active": 1, "locked": 1, "deferred": 1}
    later = orders_receiver.peek_messages(1, sequence_number=peeked[1].sequence_number or 0)
    assert [str(message) for message in later] == ["b"]
    assert orders_receiver.peek_messages(5, sequence_number=10**9) == []


def test_another_receiver_may_settle_by_token(
    send: Callable[..., None], orders_receiver: ServiceBusReceiver, client: ServiceBusClient, depth: Depth
) -> None:
    send("x")
    (message,) = orders_receiver.receive_messages(1, 5)
    with client.get_queue_receiver("orders") as other:
        other._settle_message_via_mgmt_link("completed", _tokens(message))
    assert depth() == {}


def test_an_unknown_operation_or_a_malformed_request_is_refused(orders_receiver: ServiceBusReceiver) -> None:
    def status_of(status: int, *_: object, **__: object) -> int:
        return status

    for operation, body in [
        (b"com.microsoft:unheard-of", {}),
        (b"com.microsoft:renew-lock", {}),
        (b"com.microsoft:renew-lock", {"lock-tokens": ["no token"]}),
        (b"com.microsoft:update-disposition", {"lock-tokens": [], "disposition-status": "completed"}),
        (b"com.microsoft:peek-message", {"from-sequence-number": "one"}),
        (b"com.microsoft:schedule-message", {"messages": [{"message": "text"}]}),
        (b"com.microsoft:cancel-scheduled-message", {"sequence-numbers": ["one"]}),
    ]:
        status: Any = orders_receiver._mgmt_request_response(operation, body, callback=status_of)
        assert status == (501 if b"unheard" in operation else 400)


def test_settling_twice_is_refused(
    send: Callable[..., None], orders_receiver: ServiceBusReceiver, depth: Depth
) -> None:
    send("x")
    (message,) = orders_receiver.receive_messages(1, 5)
    orders_receiver._settle_message_via_mgmt_link("completed", _tokens(message))
    with pytest.raises(ServiceBusError):
        orders_receiver._settle_message_via_mgmt_link("completed", _tokens(message))
    assert depth() == {}
