"""Any cuts, orders, duplications and crashes give the same rows."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cdsbridge.model.verdict import Outcome, Reason, Verdict
from cdsbridge.sinks.audit import audit
from cdsbridge.sinks.commit import Committer
from cdsbridge.sinks.testing.places import Place, Row

from .batches import NOW, Post, flattened, number, text
from .places import PLACES

EVENTS = "abcdef"
STAMPS = {"SinkCreatedOn", "SinkModifiedOn"}


def rows_of(event: str) -> list[tuple[str, dict[str, object]]]:
    """The rows of an event: the same in every post of it."""
    place = EVENTS.index(event)
    first = ("account", {"name": text(event * place), f"new_{place % 3}": number(place)})
    second = ("contact", {"fullname": text(event)})
    return [first, second, second][: place % 4]


def message(number_: int, event: str) -> Post:
    if event == "a":
        return Post(number_, "", verdict=Verdict.rejected(Reason.UNDECODABLE, "no JSON"))
    if event == "b":
        return Post(number_, "", verdict=Verdict(Outcome.SKIPPED))
    return Post(number_, event, rows_of(event))


messages = st.lists(st.sampled_from(EVENTS), min_size=1, max_size=8).map(
    lambda events: [message(i, event) for i, event in enumerate(events)]
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Post], list[tuple[str, list[Post]]]]:
    """Messages, and what befalls them: batches gathered, flushes, crashes."""
    sent = draw(messages)
    steps: list[tuple[str, list[Post]]] = []
    again = draw(st.lists(st.sampled_from(sent), max_size=12))
    rest = draw(st.permutations([*sent, *again]))
    arrival = NOW
    while rest:
        size = draw(st.integers(1, len(rest)))
        batch, rest = rest[:size], rest[size:]
        arrival += 1
        steps.append(("add", [replace(post, received_at=arrival) for post in batch]))
        steps.append((draw(st.sampled_from(["flush", "go on", "crash"])), []))
    # what a crash took comes again, for it was not settled
    steps += [("add", [replace(post, received_at=arrival + 1) for post in sent]), ("flush", [])]
    return sent, steps


def play(place: Place, steps: Sequence[tuple[str, list[Post]]]) -> list[Post]:
    """Play a history; return the deliveries that were committed."""
    committer = Committer([place.sink])
    gathered: list[Post] = []
    committed: list[Post] = []
    for what, posts in steps:
        if what == "add":
            committer.add(flattened(posts))
            gathered += posts
        elif what == "flush":
            committer.flush()
            committed += gathered
            gathered = []
        elif what == "crash":
            committer.close()
            committer = Committer([place.sink])
            gathered = []
    committer.close()
    return committed


def expected(committed: Sequence[Post], table: str) -> dict[str, tuple[object, ...]]:
    """By the plain rule: of each event, the delivery with the lowest order, then the earliest."""
    kept: dict[str, tuple[object, ...]] = {}
    for post in sorted(committed, key=lambda p: (p.order, p.received_at), reverse=True):
        for row, (name, values) in enumerate(post.rows):
            if name == table:
                data = {column: value.as_py() for column, value in values.items()}
                kept[f"{post.event}-{row}"] = (post.order, post.number, post.received_at - NOW, data)
    return kept


def seen(rows: Sequence[Row], *, exact: bool) -> dict[str, tuple[object, ...]]:
    return {
        str(row["_event_id"]): (
            str(row["_order"]).rpartition("-")[0],
            row["_sequence_number"],
            int(str(row["_received_at"])[-6:]) if exact else None,
            {
                name: value
                for name, value in row.items()
                if value is not None and (name.islower() and not name.startswith("_"))
            },
        )
        for row in rows
    }


@settings(max_examples=40, deadline=None)
@given(histories())
def test_any_order_cut_and_multiplicity_of_deliveries_gives_the_same_rows(
    history: tuple[list[Post], list[tuple[str, list[Post]]]],
) -> None:
    sent, steps = history
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        readers = {}
        for name, make in PLACES.items():
            place = make(Path(folder, name))
            committed = play(place, steps)
            # a Parquet file that is there stays, so a redelivery does not change when it says it came
            exact = name != "parquet"
            for table in ("account", "contact"):
                want = expected(committed, table)
                if not exact:
                    want = {event: (o, n, None, d) for event, (o, n, _, d) in want.items()}
                assert seen(place.rows(f"{table}_history"), exact=exact) == want, name
            assert len(place.rows("_ledger")) == len(sent), name
            assert len(place.rows("_quarantine")) == sum(post.is_rejected for post in sent), name
            readers[name] = stack.enter_context(closing(place.sink.read()))
        report = audit((post.key for post in sent), readers)
        assert report.holds, report.lines()
        assert report.received == len(sent)
