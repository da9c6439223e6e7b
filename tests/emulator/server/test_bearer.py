"""Bearer tokens at the broker: whose, for whom, until when, and what they allow."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cdsbridge.emulator.amqp.performatives import Detach
from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.errors import EntityError
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.server import Issuer, Policy, Right, RunningBroker, run_in_thread
from cdsbridge.emulator.server.access import Access

from .test_access import put_more

NAME = "https://sts.windows.net/tenant/"
AUDIENCE = "https://servicebus.azure.net"
KEY = rsa.generate_private_key(65537, 2048)
PUBLIC = (
    KEY.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
ROLES = {"receiver": frozenset({Right.LISTEN}), "owner": frozenset({Right.MANAGE})}
NOW = 1000.0


def bearer(key: Any = KEY, algorithm: str = "RS256", **claims: Any) -> str:
    """A token; a claim that is given as ``None`` is left out."""
    given = {"aud": AUDIENCE, "iss": NAME, "nbf": NOW - 9, "exp": NOW + 100, "appid": "receiver", **claims}
    return jwt.encode({name: each for name, each in given.items() if each is not None}, key, algorithm)


@pytest.fixture
def access() -> Access:
    return Access(lambda: NOW, issuer=Issuer(NAME, PUBLIC, ROLES))


def test_a_token_allows_what_the_role_of_its_application_does(access: Access) -> None:
    def allowed(token: str) -> list[bool]:
        return [access.permits(f"Bearer {token}", right, "orders") for right in Right]

    assert allowed(bearer()) == [True, False, False]
    assert allowed(bearer(appid="owner")) == [True, True, True]
    assert allowed(bearer(appid=None, azp="owner")) == [True, True, True]
    assert allowed(bearer(appid="nobody")) == [False, False, False]


@pytest.mark.parametrize("audience", [AUDIENCE, f"{AUDIENCE}/"])
def test_the_audience_may_have_a_slash_at_its_end(access: Access, audience: str) -> None:
    assert access.read(bearer(aud=audience)).expires == NOW + 100


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        (bearer(aud="https://storage.azure.com"), "InvalidAudience"),
        (bearer(aud=[AUDIENCE, "https://storage.azure.com"]), "InvalidAudience"),
        (bearer(exp=NOW), "ExpiredToken"),
        (bearer(nbf=NOW + 1), "not valid yet"),
        (bearer(iss="https://sts.windows.net/another/"), "InvalidToken"),
        (bearer(exp=None), "InvalidToken"),
        (bearer(exp="soon"), "InvalidToken"),
        (bearer(aud=None), "InvalidToken"),
        (bearer(rsa.generate_private_key(65537, 2048)), "InvalidToken"),
        (bearer("x" * 32, "HS256"), "InvalidToken"),
        (bearer(None, "none"), "InvalidToken"),
        ("no.token.", "InvalidToken"),
        ("", "InvalidToken"),
    ],
)
def test_a_token_that_is_not_good_is_refused(access: Access, token: str, sentence: str) -> None:
    with pytest.raises(EntityError, match=sentence):
        access.read(token)


def test_an_issuer_and_policies_hold_beside_each_other() -> None:
    access = Access(
        lambda: NOW, [Policy("send", "key", frozenset({Right.SEND}))], issuer=Issuer(NAME, PUBLIC)
    )
    assert access.login("send", "key").rights == {Right.SEND}
    assert access.read(bearer(appid="nobody")).rights == set(Right)
    assert not access.is_open


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(time.time())


@pytest.fixture
def guarded(clock: ManualClock) -> Iterator[RunningBroker]:
    namespace = Namespace(clock)
    namespace.create_queue("orders")
    with run_in_thread(namespace, clock=clock, issuer=Issuer(NAME, PUBLIC, ROLES)) as running:
        yield running


def test_a_token_that_is_not_renewed_detaches_its_links(
    guarded: RunningBroker, connect: Callable[[int], Any], clock: ManualClock
) -> None:
    def until(seconds: float) -> str:
        return bearer(nbf=clock() - 9, exp=clock() + seconds)

    wire = connect(guarded.port)
    wire.begin()
    wire.receive_from("$cbs", 10)
    wire.send_to("$cbs", 11)
    wire.credit(9, handle=10)
    put_more(wire, bearer(aud="https://storage.azure.com"), 0, 401)
    put_more(wire, until(100), 1)
    assert wire.send_to("orders", 2).target is None
    assert wire.hear(Detach).handle == 2
    assert wire.receive_from("orders", 3).source is not None
    guarded.call(lambda _: clock.advance(90))
    put_more(wire, until(100), 2)
    guarded.call(lambda _: clock.advance(90))
    assert wire.receive_from("orders", 4).source is not None
    guarded.call(lambda _: clock.advance(11))
    ended = [wire.hear(Detach) for _ in range(2)]
    assert {each.handle for each in ended} == {3, 4}
    assert {each.error.condition for each in ended} == {"amqp:unauthorized-access"}
