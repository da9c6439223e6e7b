"""What the live tests take from the package of this name, which is not published: no recording, no proxy."""

from collections.abc import Callable
from typing import Any

from cloud import ROOT, SUFFIX, cloud
from supplying import supply
from tokens import AnyToken, AnyTokenAsync

Test = Callable[..., Any]


class AzureMgmtRecordedTestCase:
    """The base class of the tests."""

    is_live = True

    @staticmethod
    def await_prepared_test(test: Test) -> Test:
        """Leave an asynchronous test to pytest-asyncio."""
        return test


AzureRecordedTestCase = AzureMgmtRecordedTestCase


def get_credential(*, is_async: bool = False, **_: Any) -> "AnyToken | AnyTokenAsync":
    """Return a credential as azure-identity has them."""
    return AnyTokenAsync() if is_async else AnyToken()


def recorded_by_proxy(test: Test) -> Test:
    """Record nothing."""
    return test


def set_custom_default_matcher(**_: Any) -> None:
    """Match nothing: nothing is played back."""


class PowerShellPreparer:
    """Gives a test of the management API a namespace that no other kind of test uses.

    Args:
        _kind: Of resource.
        stand_ins: The names of what is wanted, with values to record instead.
    """

    NAMESPACE = "management"

    def __init__(self, _kind: str, **stand_ins: str) -> None:
        self._stand_ins = stand_ins

    def __call__(self, test: Test) -> Test:
        """Return the test with what it wants."""
        host = f"{self.NAMESPACE}{SUFFIX}"
        wanted = {
            **self._stand_ins,
            "servicebus_connection_str": cloud().connection_string(self.NAMESPACE, ROOT),
            "servicebus_fully_qualified_namespace": host,
            "servicebus_sas_policy": ROOT.name,
            "servicebus_sas_key": ROOT.key,
        }

        def give(_: dict[str, Any]) -> dict[str, Any]:
            cloud().broker(self.NAMESPACE)
            return wanted

        return supply(test, wanted, give)


class _Nothing:
    def __init__(self, **_: Any) -> None:
        pass

    def __call__(self, test: Test) -> Test:
        return test


CachedResourceGroupPreparer = RandomNameResourceGroupPreparer = _Nothing
