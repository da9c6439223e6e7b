"""The management API through the official administration client, over TLS."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.servicebus
import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.servicebus.management import (
    AuthorizationRule,
    CorrelationRuleFilter,
    FalseRuleFilter,
    ServiceBusAdministrationClient,
    SqlRuleAction,
    SqlRuleFilter,
    TrueRuleFilter,
)

from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.server import RunningBroker, run_in_thread

NOW = 1_700_000_000.0


@pytest.fixture(scope="module")
def managed() -> Iterator[RunningBroker]:
    with run_in_thread(Namespace(ManualClock(NOW))) as running:
        yield running


@contextmanager
def trusting(running: RunningBroker, connection_string: str) -> Iterator[ServiceBusAdministrationClient]:
    """A client that trusts the emulator; before 7.15 it has to be told by the environment."""
    certificate = str(running.certificate)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", certificate)
        with ServiceBusAdministrationClient.from_connection_string(
            connection_string, connection_verify=certificate, retry_total=0
        ) as client:
            yield client


@pytest.fixture(scope="module")
def admin(managed: RunningBroker) -> Iterator[ServiceBusAdministrationClient]:
    with trusting(managed, managed.connection_string) as client:
        yield client


@pytest.fixture(autouse=True)
def _emptied(managed: RunningBroker) -> Iterator[None]:
    yield

    def empty(namespace: Namespace) -> None:
        for topic in namespace.topics():
            namespace.delete_topic(topic)
        for queue in namespace.names():
            namespace.delete_queue(queue)

    managed.call(empty)


def test_a_queue_is_created_with_the_defaults_of_the_service(admin: Any, managed: RunningBroker) -> None:
    made = admin.create_queue("Q")
    assert (made.name, made.status) == ("Q", "Active")
    assert made.lock_duration == timedelta(minutes=1)
    assert made.max_delivery_count == 10
    assert made.default_message_time_to_live > timedelta(days=3650)
    assert made.auto_delete_on_idle > timedelta(days=3650)
    assert made.duplicate_detection_history_time_window == timedelta(minutes=10)
    assert (made.requires_session, made.requires_duplicate_detection) == (False, False)
    assert made.dead_lettering_on_message_expiration is False
    assert (made.forward_to, made.forward_dead_lettered_messages_to, made.user_metadata) == (None, None, None)
    assert (made.max_size_in_megabytes, made.enable_batched_operations) == (1024, True)
    assert (made.enable_partitioning, made.enable_express) == (False, False)
    assert made.availability_status == "Available"
    assert managed.call(lambda namespace: namespace.names()) == ["Q"]
    assert admin.get_queue("q").lock_duration == made.lock_duration


def test_every_setting_of_a_queue_is_taken_and_given_back(admin: Any, managed: RunningBroker) -> None:
    admin.create_topic("to")
    settings: dict[str, Any] = {
        "lock_duration": timedelta(seconds=13),
        "max_delivery_count": 14,
        "default_message_time_to_live": timedelta(minutes=11),
        "dead_lettering_on_message_expiration": True,
        "duplicate_detection_history_time_window": timedelta(minutes=12),
        "requires_duplicate_detection": True,
        "requires_session": True,
        "auto_delete_on_idle": timedelta(minutes=10),
        "enable_batched_operations": False,
        "enable_express": True,
        "enable_partitioning": True,
        "max_size_in_megabytes": 3072,
        "user_metadata": "<mine> & yours",
    }
    rule = AuthorizationRule(
        type="SharedAccessAuthorizationRule",
        claim_type="SharedAccessKey",
        claim_value="None",
        rights=["Manage", "Send", "Listen"],
        created_at_utc=datetime(2021, 7, 5, tzinfo=UTC),
        modified_at_utc=datetime(2021, 7, 5, tzinfo=UTC),
        key_name="testSharedAccessKey",
        primary_key="primary",
        secondary_key="secondary",
    )
    admin.create_queue(
        "q",
        authorization_rules=[rule],
        forward_dead_lettered_messages_to="to",
        status="SendDisabled",
        **settings,
    )
    got = admin.get_queue("q")
    assert {name: getattr(got, name) for name in settings} == settings
    assert got.status == "SendDisabled"
    assert got.forward_dead_lettered_messages_to == f"sb://localhost:{managed.port}/to"
    assert [(each.key_name, each.rights) for each in got.authorization_rules] == [
        ("testSharedAccessKey", ["Manage", "Send", "Listen"])
    ]
    ours = managed.call(lambda namespace: namespace.queue("q").settings)
    assert (ours.lock_duration, ours.duplicate_window, ours.forward_dead_letters_to) == (13.0, 720.0, "to")


def test_a_queue_is_updated(admin: Any, managed: RunningBroker) -> None:
    admin.create_queue("to")
    queue = admin.create_queue("q", user_metadata="old")
    queue.lock_duration = timedelta(seconds=30)
    queue.max_delivery_count = 3
    queue.forward_to = "to"
    queue.user_metadata = None
    admin.update_queue(queue)
    got = admin.get_queue("q")
    assert (got.lock_duration, got.max_delivery_count) == (timedelta(seconds=30), 3)
    assert got.forward_to == f"sb://localhost:{managed.port}/to"
    admin.update_queue(admin.get_queue("q"), forward_to=None, status="ReceiveDisabled")
    got = admin.get_queue("q")
    assert (got.status, got.forward_to, got.user_metadata) == ("ReceiveDisabled", None, None)


def test_what_is_not_there_or_there_already_is_told(admin: Any) -> None:
    queue = admin.create_queue("q")
    topic = admin.create_topic("t")
    admin.create_subscription("t", "s")
    for create in (
        lambda: admin.create_queue("Q"),
        lambda: admin.create_topic("q"),
        lambda: admin.create_subscription("t", "S"),
    ):
        with pytest.raises(ResourceExistsError):
            create()
    queue.name, topic.name = "other", "another"
    for miss in (
        lambda: admin.get_queue("none"),
        lambda: admin.delete_queue("none"),
        lambda: admin.update_queue(queue),
        lambda: admin.update_topic(topic),
        lambda: admin.get_topic("none"),
        lambda: admin.get_subscription("t", "none"),
        lambda: admin.get_subscription("none", "s"),
        lambda: admin.delete_subscription("t", "none"),
        lambda: admin.create_subscription("none", "s"),
        lambda: admin.get_rule("t", "s", "none"),
        lambda: admin.delete_rule("t", "s", "none"),
        lambda: list(admin.list_subscriptions("none")),
    ):
        with pytest.raises(ResourceNotFoundError):
            miss()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"lock_duration": timedelta(days=25)}, "LockDuration"),
        ({"max_delivery_count": 0}, "MaxDeliveryCount"),
        ({"auto_delete_on_idle": timedelta(seconds=5)}, "auto_delete_on_idle"),
        ({"default_message_time_to_live": "P1M"}, "DefaultMessageTimeToLive"),
        ({"forward_to": "none"}, "cannot forward to 'none'"),
        ({"status": "Asleep"}, "status"),
        ({"max_message_size_in_kilobytes": 1024}, "Premium"),
        ({"user_metadata": "x" * 1025}, "user_metadata"),
    ],
)
def test_settings_outside_their_range_are_refused(
    admin: Any, settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(HttpResponseError, match=sentence) as refusal:
        admin.create_queue("q", **settings)
    assert refusal.value.status_code == 400


def test_counts_are_told(admin: Any, managed: RunningBroker) -> None:
    admin.create_queue("q")
    admin.create_topic("t")
    admin.create_subscription("t", "s")
    empty = admin.get_queue_runtime_properties("q")
    assert (empty.total_message_count, empty.size_in_bytes) == (0, 0)
    assert empty.created_at_utc.timestamp() == NOW
    assert empty.accessed_at_utc.year == 1

    def fill(namespace: Namespace) -> None:
        queue = namespace.queue("q")
        queue.send([Content(body=b"12345"), Content(), Content(), Content(scheduled_at=NOW + 99)])
        (taken,) = queue.receive(1, lock=True)
        (dead,) = queue.receive(1, lock=True)
        assert taken.token
        assert dead.token
        queue.dead_letter([dead.token], "r", "d")
        namespace.topic("t").send([Content(), Content(scheduled_at=NOW + 99)])

    managed.call(fill)
    counted = admin.get_queue_runtime_properties("q")
    assert (counted.total_message_count, counted.active_message_count) == (4, 2)
    assert (counted.dead_letter_message_count, counted.scheduled_message_count) == (1, 1)
    assert (counted.transfer_dead_letter_message_count, counted.size_in_bytes) == (0, 5)
    assert counted.accessed_at_utc.timestamp() == NOW
    topic = admin.get_topic_runtime_properties("t")
    assert (topic.subscription_count, topic.scheduled_message_count) == (1, 1)
    assert admin.get_subscription_runtime_properties("t", "s").active_message_count == 1
    assert [each.name for each in admin.list_queues_runtime_properties()] == ["q"]
    assert [each.subscription_count for each in admin.list_topics_runtime_properties()] == [1]
    assert [each.total_message_count for each in admin.list_subscriptions_runtime_properties("t")] == [1]


def test_lists_come_in_pages(admin: Any, managed: RunningBroker) -> None:
    names = [f"q{number:03}" for number in range(203)]

    def create(namespace: Namespace) -> None:
        for name in names:
            namespace.create_queue(name)

    managed.call(create)
    assert [queue.name for queue in admin.list_queues()] == names
    assert [queue.name for queue in admin.list_queues(start_index=100, max_page_size=50)] == names[100:]
    assert list(admin.list_topics()) == []


def test_topics_and_subscriptions_are_managed(admin: Any, managed: RunningBroker) -> None:
    made = admin.create_topic(
        "t",
        default_message_time_to_live=timedelta(minutes=11),
        max_size_in_megabytes=2048,
        requires_duplicate_detection=True,
        duplicate_detection_history_time_window=timedelta(minutes=12),
        support_ordering=False,
        user_metadata="mine",
    )
    assert made.duplicate_detection_history_time_window == timedelta(minutes=12)
    assert (made.requires_duplicate_detection, made.support_ordering) == (True, False)
    topic = admin.get_topic("T")
    topic.default_message_time_to_live = timedelta(minutes=5)
    admin.update_topic(topic)
    assert admin.get_topic("t").default_message_time_to_live == timedelta(minutes=5)
    admin.create_queue("to")
    admin.create_subscription(
        "t",
        "s",
        lock_duration=timedelta(seconds=13),
        requires_session=False,
        dead_lettering_on_filter_evaluation_exceptions=False,
        max_delivery_count=3,
        forward_to="to",
        status="Active",
    )
    got = admin.get_subscription("t", "S")
    assert (got.lock_duration, got.max_delivery_count) == (timedelta(seconds=13), 3)
    assert got.dead_lettering_on_filter_evaluation_exceptions is False
    assert got.forward_to == f"sb://localhost:{managed.port}/to"
    got.max_delivery_count = 4
    admin.update_subscription("t", got)
    assert admin.get_subscription("t", "s").max_delivery_count == 4
    assert [each.name for each in admin.list_subscriptions("t")] == ["s"]
    admin.delete_subscription("t", "s")
    admin.delete_topic("t")
    admin.delete_queue("to")
    assert managed.call(lambda namespace: (namespace.names(), namespace.topics())) == ([], [])


RULES: dict[str, dict[str, Any]] = {
    "sql": {
        "filter": SqlRuleFilter("Priority = @low AND sys.Label LIKE 'a<b%'", parameters={"@low": "<low>"}),
        "action": SqlRuleAction(
            "SET Priority = @when", parameters={"@when": datetime(2020, 7, 5, 11, 12, 13)}
        ),
    },
    "correlation": {
        "filter": CorrelationRuleFilter(
            correlation_id="c",
            label="l",
            properties={
                "string": "s",
                "int": 5,
                "long": 2**40,
                "boolean": True,
                "double": 1.5,
                "time": datetime(2020, 7, 5, 11, 12, 13, tzinfo=UTC),
                "span": timedelta(days=1, hours=2, minutes=3),
            },
        )
    },
    "yes": {"filter": TrueRuleFilter()},
    "no": {"filter": FalseRuleFilter()},
}


def test_rules_are_managed(admin: Any, managed: RunningBroker) -> None:
    admin.create_topic("t")
    admin.create_subscription("t", "s")
    (default,) = admin.list_rules("t", "s")
    assert default.name == "$Default"
    assert isinstance(default.filter, TrueRuleFilter)
    assert default.action is None
    admin.delete_rule("t", "s", "$Default")
    for name, given in RULES.items():
        admin.create_rule("t", "s", name, **given)
    found = {rule.name: rule for rule in admin.list_rules("t", "s")}
    assert list(found) == list(RULES)
    for name, given in RULES.items():
        for rule in (found[name], admin.get_rule("t", "s", name)):
            assert type(rule.filter) is type(given["filter"])
            assert rule.created_at_utc.timestamp() == NOW
    assert found["sql"].filter.sql_expression == RULES["sql"]["filter"].sql_expression
    assert found["sql"].filter.parameters == RULES["sql"]["filter"].parameters
    assert found["sql"].action.parameters == RULES["sql"]["action"].parameters
    assert found["correlation"].filter.properties == RULES["correlation"]["filter"].properties
    assert (found["correlation"].filter.correlation_id, found["correlation"].filter.to) == ("c", None)
    counts = managed.call(lambda namespace: len(namespace.subscription("t/Subscriptions/s").rules))
    assert counts == 4
    rule = found["yes"]
    rule.filter = SqlRuleFilter("a = 1")
    admin.update_rule("t", "s", rule)
    assert admin.get_rule("t", "s", "yes").filter.sql_expression == "a = 1"
    with pytest.raises(ResourceExistsError):
        admin.create_rule("t", "s", "YES", filter=TrueRuleFilter())
    with pytest.raises(HttpResponseError, match="At character 5") as refusal:
        admin.create_rule("t", "s", "bad", filter=SqlRuleFilter("a = "))
    assert refusal.value.status_code == 400


def test_the_namespace_describes_itself(admin: Any) -> None:
    properties = admin.get_namespace_properties()
    assert (properties.name, properties.messaging_sku) == ("sbemulatorns", "Standard")
    assert properties.namespace_type == "Messaging"


async def _manage(client: Any) -> list[str]:
    async with client:
        await client.create_queue("q", lock_duration=timedelta(seconds=5))
        await client.create_topic("t")
        await client.create_subscription("t", "s")
        await client.create_rule("t", "s", "r", filter=SqlRuleFilter("a = @b", parameters={"@b": 5}))
        queue = await client.get_queue("q")
        queue.max_delivery_count = 5
        await client.update_queue(queue)
        counts = await client.get_subscription_runtime_properties("t", "s")
        names = [each.name async for each in client.list_rules("t", "s")]
        await client.delete_topic("t")
        return [
            *names,
            str(counts.total_message_count),
            str((await client.get_queue("q")).max_delivery_count),
        ]


def test_the_async_client_manages_too(managed: RunningBroker) -> None:
    if tuple(int(part) for part in azure.servicebus.__version__.split(".")[:2]) < (7, 15):
        pytest.skip("before 7.15 the asynchronous client cannot be told which certificate to trust")
    from azure.servicebus.aio.management import ServiceBusAdministrationClient as Administration  # noqa: PLC0415

    client = Administration.from_connection_string(
        managed.connection_string, connection_verify=str(managed.certificate), retry_total=0
    )
    assert asyncio.run(_manage(client)) == ["$Default", "r", "0", "5"]


def test_who_does_not_hold_the_key_manages_nothing() -> None:
    with run_in_thread(Namespace(), key="right") as running:
        for key, outcome in (("right", None), ("wrong", ClientAuthenticationError)):
            string = running.connection_string.replace("SharedAccessKey=right", f"SharedAccessKey={key}")
            with trusting(running, string) as client:
                if outcome is None:
                    client.create_queue("q")
                else:
                    with pytest.raises(outcome):
                        client.get_queue("q")
