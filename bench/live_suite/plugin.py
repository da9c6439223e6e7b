"""A pytest plugin: our modules before those of the live tests, and the listed failures as expected ones."""

import importlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cloud import cloud

EXCEPTIONS = Path(__file__).with_name("exceptions.toml")
MESSAGING = ("test_queues", "test_sessions", "test_subscriptions", "test_topic")
"""What the files are called that send and receive."""

importlib.import_module("servicebus_preparer")  # so that the tests' own of that name is never looked for


@pytest.fixture(scope="session")
def test_proxy() -> Iterator[None]:
    """What would record the tests."""
    yield
    cloud().close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect the listed tests, and no others, to fail: one that passes is a failure too."""
    reasons = tomllib.loads(EXCEPTIONS.read_text(encoding="utf-8"))
    for item in items:
        reason = reasons.get(item.nodeid)
        if reason is not None:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count what sends and receives apart from the rest."""
    counts = {"messaging": [0, 0], "other": [0, 0]}
    for kind in ("passed", "xpassed", "xfailed", "failed", "error"):
        for report in terminalreporter.stats.get(kind, []):
            file = report.nodeid.partition("::")[0].rpartition("/")[2]
            count = counts["messaging" if file.startswith(MESSAGING) else "other"]
            count[0] += kind in {"passed", "xpassed"}
            count[1] += 1
    for name, (passed, ran) in counts.items():
        terminalreporter.write_line(f"{name} tests: {passed} of {ran} passed")
