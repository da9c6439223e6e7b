"""Rules by the management node of a subscription, and what they do to messages of the official client."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from cdsbridge.emulator.amqp.performatives import Disposition, Transfer
from cdsbridge.emulator.amqp.sections import (
    APPLICATION_PROPERTIES,
    PROPERTIES,
    VALUE,
    section,
    section_value,
    split_sections,
)
from cdsbridge.emulator.amqp.types import Described, Int, Value
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.filters.rules import CorrelationFilter, FalseFilter, Rule, SqlAction, SqlFilter
from cdsbridge.emulator.server import RunningBroker

from .conftest import Wire

ADDRESS = "ruled/Subscriptions/s"
Ask = Callable[[str, dict[Value, Value]], tuple[int, str | None, str, Value]]


@pytest.fixture
def ruled(broker: RunningBroker) -> Iterator[None]:
    def create(namespace: Namespace) -> None:
        namespace.create_topic("ruled")
        namespace.create_subscription("ruled", "s")

    broker.call(create)
    yield
    broker.call(lambda namespace: namespace.delete_topic("ruled"))


@pytest.fixture
def ask(ruled: None, wire: Wire) -> Ask:
    """A function that asks the management node of the subscription: status, condition, description, body."""
    node = f"{ADDRESS}/$management"
    wire.begin()
    wire.receive_from(node)
    wire.send_to(node)
    wire.credit(100)
    asked = iter(range(1000))

    def ask(operation: str, body: dict[Value, Value]) -> tuple[int, str | None, str, Value]:
        number = next(asked)
        request = section(PROPERTIES, [number, None, None, None, "me"])
        request += section(APPLICATION_PROPERTIES, {"operation": f"com.microsoft:{operation}"})
        wire.say(Transfer(1, number, number.to_bytes(4, "big"), 0, False), request + section(VALUE, body))
        wire.hear(Disposition)
        wire.hear(Transfer)
        answer = split_sections(wire.payload)
        properties = section_value(answer.application_properties)
        assert isinstance(properties, dict)
        condition = properties.get("errorCondition")
        return (
            int(properties["statusCode"]),
            None if condition is None else str(condition),
            str(properties["statusDescription"]),
            section_value(answer.body),
        )

    return ask


def test_rules_are_added_listed_and_removed(ask: Ask, broker: RunningBroker) -> None:
    sql: dict[Value, Value] = {
        "sql-filter": {"expression": "a = 1"},
        "sql-rule-action": {"expression": "SET b = 2"},
    }
    correlation: dict[Value, Value] = {"correlation-filter": {"label": "l", "properties": {"n": Int(5)}}}
    assert ask("add-rule", {"rule-name": "sql", "rule-description": sql})[0] == 200
    assert ask("add-rule", {"rule-name": "cor", "rule-description": correlation})[0] == 200
    assert ask("remove-rule", {"rule-name": "$Default"})[0] == 200
    broker.call(lambda namespace: namespace.add_rule(ADDRESS, Rule("none", FalseFilter())))
    rules = broker.call(lambda namespace: namespace.subscription(ADDRESS).rules)
    assert [(rule.name, rule.filter, rule.action) for rule in rules] == [
        ("sql", SqlFilter("a = 1"), SqlAction("SET b = 2")),
        ("cor", CorrelationFilter(label="l", properties={"n": 5}), None),
        ("none", FalseFilter(), None),
    ]
    status, _, _, body = ask("enumerate-rules", {"skip": Int(0), "top": Int(100)})
    assert status == 200
    assert isinstance(body, dict)
    found = [entry["rule-description"] for entry in body["rules"]]
    assert [rule.descriptor for rule in found] == [0x13700000004] * 3
    first, second, third = (rule.value for rule in found)
    assert first[:3] == [
        Described(0x1370000006, ["a = 1", 20]),
        Described(0x13700000006, ["SET b = 2"]),
        "sql",
    ]
    assert second[:3] == [
        Described(0x1370000009, [None, None, None, None, "l", None, None, None, {"n": 5}]),
        Described(0x13700000005, []),
        "cor",
    ]
    assert third[0] == Described(0x1370000008, [])
    page = ask("enumerate-rules", {"skip": Int(1), "top": Int(1)})[3]
    assert isinstance(page, dict)
    assert [entry["rule-description"].value[2] for entry in page["rules"]] == ["cor"]
    assert ask("enumerate-rules", {"skip": Int(3), "top": Int(9)})[0] == 204


@pytest.mark.parametrize(
    ("operation", "body", "status", "condition", "sentence"),
    [
        (
            "add-rule",
            {"rule-name": "$default", "rule-description": {"true-filter": {}}},
            409,
            "entity-already-exists",
            "already",
        ),
        ("add-rule", {"rule-name": "r", "rule-description": {}}, 400, "argument-error", "neither"),
        (
            "add-rule",
            {"rule-name": "r", "rule-description": {"sql-filter": {"expression": "a = "}}},
            400,
            "argument-error",
            "At character 5",
        ),
        (
            "add-rule",
            {"rule-name": "r", "rule-description": {"correlation-filter": {}}},
            400,
            "argument-error",
            "at least one",
        ),
        ("add-rule", {"rule-description": {}}, 400, "argument-error", "rule-name"),
        ("remove-rule", {"rule-name": "r"}, 404, "not-found", "no rule 'r'"),
        ("remove-rule", {}, 400, "argument-error", "rule-name"),
        ("enumerate-rules", {"skip": Int(0)}, 400, "argument-error", "top"),
    ],
)
def test_what_is_no_rule_is_refused(
    ask: Ask, operation: str, body: dict[Value, Value], status: int, condition: str, sentence: str
) -> None:
    answered, given, description, _ = ask(operation, body)
    assert (answered, (given or "").partition(":")[2]) == (status, condition)
    assert sentence in description


def test_a_message_of_the_client_is_filtered_and_annotated(
    bus: RunningBroker, client: ServiceBusClient
) -> None:
    def create(namespace: Namespace) -> None:
        namespace.create_topic("filtered")
        rule = Rule(
            "red",
            SqlFilter(
                "color = 'red' AND quantity >= 5 AND sys.Label LIKE 'order%' AND rush = TRUE AND due > @d",
                {"@d": datetime(2020, 1, 1, tzinfo=UTC)},
            ),
            SqlAction(
                "SET quantity = quantity / 2; SET sys.CorrelationId = 'c-' + sys.MessageId; REMOVE color"
            ),
        )
        namespace.create_subscription("filtered", "s", rule=rule)

    bus.call(create)
    variants: list[dict[str | bytes, Any]] = [{}, {"color": "blue"}, {"quantity": 4}, {"rush": False}]
    properties: dict[str | bytes, Any] = {
        "color": "red",
        "quantity": 5,
        "rush": True,
        "price": 1.5,
        "due": datetime(2021, 1, 1, tzinfo=UTC),
    }
    with (
        client.get_topic_sender("filtered") as sender,
        client.get_subscription_receiver("filtered", "s") as receiver,
    ):
        for changed in variants:
            sent = ServiceBusMessage(
                "x", message_id="m", subject="order 1", application_properties=properties | changed
            )
            sender.send_messages(sent)
        (message,) = receiver.receive_messages(5, 5)
        assert message.application_properties == {
            b"quantity": 2,
            b"rush": True,
            b"price": 1.5,
            b"due": 1609459200000,
            b"RuleName": b"red",
        }
        assert (message.correlation_id, message.subject, str(message)) == ("c-m", "order 1", "x")
        receiver.complete_message(message)
    bus.call(lambda namespace: namespace.delete_topic("filtered"))
