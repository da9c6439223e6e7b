"""Paths of entities: every form Service Bus has, and a sentence for every other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.sources.address import Address, SubQueue
from cdsbridge.sources.config import ServiceBusSource, dead_letters_of

NAMES = st.from_regex(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,20}[A-Za-z0-9])?", fullmatch=True).filter(
    lambda name: "//" not in name and "subscriptions" not in name.lower()
)
SUBSCRIPTIONS = st.from_regex(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True).filter(
    lambda name: name.lower() != "subscriptions"
)
ADDRESSES = st.builds(Address, NAMES, st.none() | SUBSCRIPTIONS, st.none() | st.sampled_from(list(SubQueue)))


@given(ADDRESSES)
def test_every_form_is_read_back_from_its_path(address: Address) -> None:
    assert Address.parse(address.path) == address
    fixed = str(address.path).replace("Subscriptions", str.lower("Subscriptions"))
    assert Address.parse(fixed) == address


@given(ADDRESSES)
def test_the_dead_letters_of_dead_letters_are_themselves(address: Address) -> None:
    dead = Address.parse(dead_letters_of(address.path))
    assert dead.dead_letters
    assert dead.entity == address.entity
    assert dead_letters_of(dead.path) == dead.path


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("", "no queue or subscription"),
        ("a b", "no queue or subscription"),
        ("a//b", "no queue or subscription"),
        ("/a", "no queue or subscription"),
        ("x" * 261, "1 to 260"),
        ("$DeadLetterQueue", "no queue or subscription"),
        ("q/$dlq", "no such sub-queue"),
        ("q/$DeadLetterQueue/$DeadLetterQueue", "no such sub-queue"),
        ("topic/Subscriptions", "does not name the subscription"),
        ("topic/Subscriptions/" + "s" * 51, "cannot name a subscription"),
        ("topic/Subscriptions/a b", "cannot name a subscription"),
        ("sb://contoso.servicebus.windows.net/q", "is a URL"),
    ],
)
def test_what_is_no_path_is_told(path: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Address.parse(path)


def source(**settings: object) -> ServiceBusSource:
    return ServiceBusSource.model_validate({"namespace": "n.example", **settings})


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"entities": ["q", "Q"]}, "named twice"),
        ({"entities": ["t/Subscriptions/s", "t/subscriptions/S"]}, "named twice"),
        ({"entities": ["q"], "sessions": {"r": 8}}, "'r' is none of entities"),
        (
            {"entities": ["q/$DeadLetterQueue"], "sessions": {"q/$DeadLetterQueue": 8}},
            "those have no sessions",
        ),
        ({"entities": ["q"], "sessions": {"q": 0}}, "greater than or equal to 1"),
        ({"entities": []}, "at least 1 item"),
    ],
)
def test_entities_that_do_not_go_together_are_told(settings: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        source(**settings)


def test_sessions_are_found_whatever_the_case() -> None:
    configured = source(entities=["T/Subscriptions/s", "q"], sessions={"t/subscriptions/S": 8})
    assert (configured.sessions_of("T/Subscriptions/s"), configured.sessions_of("q")) == (8, 0)


def test_a_source_is_a_key_and_tells_its_dead_letters_once() -> None:
    configured = source(entities=["q", "t/Subscriptions/s"], sessions={"q": 2})
    assert {configured: 1}[source(entities=["q", "t/Subscriptions/s"], sessions={"q": 2})] == 1
    dead = configured.dead_letters()
    assert dead.entities == ("q/$DeadLetterQueue", "t/Subscriptions/s/$DeadLetterQueue")
    assert dead.sessions == {}
    assert dead.dead_letters().entities == dead.entities
