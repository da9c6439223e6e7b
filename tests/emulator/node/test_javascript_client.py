"""The broker's contract seen by a client of another family: npm's @azure/service-bus, on the AMQP stack rhea.

One program of its kind runs all scenarios at once and reports what it saw; each
test says what that should be.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker, run_in_thread

CONTRACT = Path(__file__).with_name("contract.cjs")
PACKAGES = Path(__file__).parents[3] / ".cache" / "node" / "node_modules"
QUEUES = ("properties", "batch", "tooLarge", "settled", "peeked", "scheduled", "streamed")


@pytest.fixture(scope="module")
def broker() -> Iterator[RunningBroker]:
    namespace = Namespace()
    for name in QUEUES:
        namespace.create_queue(name)
    namespace.create_queue("locks", QueueSettings(lock_duration=2))
    namespace.create_queue("sessions", QueueSettings(requires_session=True))
    namespace.create_topic("topics")
    for name in ("all", "big", "red"):
        namespace.create_subscription("topics", name)
    with run_in_thread(namespace) as running:
        yield running


@pytest.fixture(scope="module")
def seen(broker: RunningBroker) -> dict[str, Any]:
    node = shutil.which("node")
    if node is None or not PACKAGES.is_dir():
        pytest.skip("the JavaScript client is not here: it takes Node.js 18 or newer and `make unit`")
    ended = subprocess.run(
        [node, str(CONTRACT), broker.connection_string],
        env={**os.environ, "NODE_PATH": str(PACKAGES)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    reported: dict[str, Any] = json.loads(ended.stdout)
    return reported


def test_a_message_arrives_with_everything_it_was_sent_with(seen: dict[str, Any]) -> None:
    told = seen["properties"]
    assert told["seen"] == told["sent"]
    assert told["number"] == 1
    assert 60_000 <= told["lockedFor"] < 70_000
    assert (told["deliveries"], told["state"]) == (0, "active")


def test_batches_arrive_whole_and_in_order(seen: dict[str, Any]) -> None:
    assert seen["batch"] == {"limit": 262_144, "bodies": list(range(202)), "left": 0}


def test_a_message_above_the_limit_is_refused_and_the_sender_lives_on(seen: dict[str, Any]) -> None:
    assert seen["tooLarge"] == {"code": "MessageSizeExceeded", "peeked": ["small"]}


def test_each_way_to_settle_does_what_it_says(seen: dict[str, Any]) -> None:
    assert seen["settled"] == {
        "again": ["abandon", 1],
        "deferred": ["defer", "deferred"],
        "buried": ["deadLetter", "why", "because"],
        "missing": "MessageNotFound",
    }


def test_a_lock_can_be_renewed_and_lapses_otherwise(seen: dict[str, Any]) -> None:
    assert seen["locks"] == {
        "prolonged": True,
        "deliveries": 1,
        "lost": "MessageLockLost",
        "held": "no error",
    }


def test_peeking_goes_on_from_where_it_was_and_locks_nothing(seen: dict[str, Any]) -> None:
    assert seen["peeked"] == {
        "first": "a",
        "rest": ["b", "c"],
        "again": ["a", "b", "c"],
        "received": ["a", "b", "c"],
    }


def test_scheduled_messages_come_when_they_are_due_unless_cancelled(seen: dict[str, Any]) -> None:
    assert seen["scheduled"] == {
        "waiting": ["scheduled"] * 3,
        "bodies": ["one", "two"],
        "early": 0,
        "left": 0,
    }


def test_a_processor_gets_and_completes_every_message(seen: dict[str, Any]) -> None:
    assert seen["streamed"] == {"got": list(range(60)), "left": 0}


def test_sessions_are_locked_read_in_order_and_noted_on(seen: dict[str, Any]) -> None:
    assert seen["sessions"] == {
        "a": [0, 2, 4],
        "b": [1, 3],
        "ids": ["a", "b", "b"],
        "again": [1, 1],
        "taken": "SessionCannotBeLocked",
        "nothing": None,
        "state": {"at": 3},
        "prolonged": True,
        "withoutId": "GeneralError",
        "withoutSession": "GeneralError",
    }


def test_each_subscription_gets_what_its_rules_say(seen: dict[str, Any]) -> None:
    assert seen["topics"] == {
        "all": [0, 1, 2],
        "big": [1, 2],
        "red": [0, 1],
        "action": ["big", "big"],
        "listed": [["size", "size > 5"]],
        "dead": [0, "why"],
    }


def test_an_entity_that_is_not_there_is_told_apart_from_an_outage(seen: dict[str, Any]) -> None:
    assert seen["missing"] == {"code": "MessagingEntityNotFound"}
