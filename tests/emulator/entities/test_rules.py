"""Rules of subscriptions at work: which copies there are, and what stands on them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from cdsbridge.emulator.amqp.sections import (
    APPLICATION_PROPERTIES,
    MESSAGE_ANNOTATIONS,
    PROPERTIES,
    section,
    section_value,
)
from cdsbridge.emulator.amqp.types import Decimal as EncodedDecimal
from cdsbridge.emulator.amqp.types import Described, Int, Symbol, Timestamp, UInt, Value
from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.errors import EntityError
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.properties import amqp_value, value_of
from cdsbridge.emulator.entities.queue import Queue
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.filters.rules import (
    CorrelationFilter,
    FalseFilter,
    Filter,
    Rule,
    SqlAction,
    SqlFilter,
    TrueFilter,
)
from cdsbridge.emulator.filters.values import Value as Compared

ADDRESS = "t/Subscriptions/s"
DEAD = f"{ADDRESS}/$DeadLetterQueue"


@pytest.fixture
def namespace(clock: ManualClock) -> Namespace:
    """A namespace with topic ``t`` and subscription ``s`` without a rule."""
    made = Namespace(clock)
    made.create_topic("t")
    made.create_subscription("t", "s")
    made.remove_rule(ADDRESS, "$default")
    return made


@pytest.fixture
def add(namespace: Namespace) -> Callable[..., None]:
    """A function that adds a rule."""

    def add(name: str, given: Filter | str, action: str | None = None) -> None:
        chosen = SqlFilter(given) if isinstance(given, str) else given
        namespace.add_rule(ADDRESS, Rule(name, chosen, None if action is None else SqlAction(action)))

    return add


def message(
    label: str | None = None, annotations: dict[Value, Value] | None = None, **user: Value
) -> Content:
    properties: dict[Value, Value] = {name: value for name, value in user.items()}  # noqa: C416
    return Content(
        properties=section(PROPERTIES, ["m", None, None, label]),
        application=section(APPLICATION_PROPERTIES, properties) if user else b"",
        annotations=section(MESSAGE_ANNOTATIONS, annotations) if annotations else b"",
        body=b"body",
        message_id="m",
    )


def user_properties(queue: Queue) -> list[Value]:
    return [section_value(each.content.application) for each in queue.peek(0, 99)]


def test_a_subscription_begins_with_a_rule_that_takes_everything(clock: ManualClock) -> None:
    namespace = Namespace(clock)
    topic = namespace.create_topic("t")
    plain = namespace.create_subscription("t", "plain")
    chosen = namespace.create_subscription("t", "chosen", rule=Rule("Red", SqlFilter("color='red'")))
    topic.send([message(color="red"), message(color="blue")])
    assert [(rule.name, rule.filter) for rule in plain.rules] == [("$Default", TrueFilter())]
    assert (plain.size, chosen.size) == (2, 1)
    assert [rule.name for rule in chosen.rules] == ["Red"]
    assert chosen.rules[0].created_at == clock()


def test_without_a_rule_nothing_is_taken(namespace: Namespace) -> None:
    namespace.topic("t").send([message()])
    assert namespace.queue(ADDRESS).size == 0


def test_rules_without_actions_make_one_copy_and_each_with_one_its_own(
    namespace: Namespace, add: Callable[..., None]
) -> None:
    add("one", "color = 'red'")
    add("two", TrueFilter())
    add("three", CorrelationFilter(label="l"))
    add("half", "color = 'red'", "SET quantity = quantity / 2; REMOVE color")
    add("never", FalseFilter(), "SET quantity = 0")
    add("note", CorrelationFilter(label="l"), "SET sys.Label = 'noted'")
    namespace.topic("t").send([message("l", color="red", quantity=Int(9), other=UInt(3))])
    queue = namespace.queue(ADDRESS)
    assert user_properties(queue) == [
        {"color": "red", "quantity": 9, "other": 3},
        {"quantity": 4, "other": 3, "RuleName": "half"},
        {"color": "red", "quantity": 9, "other": 3, "RuleName": "note"},
    ]
    plain, half, note = queue.peek(0, 9)
    assert [plain.sequence_number, half.sequence_number, note.sequence_number] == [1, 2, 3]
    assert {plain.enqueued_number, half.enqueued_number, note.enqueued_number} == {1}
    fields = section_value(note.content.properties)
    assert isinstance(fields, list)
    assert fields[:4] == ["m", None, None, "noted"]
    kept = section_value(half.content.application)
    assert isinstance(kept, dict)
    assert type(kept["other"]) is UInt
    assert half.content.body == b"body"


def test_what_an_action_sets_counts_for_the_copy(
    namespace: Namespace, add: Callable[..., None], clock: ManualClock
) -> None:
    parameters: dict[str, Compared] = {
        "@ttl": timedelta(seconds=30),
        "@when": datetime.fromtimestamp(5000, UTC),
    }
    action = SqlAction(
        "SET sys.MessageId = 'new'; SET sys.SessionId = 'a'; SET sys.TimeToLive = @ttl; "
        "SET sys.ScheduledEnqueueTimeUtc = @when; SET sys.PartitionKey = 'k'; REMOVE sys.Label",
        parameters,
    )
    namespace.add_rule(ADDRESS, Rule("r", TrueFilter(), action))
    namespace.topic("t").send([message("l", {Symbol("x-opt-other"): 5})])
    (copy,) = namespace.queue(ADDRESS).receive(1, lock=True)
    content = copy.message.content
    assert (content.message_id, content.session_id, content.ttl) == ("new", "a", 30)
    assert copy.message.expires_at == clock() + 30
    assert section_value(content.annotations) == {
        "x-opt-other": 5,
        "x-opt-partition-key": "k",
        "x-opt-scheduled-enqueue-time": 5_000_000,
    }
    fields = section_value(content.properties)
    assert isinstance(fields, list)
    assert (fields[0], fields[3], fields[10]) == ("new", None, "a")


def test_filters_see_system_properties(
    namespace: Namespace, add: Callable[..., None], clock: ManualClock
) -> None:
    add(
        "r",
        "sys.EnqueuedTimeUtc = now AND sys.SequenceNumber = 1 AND sys.Size > 3 AND sys.DeliveryCount = 0",
    )
    now = Timestamp(int(clock() * 1000))
    namespace.topic("t").send([message(now=now)])
    assert namespace.queue(ADDRESS).size == 1


@pytest.mark.parametrize("dead_letter", [True, False])
def test_a_message_on_which_a_rule_fails_is_dead_lettered_where_that_is_on(
    clock: ManualClock, dead_letter: bool
) -> None:
    namespace = Namespace(clock)
    namespace.create_topic("t", QueueSettings(default_ttl=50))
    settings = QueueSettings(dead_letter_on_filter_error=dead_letter)
    namespace.create_subscription("t", "s", settings, Rule("number", SqlFilter("quantity > 5")))
    namespace.add_rule(ADDRESS, Rule("b", SqlFilter("other = 1"), SqlAction("SET x = 1 / other")))
    namespace.topic("t").send([message(quantity="many"), message(quantity=9), message(quantity=1)])
    queue = namespace.queue(ADDRESS)
    assert user_properties(queue) == [{"quantity": 9}]
    dead = namespace.queue(DEAD).peek(0, 9)
    assert [each.dead_letter["DeadLetterReason"] for each in dead] == [
        "FilterEvaluationException"
    ] * dead_letter
    if dead_letter:
        assert dead[0].dead_letter["DeadLetterErrorDescription"] == (
            "Rule 'number': The operator > does not take a string and an integer."
        )
        assert (dead[0].sequence_number, dead[0].enqueued_number, dead[0].expires_at) == (1, 1, None)
        assert queue.peek(0, 9)[0].sequence_number == 2
        assert namespace.topic("t").send([message(quantity=7)]) == [4]
        assert queue.peek(0, 9)[1].sequence_number == 3


def test_an_action_that_fails_leaves_no_copy(namespace: Namespace, add: Callable[..., None]) -> None:
    add("r", TrueFilter(), "SET a = 1; SET b = 1 / 0")
    namespace.topic("t").send([message()])
    depth = namespace.queue(ADDRESS).depth()
    assert (depth["active"], depth["dead_lettered"]) == (0, 1)


def test_who_waits_for_dead_letters_is_told_of_failures(
    namespace: Namespace, add: Callable[..., None]
) -> None:
    told: list[int] = []
    namespace.queue(DEAD).subscribe(lambda: told.append(1))
    add("r", "sys.Nonsense = 1")
    namespace.topic("t").send([message()])
    assert told == [1]


def test_names_of_rules_are_taken_once_whatever_their_case(
    namespace: Namespace, add: Callable[..., None]
) -> None:
    add("Rule", TrueFilter())
    with pytest.raises(EntityError) as refusal:
        add("rule", TrueFilter())
    assert refusal.value.condition == "com.microsoft:entity-already-exists"
    with pytest.raises(EntityError) as refusal:
        add("", TrueFilter())
    assert refusal.value.condition == "amqp:invalid-field"
    namespace.remove_rule(ADDRESS, "RULE")
    with pytest.raises(EntityError) as refusal:
        namespace.remove_rule(ADDRESS, "rule")
    assert refusal.value.condition == "amqp:not-found"


def test_only_subscriptions_have_rules(namespace: Namespace) -> None:
    namespace.create_queue("q")
    with pytest.raises(EntityError, match="only subscriptions have rules"):
        namespace.add_rule("q", Rule("r"))


def test_rules_outlive_the_program(clock: ManualClock, tmp_path: Path) -> None:
    path = tmp_path / "bus.db"
    namespace = Namespace(clock, path)
    namespace.create_topic("t")
    namespace.create_subscription("t", "s")
    namespace.create_subscription("t", "gone")
    values: dict[str, Compared] = {
        "text": "é",
        "real": 1.5,
        "flag": True,
        "none": None,
        "exact": Decimal("1.10"),
        "id": UUID(int=5),
        "time": datetime(2020, 7, 5, 11, tzinfo=UTC),
        "span": timedelta(seconds=1.5),
        "raw": b"\xff",
    }
    rules = [
        Rule("c", CorrelationFilter(label="l", properties=values), None),
        Rule("s", SqlFilter("a = @b", {"@b": timedelta(days=1)}), SqlAction("SET a = @c", {"@c": 5})),
        Rule("f", FalseFilter()),
    ]
    for rule in rules:
        namespace.add_rule(ADDRESS, rule)
    namespace.replace_rule(ADDRESS, Rule("F", TrueFilter()))
    namespace.remove_rule(ADDRESS, "$Default")
    namespace.delete_subscription("t", "gone")
    before = namespace.subscription(ADDRESS).rules
    namespace.close()
    again = Namespace(clock, path)
    assert again.subscription(ADDRESS).rules == before
    assert [rule.name for rule in before] == ["c", "s", "f"]
    assert before[2].filter == TrueFilter()
    assert again._store is not None
    assert again._store._db.execute("SELECT count(*) FROM rule").fetchone() == (3,)
    again.close()


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        (Int(5), 5),
        (True, True),
        (Timestamp(1500), datetime(1970, 1, 1, 0, 0, 1, 500000, UTC)),
        (Described(Symbol("com.microsoft:timespan"), 15_000_000), timedelta(seconds=1.5)),
        (
            Described(Symbol("com.microsoft:datetime-offset"), 621_355_968_000_000_000),
            datetime(1970, 1, 1, tzinfo=UTC),
        ),
        (Described(Symbol("com.microsoft:uri"), "http://x"), "http://x"),
        (Symbol("s"), "s"),
        (EncodedDecimal(bytes.fromhex("303e000000000000000000000000007b")), Decimal("12.3")),
        (EncodedDecimal(bytes.fromhex("b03e000000000000000000000000007b")), Decimal("-12.3")),
        (EncodedDecimal(bytes.fromhex("31a000000000007b")), Decimal("12.3")),
        (EncodedDecimal(bytes.fromhex("3200007b")), Decimal("12.3")),
        (EncodedDecimal(bytes.fromhex("78000000000000000000000000000000")), Decimal("Infinity")),
        ([1], None),
        (Timestamp(2**62), None),
    ],
)
def test_values_of_amqp_are_compared_as_values(encoded: Value, value: object) -> None:
    found = value_of(encoded)
    assert found == value
    assert type(found) is type(value)
    if isinstance(value, datetime | timedelta | Decimal):
        assert value_of(amqp_value(value)) == value
