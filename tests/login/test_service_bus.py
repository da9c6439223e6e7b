"""Our source and the official client log in at the embedded broker by tokens of a token service of our own.

The broker checks signature, audience, expiry and role.  Neither Entra itself nor Azure was asked.
"""

import asyncio
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import azure.servicebus
import pytest
import yaml
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.servicebus._pyamqp import cbs
from azure.servicebus.management import ServiceBusAdministrationClient

from cdsbridge.emulator.amqp.sections import DATA, section
from cdsbridge.emulator.entities.clock import ShiftedClock
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.server import Issuer, Right, RunningBroker, run_in_thread
from cdsbridge.emulator.server.access import Grant
from cdsbridge.model.errors import NotPermitted, ServiceUnreachable
from cdsbridge.pipelines.exit import Exit, exit_code
from cdsbridge.sources import Ending, ServiceBusSource, connect_async
from cdsbridge.sources.connect import credential_of, explain
from cdsbridge.sources.intake import Reading, reading_from
from cdsbridge.sources.peek import peek

from ..sources.reading import depth, settle_all, take, wait_until
from .entra import CLIENT, ISSUER, SECRET, TENANT, Entra

AUDIENCE = "https://servicebus.azure.net"
Ways = Callable[[str], dict[str, Any]]


class Counting:
    """An issuer that counts the tokens the broker took."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self._changed = threading.Condition()
        self.taken = 0

    def read(self, token: str, now: float) -> Grant:
        grant = self._issuer.read(token, now)
        with self._changed:
            self.taken += 1
            self._changed.notify_all()
        return grant

    def wait_for(self, tokens: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.taken >= tokens, 60)


@pytest.fixture(scope="module")
def roles() -> dict[str, frozenset[Right]]:
    """Of the application: Azure Service Bus Data Receiver, and no more."""
    return {CLIENT: frozenset({Right.LISTEN})}


@pytest.fixture(scope="module")
def issuer(service: Entra, roles: dict[str, frozenset[Right]]) -> Counting:
    return Counting(Issuer(ISSUER, service.public_key, roles))


@pytest.fixture(scope="module")
def guarded(service: Entra, issuer: Counting) -> Iterator[RunningBroker]:
    """A broker that takes tokens of the service, and no others."""
    namespace = Namespace()
    namespace.create_queue("q")
    with run_in_thread(namespace, certificate=service.certificate, issuer=issuer) as running:
        yield running


def post(broker: RunningBroker, count: int = 1) -> None:
    contents = [Content(body=section(DATA, b"x"))] * count
    broker.call(lambda namespace: namespace.queue("q").send(contents))


def source(broker: RunningBroker, credential: dict[str, Any], **settings: Any) -> ServiceBusSource:
    return ServiceBusSource.model_validate(
        {
            "namespace": "localhost",
            "endpoint": f"sb://localhost:{broker.port}",
            "ca_file": broker.certificate,
            "credential": credential,
            "entities": ["q"],
            "wait": 0.2,
            "retries": {"total": 0},
            **settings,
        }
    )


@pytest.mark.parametrize("way", ["secret", "certificate", "federated", "imds", "app service", "environment"])
def test_each_login_opens_a_link_that_receives_and_settles(
    way: str, guarded: RunningBroker, login_of: Ways, entra: Entra
) -> None:
    post(guarded, 3)
    with reading_from(Reading(source(guarded, login_of(way)), Ending.at_mark(), None)) as intake:
        assert len(settle_all(intake)) == 3
    wait_until(lambda: not any(depth(guarded, "q").values()))
    assert {asked.scope.removesuffix("/.default") for asked in entra.asked} == {f"{AUDIENCE}/"}


def receive_async(configured: ServiceBusSource) -> int:
    """Receive and settle one message by the asynchronous client; how many came."""

    async def received() -> int:
        async with (
            connect_async.open_client(configured) as client,
            connect_async.open_receiver(client, "q", configured) as receiver,
        ):
            messages = await receiver.receive_messages(1, max_wait_time=5)
            for message in messages:
                await receiver.complete_message(message)
            return len(messages)

    return asyncio.run(received())


def test_the_asynchronous_client_logs_in_likewise(
    guarded: RunningBroker, login_of: Ways, entra: Entra
) -> None:
    if tuple(int(part) for part in azure.servicebus.__version__.split(".")[:2]) < (7, 15):
        pytest.skip("before 7.15 the asynchronous client cannot connect over TLS to this machine (Errno 22)")
    post(guarded)
    assert receive_async(source(guarded, login_of("certificate"))) == 1
    assert [asked.way for asked in entra.asked] == ["certificate"]
    wrong = source(guarded, login_of("secret") | {"client_secret": "a-wrong-secret"})
    with pytest.raises(AzureError) as caught:
        receive_async(wrong)
    told = explain(caught.value, wrong, "q")
    assert isinstance(told, NotPermitted)
    assert "AADSTS7000215" in str(told)


def refused(broker: RunningBroker, credential: dict[str, Any]) -> NotPermitted:
    """What is told when a link is not let in."""
    with (
        pytest.raises(NotPermitted) as caught,
        reading_from(Reading(source(broker, credential), Ending.at_mark(), None)),
    ):
        pass
    assert SECRET not in str(caught.value)
    assert exit_code(caught.value) == Exit.NOT_PERMITTED
    return caught.value


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"client_secret": "a-wrong-secret"}, "AADSTS7000215, the client secret is wrong: give its value"),
        ({"client_id": TENANT}, "AADSTS700016, the tenant does not know this application: check client_id"),
    ],
)
def test_a_login_that_entra_refuses_is_told_with_what_to_do(
    changed: dict[str, str], sentence: str, guarded: RunningBroker, login_of: Ways
) -> None:
    told = str(refused(guarded, login_of("secret") | changed))
    assert told.startswith(f"no token for localhost: {sentence}")
    assert told.endswith("see source.credential")
    assert "a-wrong-secret" not in told


def test_a_token_for_another_audience_is_refused(
    guarded: RunningBroker, login_of: Ways, entra: Entra
) -> None:
    entra.audience = "https://storage.azure.com"
    assert "refuses to let us receive from 'q'" in str(refused(guarded, login_of("secret")))


def test_an_application_without_a_role_is_refused(
    guarded: RunningBroker, login_of: Ways, roles: dict[str, frozenset[Right]]
) -> None:
    role = roles.pop(CLIENT)
    try:
        assert "Azure Service Bus Data Receiver" in str(refused(guarded, login_of("secret")))
    finally:
        roles[CLIENT] = role


def test_a_token_service_that_is_away_is_no_refusal(
    guarded: RunningBroker, login_of: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured = source(guarded, login_of("secret"))
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(ServiceUnreachable, match="Entra ID cannot be reached"):
        peek(configured, "q", 1)


@pytest.fixture
def sdk_clock(monkeypatch: pytest.MonkeyPatch) -> ShiftedClock:
    """The clock by which the client renews tokens."""
    clock = ShiftedClock()
    monkeypatch.setattr(cbs, "utc_now", lambda: datetime.fromtimestamp(clock(), UTC))
    return clock


def test_a_token_is_renewed_before_it_expires_and_the_link_stays(
    service: Entra,
    login_of: Ways,
    entra: Entra,
    issuer: Counting,
    sdk_clock: ShiftedClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = ShiftedClock()
    namespace = Namespace(now)
    namespace.create_queue("q")
    entra.lifetime, before = 240, issuer.taken
    with (
        run_in_thread(namespace, clock=now, certificate=service.certificate, issuer=issuer) as broker,
        reading_from(Reading(source(broker, login_of("secret")), Ending.never(), None)) as intake,
    ):
        post(broker)
        take(intake, 1)
        entra.lifetime = 290
        sdk_clock.advance(220)  # into the last tenth
        issuer.wait_for(before + 2)
        broker.call(lambda _: now.advance(250))  # past the first token
        post(broker)
        take(intake, 1)
    assert len(entra.asked) == 2
    assert "trying again" not in caplog.text


def test_a_token_that_cannot_be_renewed_ends_the_link_until_it_can(
    guarded: RunningBroker,
    login_of: Ways,
    entra: Entra,
    sdk_clock: ShiftedClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "cdsbridge")
    entra.lifetime = 240
    with reading_from(Reading(source(guarded, login_of("secret")), Ending.never(), None)) as intake:
        post(guarded)
        take(intake, 1)
        entra.secret = "another"
        sdk_clock.advance(220)
        wait_until(lambda: "AADSTS7000215" in caplog.text)
        entra.secret, entra.lifetime = SECRET, 3600
        post(guarded)
        take(intake, 1)
    assert SECRET not in caplog.text


def test_the_command_ends_with_one_sentence_and_its_exit_code(
    tmp_path: Path, guarded: RunningBroker, login_of: Ways, entra: Entra
) -> None:
    configured = {
        "source": {
            "namespace": "localhost",
            "endpoint": f"sb://localhost:{guarded.port}",
            "ca_file": str(guarded.certificate),
            "credential": login_of("secret") | {"client_secret": "${APP_SECRET}"},
            "entities": ["q"],
        },
        "sinks": [{"kind": "parquet", "url": str(tmp_path / "lake")}],
    }
    path = tmp_path / "bridge.yaml"
    path.write_text(yaml.safe_dump(configured))
    ended = subprocess.run(
        [sys.executable, "-m", "cdsbridge.pipelines.cli", "run", str(path)],
        env={**os.environ, "APP_SECRET": "a-wrong-secret"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    told = [line for line in ended.stderr.splitlines() if "apitools" not in line]
    assert len(told) == 1, told
    assert "AADSTS7000215" in told[0]
    assert "a-wrong-secret" not in ended.stderr + ended.stdout
    assert ended.returncode == Exit.NOT_PERMITTED


def test_managing_needs_a_token_with_the_role_of_an_owner(
    guarded: RunningBroker, login_of: Ways, entra: Entra, roles: dict[str, frozenset[Right]]
) -> None:
    credential = credential_of(source(guarded, login_of("secret")))
    namespace = f"localhost:{guarded.port}"
    verify = str(guarded.certificate)
    with ServiceBusAdministrationClient(
        namespace,
        credential,  # type: ignore[arg-type]
        connection_verify=verify,
        retry_total=0,
    ) as client:
        with pytest.raises(ClientAuthenticationError):
            client.get_queue("q")
        role, roles[CLIENT] = roles[CLIENT], frozenset({Right.MANAGE})
        try:
            assert client.get_queue("q").name == "q"
        finally:
            roles[CLIENT] = role
    assert {asked.way for asked in entra.asked} == {"secret"}
    assert all(asked.scope.startswith(f"{AUDIENCE}/") for asked in entra.asked)
