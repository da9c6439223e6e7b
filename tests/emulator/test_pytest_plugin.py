"""The pytest plugin, used as others use it: in a session of its own."""

import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PLUGIN = "cdsbridge.emulator.pytest_plugin"

TESTS = """
    import pytest
    from azure.servicebus import ServiceBusClient, ServiceBusMessage
    from azure.servicebus.exceptions import ServiceBusServerBusyError
    from cdsbridge.emulator.server import Fault, Kind, Point

    pytestmark = pytest.mark.servicebus(queues=["orders"])

    @pytest.fixture
    def client(servicebus):
        with ServiceBusClient.from_connection_string(servicebus.connection_string, retry_total=0) as client:
            yield client

    @pytest.mark.servicebus(
        queues={"late": {"max_delivery_count": 1, "lock_duration": 30}},
        topics={"events": ["bridge"], "sessions": {"s": {"requires_session": True}}},
    )
    def test_what_markers_declare_is_there_and_time_passes(servicebus, client):
        for name in ("orders", "late"):
            with client.get_queue_sender(name) as sender:
                sender.send_messages(ServiceBusMessage("x"))
        with client.get_topic_sender("events") as sender:
            sender.send_messages(ServiceBusMessage("x"))
        assert servicebus.depth("events/Subscriptions/bridge") == {"active": 1}
        with client.get_queue_receiver("late") as receiver:
            receiver.receive_messages(1, 5)
            assert servicebus.depth("late") == {"locked": 1}
            servicebus.advance(31)
        assert servicebus.depth("late") == {"dead_lettered": 1}
        with client.get_subscription_receiver("sessions", "s", session_id="a") as receiver:
            assert receiver.session.session_id == "a"

    def test_entities_are_new_in_every_test_and_can_be_made_in_it(servicebus, client):
        assert servicebus.depth("orders") == {}
        servicebus.create_queue("late")
        servicebus.create_topic("events", ["other"], duplicate_window=5)
        servicebus.arm(Fault(Kind.REFUSE, Point.SEND, count=None))
        with client.get_queue_sender("late") as sender, pytest.raises(ServiceBusServerBusyError):
            sender.send_messages(ServiceBusMessage("x"))

    def test_nothing_is_left_of_other_tests(servicebus, client, servicebus_emulator):
        there = servicebus_emulator.call(lambda namespace: (namespace.names(), namespace.topics()))
        assert there == (["orders"], [])
        with client.get_queue_sender("orders") as sender:
            sender.send_messages(ServiceBusMessage("x"))
"""


def test_others_tests_get_a_broker_and_entities_of_their_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("-p", PLUGIN, "--strict-markers", "-q", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=3)


def test_a_session_that_uses_no_fixture_imports_nothing_for_it() -> None:
    program = (
        f"import sys, pytest; before = set(sys.modules); import {PLUGIN}; "
        "print(sorted(set(sys.modules) - before))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == str(["cdsbridge", "cdsbridge.emulator", PLUGIN])


def test_the_plugin_is_what_the_package_tells_pytest_to_load() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    (named,) = project["project"]["entry-points"]["pytest11"].values()
    assert named == PLUGIN
    assert callable(import_module(named).pytest_configure)
