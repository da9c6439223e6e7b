"""Deliveries and their settlement on the wire, seen by a client that shows every frame."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from cdsbridge.emulator.amqp.endpoints import Accepted, Error, Modified, Rejected, Released
from cdsbridge.emulator.amqp.performatives import (
    Detach,
    Disposition,
    Flow,
)
from cdsbridge.emulator.amqp.sections import (
    DATA,
    section,
    section_value,
    split_sections,
)
from cdsbridge.emulator.amqp.types import Int, Symbol, Value
from cdsbridge.emulator.server import RunningBroker


@pytest.mark.parametrize(
    ("outcome", "echo", "left"),
    [
        (Accepted(), Accepted(), {}),
        (Released(), Released(), {"active": 5}),
        (Modified(True, False), Modified(True, False), {"active": 5}),
        (Modified(True, True), Modified(True, True), {"deferred": 5}),
        (Rejected(Error("com.microsoft:dead-letter", "", {})), Rejected(None), {"dead_lettered": 5}),
    ],
)
def test_a_range_is_settled_as_asked_and_confirmed_in_one_frame(
    outcome: Any,
    echo: Any,
    left: dict[str, int],
    wire: Any,
    fill: Callable[..., None],
    depth_of: Callable[[], dict[str, int]],
) -> None:
    fill(5)
    wire.begin()
    wire.receive_from("q")
    wire.credit(5)
    assert [transfer.delivery_id for transfer in wire.transfers(5)] == [0, 1, 2, 3, 4]
    wire.say(Disposition(True, 0, 4, False, outcome))
    assert wire.hear(Disposition) == Disposition(False, 0, 4, True, echo)
    assert depth_of() == left


def test_in_a_range_only_the_delivery_that_lost_its_lock_is_rejected(
    broker: RunningBroker, wire: Any, fill: Callable[..., None], depth_of: Callable[[], dict[str, int]]
) -> None:
    fill(5)
    wire.begin()
    wire.receive_from("q")
    wire.credit(5)
    tags = [transfer.delivery_tag or b"" for transfer in wire.transfers(5)]
    broker.call(lambda namespace: namespace.queue("q").complete([UUID(bytes_le=tags[2])]))
    wire.say(Disposition(True, 0, 4, False, Accepted()))
    assert wire.hear(Disposition) == Disposition(False, 0, 1, True, Accepted())
    lost = wire.hear(Disposition)
    assert (lost.first, lost.last, lost.settled) == (2, 2, True)
    assert lost.state.error.condition == "com.microsoft:message-lock-lost"
    assert wire.hear(Disposition) == Disposition(False, 3, 4, True, Accepted())
    assert depth_of() == {}


def test_a_settled_disposition_is_applied_without_an_answer(
    wire: Any, fill: Callable[..., None], depth_of: Callable[[], dict[str, int]]
) -> None:
    fill(3)
    wire.begin()
    wire.receive_from("q")
    wire.credit(3)
    wire.transfers(3)
    wire.say(Disposition(True, 0, 2, True, Accepted()))
    wire.say(Disposition(True, 0, 2, True, Accepted()))
    wire.say(Detach(0, closed=True))
    assert wire.hear(Detach) == Detach(0, closed=True)
    assert depth_of() == {}


def test_a_delivery_that_is_not_held_is_answered_as_lost(wire: Any, queue: str) -> None:
    wire.begin()
    wire.receive_from(queue)
    wire.say(Disposition(True, 7, None, False, Accepted()))
    answer = wire.hear(Disposition)
    assert (answer.first, answer.state.error.condition) == (7, "com.microsoft:message-lock-lost")


def test_dead_letter_terms_become_properties(wire: Any, fill: Callable[..., None]) -> None:
    fill(1)
    wire.begin()
    wire.receive_from("q")
    wire.credit(1)
    wire.transfers(1)
    info: dict[Value, Value] = {
        Symbol("DeadLetterReason"): "why",
        Symbol("DeadLetterErrorDescription"): "because",
        "more": 5,
    }
    wire.say(Disposition(True, 0, 0, False, Rejected(Error("com.microsoft:dead-letter", None, info))))
    wire.hear(Disposition)
    wire.receive_from("q/$DeadLetterQueue", 2)
    wire.credit(1, seen=0, handle=2)
    wire.transfers(1)
    properties = section_value(split_sections(wire.payload).application_properties)
    assert properties == {"DeadLetterReason": "why", "DeadLetterErrorDescription": "because", "more": 5}


def test_outcomes_that_modify_set_properties_of_the_message(
    wire: Any, fill: Callable[..., None], broker: RunningBroker
) -> None:
    fill(1)
    wire.begin()
    wire.receive_from("q")
    outcomes = (
        Modified(True, False, {Symbol("tries"): Int(1), "why": "busy"}),
        Modified(True, False, None),
        Modified(True, True, {"tries": Int(3)}),
    )
    for number, outcome in enumerate(outcomes):
        wire.credit(1, seen=number)
        wire.transfers(1)
        wire.say(Disposition(True, number, number, False, outcome))
        assert wire.hear(Disposition).state == outcome
    (message,) = broker.call(lambda namespace: namespace.queue("q").peek(1, 1))
    assert section_value(message.content.application) == {"tries": 3, "why": "busy"}
    assert (message.state, message.delivery_count) == (1, 3)


def test_a_draining_client_gets_what_is_ready_and_its_credit_back(
    wire: Any, fill: Callable[..., None]
) -> None:
    fill(2)
    wire.begin()
    wire.receive_from("q")
    wire.credit(10, drain=True)
    wire.transfers(2)
    flow = wire.hear(Flow)
    assert (flow.handle, flow.delivery_count, flow.link_credit, flow.drain) == (0, 10, 0, True)


def test_no_more_is_delivered_than_the_credit_allows(
    wire: Any, fill: Callable[..., None], depth_of: Callable[[], dict[str, int]]
) -> None:
    fill(10)
    wire.begin()
    wire.receive_from("q")
    wire.credit(3)
    wire.transfers(3)
    assert depth_of() == {"active": 7, "locked": 3}
    wire.credit(4, seen=3)
    wire.transfers(4)
    assert depth_of() == {"active": 3, "locked": 7}


def test_no_more_frames_are_sent_than_the_window_allows(
    wire: Any, fill: Callable[..., None], depth_of: Callable[[], dict[str, int]]
) -> None:
    fill(4, size=900)
    wire.begin(window=3, max_frame_size=512)
    wire.receive_from("q", mode=1)
    wire.say(Flow(0, 3, 0, 5000, 0, 0, 10))
    assert [transfer.more for transfer in wire.transfers(3)] == [True, True, False]
    wire.say(Flow(3, 2, 0, 5000, 0, 1, 9, echo=True))
    assert [transfer.more for transfer in wire.transfers(2)] == [True, True]
    assert wire.hear(Flow).next_outgoing_id == 5
    wire.say(Flow(5, 5000, 0, 5000, 0, 1, 9))
    assert [transfer.more for transfer in wire.transfers(7)] == [False, True, True, False, True, True, False]
    assert depth_of() == {}


def test_a_delivery_has_the_lock_token_as_tag_and_annotation(wire: Any, fill: Callable[..., None]) -> None:
    fill(1)
    wire.begin()
    wire.receive_from("q")
    wire.credit(1)
    (transfer,) = wire.transfers(1)
    parts = split_sections(wire.payload)
    token = UUID(bytes_le=transfer.delivery_tag or b"")
    assert section_value(parts.delivery_annotations) == {"x-opt-lock-token": token}
    annotations = section_value(parts.message_annotations)
    assert isinstance(annotations, dict)
    assert set(annotations) == {
        "x-opt-enqueued-time",
        "x-opt-sequence-number",
        "x-opt-message-state",
        "x-opt-locked-until",
    }
    assert section_value(parts.header) == [True, 4, None, None, 0]
    assert parts.body == section(DATA, b"xxxx")
