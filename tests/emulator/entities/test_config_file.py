"""Entities from a file in the format of Microsoft's emulator."""

import json
from pathlib import Path
from typing import Any

import pytest

from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.config_file import read_config
from cdsbridge.emulator.entities.durations import duration_of, seconds_of
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.filters.rules import CorrelationFilter, Rule, SqlAction, SqlFilter, TrueFilter
from cdsbridge.model.errors import ConfigError


def written(folder: Path, queues: object = None, topics: object = None) -> Path:
    namespace: dict[str, object] = {"Name": "sbemulatorns"}
    if queues is not None:
        namespace["Queues"] = queues
    if topics is not None:
        namespace["Topics"] = topics
    path = folder / "Config.json"
    path.write_text(json.dumps({"UserConfig": {"Namespaces": [namespace], "Logging": {"Type": "File"}}}))
    return path


def created(path: Path) -> Namespace:
    namespace = Namespace(ManualClock(1000.0))
    read_config(path).create(namespace)
    return namespace


def test_every_setting_is_read(tmp_path: Path) -> None:
    properties = {
        "DeadLetteringOnMessageExpiration": True,
        "DefaultMessageTimeToLive": "PT1H",
        "DuplicateDetectionHistoryTimeWindow": "PT20S",
        "ForwardDeadLetteredMessagesTo": "other",
        "ForwardTo": "",
        "LockDuration": "PT1M30S",
        "MaxDeliveryCount": 3,
        "RequiresDuplicateDetection": True,
        "RequiresSession": True,
        "Status": "SendDisabled",
        "AutoDeleteOnIdle": "PT10M",
        "UserMetadata": "mine",
        "MaxMessageSizeInKilobytes": 1024,
    }
    queues = [{"Name": "queue.1", "Properties": properties}, {"Name": "other"}]
    namespace = created(
        written(tmp_path, queues, [{"Name": "topic.1", "Properties": {"DefaultMessageTimeToLive": "P1D"}}])
    )
    assert namespace.queue("queue.1").settings == QueueSettings(
        90.0,
        3,
        3600.0,
        dead_letter_on_expiry=True,
        max_message_size=1048576,
        requires_session=True,
        duplicate_window=20.0,
        status="SendDisabled",
        forward_dead_letters_to="other",
        auto_delete_on_idle=600.0,
        user_metadata="mine",
    )
    assert namespace.queue("other").settings == QueueSettings()
    assert namespace.topic("topic.1").settings == QueueSettings(default_ttl=86400.0)


def test_rules_are_read(tmp_path: Path) -> None:
    correlation = {
        "ContentType": "application/text",
        "CorrelationId": "id1",
        "Label": "subject1",
        "MessageId": "msgid1",
        "ReplyTo": "someQueue",
        "ReplyToSessionId": "sessionId",
        "SessionId": "session1",
        "To": "xyz",
        "Properties": {"prop1": "value1", "number": 5, "flag": True},
    }
    rules = [
        {"Name": "cor", "Properties": {"FilterType": "Correlation", "CorrelationFilter": correlation}},
        {
            "Name": "sql",
            "Properties": {
                "FilterType": "Sql",
                "SqlFilter": {"SqlExpression": "sys.MessageId = '1' AND a = 'b'"},
                "Action": {"SqlExpression": "SET sys.To = 'Entity'"},
            },
        },
        {"Name": "all"},
    ]
    subscriptions = [
        {"Name": "ruled", "Rules": rules},
        {"Name": "plain", "Properties": {"MaxDeliveryCount": 5}},
    ]
    namespace = created(written(tmp_path, topics=[{"Name": "t", "Subscriptions": subscriptions}]))
    found = namespace.subscription("t/Subscriptions/ruled").rules
    assert [(rule.name, rule.filter, rule.action) for rule in found] == [
        (
            "cor",
            CorrelationFilter(
                "id1",
                "msgid1",
                "xyz",
                "someQueue",
                "subject1",
                "session1",
                "sessionId",
                "application/text",
                {"prop1": "value1", "number": 5, "flag": True},
            ),
            None,
        ),
        ("sql", SqlFilter("sys.MessageId = '1' AND a = 'b'"), SqlAction("SET sys.To = 'Entity'")),
        ("all", TrueFilter(), None),
    ]
    plain = namespace.subscription("t/Subscriptions/plain")
    assert [rule.name for rule in plain.rules] == ["$Default"]
    assert plain.settings.max_delivery_count == 5


def test_entities_may_forward_to_what_comes_later(tmp_path: Path) -> None:
    queues = [
        {"Name": "a", "Properties": {"ForwardTo": "b"}},
        {"Name": "b", "Properties": {"ForwardTo": "t"}},
    ]
    namespace = created(written(tmp_path, queues, [{"Name": "t", "Subscriptions": [{"Name": "s"}]}]))
    namespace.queue("a").send([Content()])
    assert namespace.queue("t/Subscriptions/s").size == 1


def test_a_file_is_applied_to_a_store_that_has_messages(tmp_path: Path) -> None:
    namespace = Namespace(ManualClock(1000.0), tmp_path / "bus.db")
    namespace.create_topic("t")
    namespace.create_subscription("t", "s")
    namespace.add_rule("t/Subscriptions/s", Rule("keep", SqlFilter("a = 1")))
    namespace.topic("t").send([Content()])
    rules = [{"Name": "Keep", "Properties": {"SqlFilter": {"SqlExpression": "a = 2"}}}, {"Name": "new"}]
    path = written(tmp_path, topics=[{"Name": "t", "Subscriptions": [{"Name": "s", "Rules": rules}]}])
    for _ in range(2):
        read_config(path).create(namespace)
        found = namespace.subscription("t/Subscriptions/s")
        assert found.size == 1
        assert [(rule.name, rule.filter) for rule in found.rules] == [
            ("keep", SqlFilter("a = 2")),
            ("new", TrueFilter()),
        ]
    namespace.close()


def queue_with(**properties: Any) -> list[dict[str, Any]]:
    return [{"Name": "first"}, {"Name": "q", "Properties": properties}]


def rule_with(properties: Any) -> list[dict[str, Any]]:
    return [
        {"Name": "t", "Subscriptions": [{"Name": "s", "Rules": [{"Name": "r", "Properties": properties}]}]}
    ]


QUEUE = "UserConfig.Namespaces[0].Queues[1]"
RULE = "UserConfig.Namespaces[0].Topics[0].Subscriptions[0].Rules[0].Properties"


@pytest.mark.parametrize(
    ("queues", "topics", "sentence"),
    [
        (
            queue_with(LockDuraton="PT1M"),
            None,
            f"{QUEUE}.Properties: 'LockDuraton' is not known here; did you mean 'Lock",
        ),
        (
            queue_with(LockDuration="1 minute"),
            None,
            f"{QUEUE}.Properties.LockDuration: '1 minute' is no duration",
        ),
        (queue_with(LockDuration=60), None, f"{QUEUE}.Properties.LockDuration: 60 is no text"),
        (
            queue_with(LockDuration="P10675199DT2H48M5.4775807S"),
            None,
            f"{QUEUE}.Properties.LockDuration: a lock cannot last for ever",
        ),
        (queue_with(MaxDeliveryCount=0), None, f"{QUEUE}.Properties: max_delivery_count is 0"),
        (
            queue_with(MaxDeliveryCount=True),
            None,
            f"{QUEUE}.Properties.MaxDeliveryCount: True is no whole number",
        ),
        (queue_with(RequiresSession="yes"), None, f"{QUEUE}.Properties.RequiresSession: 'yes' is neither"),
        (queue_with(Status="On"), None, f"{QUEUE}.Properties: status is 'On'"),
        (queue_with(ForwardTo="none"), None, f"{QUEUE}: 'q' cannot forward to 'none'"),
        ([{"Name": "a"}, {"Name": "b/$c"}], None, f"{QUEUE}: 'b/$c' cannot name"),
        ([{"Name": "a"}, {}], None, f"{QUEUE}.Name: None is no text"),
        ([{"Name": "a"}, 5], None, f"{QUEUE}: an object was expected"),
        ({"a": 1}, None, "UserConfig.Namespaces[0].Queues: a list was expected"),
        (
            None,
            rule_with({"FilterType": "Sql", "SqlFilter": {"SqlExpression": "a ="}}),
            f"{RULE}.SqlFilter: At character 4",
        ),
        (None, rule_with({"FilterType": "Sql"}), f"{RULE}: the FilterType 'Sql' has no filter beside it"),
        (
            None,
            rule_with({"FilterType": "Correlation", "CorrelationFilter": {}}),
            f"{RULE}.CorrelationFilter: A correlation filter names at least one",
        ),
        (
            None,
            rule_with({"CorrelationFilter": {"Lable": "x"}}),
            f"{RULE}.CorrelationFilter: 'Lable' is not known here; did you mean 'Label'",
        ),
        (
            None,
            rule_with({"CorrelationFilter": {"Properties": {"a": []}}}),
            f"{RULE}.CorrelationFilter.Properties.a: [] is no text",
        ),
        (
            None,
            rule_with({"SqlFilter": {"SqlExpression": "a = 1"}, "Action": {"SqlExpression": "DROP a"}}),
            f"{RULE}.Action: At character 1",
        ),
    ],
)
def test_a_fault_is_told_with_its_place(tmp_path: Path, queues: Any, topics: Any, sentence: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        created(written(tmp_path, queues, topics))
    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "cannot be read"),
        ("[]", "an object was expected"),
        ("{}", "UserConfig: an object was expected"),
        ('{"UserConfig": {}}', "UserConfig.Namespaces: exactly one namespace was expected, not 0"),
        ('{"UserConfig": {"Namespaces": [{}, {}]}}', "exactly one namespace was expected, not 2"),
        ('{"userConfig": {}}', "did you mean 'UserConfig'"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "Config.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=sentence.replace("[", r"\[")):
        read_config(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json"):
        read_config(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT1M", 60.0), ("P1DT2H3M4.5S", 93784.5), ("PT0.001S", 0.001), ("P7D", 604800.0), ("PT0S", 0.0)],
)
def test_durations_are_read_and_written(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds
    assert duration_of(seconds) == text


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1DT", "1M", "P1M", "P1Y", "PT1H1D", "PT-1S", "PT1.S", " PT1S", "pt1s"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        seconds_of(text)
