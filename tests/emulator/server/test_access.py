"""Policies, their rights and their tokens, as the official client and a client made of frames meet them."""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote_plus

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusAuthenticationError, ServiceBusAuthorizationError

from cdsbridge.emulator.amqp.performatives import Detach, Transfer
from cdsbridge.emulator.amqp.sections import (
    APPLICATION_PROPERTIES,
    PROPERTIES,
    VALUE,
    section,
    section_value,
    split_sections,
)
from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.server import Policy, Right, RunningBroker, run_in_thread
from cdsbridge.emulator.server.access import Access

LISTEN = Policy("listen", "listen key", frozenset({Right.LISTEN}))
SEND = Policy("send", "send key", frozenset({Right.SEND}))
ORDERS = Policy("orders", "orders key", entity="Orders")
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.c2ln"


@pytest.fixture(scope="module")
def now() -> ManualClock:
    return ManualClock(time.time())


@pytest.fixture(scope="module")
def guarded(now: ManualClock) -> Iterator[RunningBroker]:
    namespace = Namespace(now)
    namespace.create_queue("orders")
    namespace.create_queue("notes")
    with run_in_thread(namespace, clock=now, key="root key", policies=(LISTEN, SEND, ORDERS)) as running:
        yield running


def signature(
    key: str, name: str, *, audience: str = "sb://localhost/orders", expires: float = 9e9, sign: str = ""
) -> str:
    """A shared access signature, as the documentation makes it."""
    resource, expiry = quote_plus(audience), str(int(expires))
    digest = hmac.new(key.encode(), f"{sign or resource}\n{expiry}".encode(), hashlib.sha256).digest()
    sig = quote_plus(base64.b64encode(digest))
    return f"SharedAccessSignature sr={resource}&sig={sig}&se={expiry}&skn={name}"


@pytest.fixture
def put(guarded: RunningBroker, connect: Callable[[int], Any]) -> Callable[..., Any]:
    """A function that connects, puts tokens, and insists on the status of each."""

    def put(*tokens: str, status: int = 202) -> Any:
        wire = connect(guarded.port)
        wire.begin()
        wire.receive_from("$cbs", 10)
        wire.send_to("$cbs", 11)
        wire.credit(9, handle=10)
        for number, token in enumerate(tokens):
            put_more(wire, token, number, status)
        return wire

    return put


def put_more(wire: Any, token: str, number: int, status: int = 202, name: str = "") -> None:
    asked = {"operation": "put-token", "name": name}
    request = section(PROPERTIES, ["id"]) + section(APPLICATION_PROPERTIES, dict(asked))
    wire.say(Transfer(11, number, b"t", 0, True), request + section(VALUE, token))
    wire.hear(Transfer)
    properties = section_value(split_sections(wire.payload).application_properties)
    assert isinstance(properties, dict)
    assert properties["status-code"] == status, properties


def client_of(broker: RunningBroker, policy: Policy) -> ServiceBusClient:
    return ServiceBusClient.from_connection_string(broker.add_policy(policy), retry_total=0)


def test_a_policy_allows_its_rights_and_no_more(guarded: RunningBroker) -> None:
    with client_of(guarded, SEND) as client:
        with client.get_queue_sender("orders") as sender:
            sender.send_messages(ServiceBusMessage("x"))
        with pytest.raises(ServiceBusAuthorizationError):
            client.get_queue_receiver("orders").receive_messages(1, 1)
    with client_of(guarded, LISTEN) as client:
        with client.get_queue_receiver("orders") as receiver:
            assert [str(message) for message in receiver.receive_messages(1, 5)] == ["x"]
        with pytest.raises(ServiceBusAuthorizationError):
            client.get_queue_sender("orders").send_messages(ServiceBusMessage("x"))


def test_a_policy_of_an_entity_holds_there_and_below(guarded: RunningBroker) -> None:
    with client_of(guarded, ORDERS) as client:
        with client.get_queue_receiver("orders", sub_queue="deadletter") as receiver:
            assert receiver.peek_messages(1) == []
        with pytest.raises(ServiceBusAuthenticationError):
            client.get_queue_receiver("notes").receive_messages(1, 1)


@pytest.mark.parametrize(
    "token",
    [
        signature("another key", "listen"),
        signature("listen key", "send"),
        signature("listen key", "nobody"),
        signature("listen key", "listen", expires=1.0),
        signature("listen key", "listen", sign="something else"),
        signature("orders key", "orders", audience="sb://localhost/notes"),
        signature("orders key", "orders", audience="sb://localhost/"),
        "SharedAccessSignature sr=a",
        "no token",
        "",
    ],
)
def test_a_token_that_is_not_good_is_refused(put: Callable[..., Any], token: str) -> None:
    put(token, status=401)


@pytest.mark.parametrize(
    ("audience", "address", "allowed"),
    [
        ("sb://localhost/orders", "orders", True),
        ("http://localhost:5672/Orders/", "ORDERS", True),
        ("sb://localhost/orders", "orders/$DeadLetterQueue", True),
        ("sb://localhost/", "notes", True),
        ("sb://localhost/orders", "notes", False),
        ("sb://localhost/order", "orders", False),
    ],
)
def test_a_token_holds_for_its_audience(
    put: Callable[..., Any], audience: str, address: str, allowed: bool
) -> None:
    wire = put(signature("listen key", "listen", audience=audience))
    assert (wire.receive_from(address).source is not None) == allowed


@pytest.mark.parametrize(
    ("policy", "statuses"), [(LISTEN, [204, 401, 204]), (SEND, [401, 404, 401]), (ORDERS, [204, 404, 204])]
)
def test_a_request_needs_the_right_for_what_it_asks(
    put: Callable[..., Any], policy: Policy, statuses: list[int]
) -> None:
    wire = put(signature(policy.key, policy.name))
    wire.receive_from("orders/$management", 20)
    wire.send_to("orders/$management", 21)
    wire.credit(9, handle=20)
    peek = "com.microsoft:peek-message", {"from-sequence-number": 10**6, "message-count": 1}
    cancel = "com.microsoft:cancel-scheduled-message", {"sequence-numbers": [1]}
    for number, (operation, body) in enumerate((peek, cancel, peek), 10):
        request = section(PROPERTIES, ["id"]) + section(APPLICATION_PROPERTIES, {"operation": operation})
        wire.say(Transfer(21, number, b"t", 0, True), request + section(VALUE, body))
        wire.hear(Transfer)
        properties = section_value(split_sections(wire.payload).application_properties)
        assert isinstance(properties, dict)
        assert properties["statusCode"] == statuses[number - 10]


def test_tokens_add_up(put: Callable[..., Any]) -> None:
    wire = put(signature("listen key", "listen"), signature("send key", "send"))
    assert wire.receive_from("orders").source is not None
    assert wire.send_to("orders").target is not None


def test_an_expired_token_detaches_its_links_unless_it_was_renewed(
    guarded: RunningBroker, put: Callable[..., Any], now: ManualClock
) -> None:
    wire = put(signature("listen key", "listen", expires=now() + 100))
    wire.receive_from("orders")
    guarded.call(lambda _: now.advance(90))
    put_more(wire, signature("listen key", "listen", expires=now() + 100), 1)
    guarded.call(lambda _: now.advance(90))
    assert wire.receive_from("orders", 3).source is not None
    guarded.call(lambda _: now.advance(11))
    for _ in range(2):
        error = wire.hear(Detach).error
        assert error is not None
        assert error.condition == "amqp:unauthorized-access"
    assert wire.receive_from("orders", 4).source is None


def test_a_token_of_entra_is_taken_unread(put: Callable[..., Any]) -> None:
    wire = put(JWT)
    assert wire.receive_from("notes").source is not None
    assert wire.send_to("notes").target is not None


def test_a_token_of_entra_is_refused_for_an_entity_that_is_not_there(put: Callable[..., Any]) -> None:
    wire = put()
    put_more(wire, JWT, 0, 404, "sb://localhost/nowhere")
    put_more(wire, JWT, 1, 202, "sb://localhost/Orders/$DeadLetterQueue")
    put_more(wire, JWT, 2, 202, "sb://localhost/")


def test_tokens_that_are_no_signatures_are_taken_as_told() -> None:
    def takes(others: Any) -> list[bool]:
        access = Access(time.time, [LISTEN], others)
        return [access.permits(header, Right.MANAGE, "q") for header in (f"Bearer {JWT}", JWT, "Bearer text")]

    assert takes("jwt") == [True, True, False]
    assert takes("any") == [True, True, True]
    assert takes("none") == [False, False, False]


def test_what_a_request_over_http_may_do_is_told_by_its_header() -> None:
    access = Access(lambda: 1000.0, [LISTEN, ORDERS])
    listen, orders = signature("listen key", "listen"), signature("orders key", "orders")
    assert access.permits(listen, Right.LISTEN, "Orders/Subscriptions/x")
    assert not access.permits(listen, Right.SEND, "orders")
    assert access.permits(orders, Right.MANAGE, "orders")
    assert not access.permits(orders, Right.MANAGE, "notes")
    assert not access.permits("", Right.LISTEN, "orders")
    assert Access(time.time).permits("", Right.MANAGE, "orders")


def test_no_key_is_ever_shown() -> None:
    assert "listen key" not in repr(LISTEN)
