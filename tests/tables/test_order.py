"""The order of events."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.tables.order import OPERATIONS, order_key, order_keys

events = st.tuples(
    st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999),
    st.sampled_from(list(OPERATIONS)),
    st.integers(0, 2**63 - 1),
    st.text("0123456789abcdef-", min_size=1, max_size=34),
)


@given(st.lists(events, min_size=1, max_size=5))
def test_many_keys_at_once_are_the_keys_of_each(found: list[tuple[int, str, int, str]]) -> None:
    times, ops, numbers, ids = zip(*found, strict=True)
    keys = order_keys(
        pa.array(times, pa.int64()), pa.array(ops), pa.array(numbers, pa.int64()), pa.array(ids)
    )
    assert keys.to_pylist() == [order_key(*each) for each in found]


@given(events, events)
def test_texts_sort_as_events_do(one: tuple[int, str, int, str], other: tuple[int, str, int, str]) -> None:
    ranked = [(at, OPERATIONS[op], number, event) for at, op, number, event in (one, other)]
    assert (order_key(*one) < order_key(*other)) == (ranked[0] < ranked[1])
