"""A pytest plugin: our modules before those of the live tests, and the listed failures as expected ones."""

import importlib
import tomllib
from pathlib import Path

import pytest
from cloud import cloud

EXCEPTIONS = Path(__file__).with_name("exceptions.toml")
MESSAGING = ("test_queues", "test_sessions", "test_subscriptions", "test_topic")
"""What the files are called that send and receive."""

importlib.import_module("servicebus_preparer")  # so that the tests' own of that name is never looked for


def pytest_configure() -> None:
    """Have the certificate before anything reads those the machine trusts."""
    cloud()


def pytest_unconfigure() -> None:
    """End the brokers."""
    cloud().close()


@pytest.fixture(scope="session")
def test_proxy() -> None:
    """What would record the tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect the listed tests to fail, and only those; one that passes fails too, unless it flickers."""
    listed = tomllib.loads(EXCEPTIONS.read_text(encoding="utf-8"))
    for item in items:
        for table, reasons in listed.items():
            if item.nodeid in reasons:
                mark = pytest.mark.xfail(reason=reasons[item.nodeid], strict=table == "fails")
                item.add_marker(mark, append=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count what sends and receives apart from the rest."""
    counts = {"messaging": [0, 0], "other": [0, 0]}
    for kind in ("passed", "xpassed", "xfailed", "failed", "error"):
        for report in terminalreporter.stats.get(kind, []):
            file = report.nodeid.partition("::")[0].removeprefix("async_tests/")
            count = counts["messaging" if file.startswith(MESSAGING) else "other"]
            count[0] += kind in {"passed", "xpassed"}
            count[1] += 1
    for name, (passed, ran) in counts.items():
        terminalreporter.write_line(f"{name} tests: {passed} of {ran} passed")
