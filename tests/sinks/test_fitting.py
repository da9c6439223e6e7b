"""A number or date in a column of another type: held where that is exact, else its message is rejected."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given

from cdsbridge.model.verdict import Outcome, Reason
from cdsbridge.sinks.fitting import fitted
from cdsbridge.sinks.plan import Rules, make_plan
from cdsbridge.tables.schema import TableSchema

from .batches import STRICT, Post, flattened

DECIMAL = pa.decimal128(38, 10)
STAMP = pa.timestamp("us", tz="UTC")
CASES: list[tuple[Any, pa.DataType, pa.DataType, Any]] = [
    (5, pa.int64(), DECIMAL, Decimal(5)),
    (-(2**63), pa.int64(), DECIMAL, Decimal(-(2**63))),
    (2**53 + 1, pa.int64(), pa.float64(), None),
    (2**53, pa.int64(), pa.float64(), 2.0**53),
    (Decimal("5.0000000000"), DECIMAL, pa.int64(), 5),
    (Decimal("5.5000000000"), DECIMAL, pa.int64(), None),
    (Decimal("9223372036854775808.0000000000"), DECIMAL, pa.int64(), None),
    (Decimal("0.1000000000"), DECIMAL, pa.float64(), 0.1),
    (Decimal("1234567890123456.7890123456"), DECIMAL, pa.float64(), None),
    (0.1, pa.float64(), DECIMAL, Decimal("0.1")),
    (1e-11, pa.float64(), DECIMAL, None),
    (1e30, pa.float64(), DECIMAL, None),
    (float("nan"), pa.float64(), DECIMAL, None),
    (float("inf"), pa.float64(), pa.int64(), None),
    (3.0, pa.float64(), pa.int64(), 3),
    (date(2024, 2, 29), pa.date32(), STAMP, datetime(2024, 2, 29, tzinfo=UTC)),
    (datetime(2024, 2, 29, tzinfo=UTC), STAMP, pa.date32(), date(2024, 2, 29)),
    (datetime(2024, 2, 29, 1, tzinfo=UTC), STAMP, pa.date32(), None),
]


@pytest.mark.parametrize(("value", "carried", "held", "expected"), CASES)
def test_a_value_is_held_exactly_or_not_at_all(
    value: object, carried: pa.DataType, held: pa.DataType, expected: object
) -> None:
    found = fitted(pa.array([value, None], carried), held)
    assert found is not None
    assert found[0].type == held
    assert found[0].to_pylist() == [expected, None]
    assert found[1].to_pylist() == [expected is None, False]


@pytest.mark.parametrize("held", [pa.string(), pa.bool_(), STAMP])
def test_types_of_other_kinds_never_fit(held: pa.DataType) -> None:
    assert fitted(pa.array([1]), held) is None


@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers_come_back_from_decimals(value: int) -> None:
    there = fitted(pa.array([value]), DECIMAL)
    assert there is not None
    back = fitted(there[0], pa.int64())
    assert back is not None
    assert back[0].to_pylist() == [value]


def test_a_plan_holds_what_fits_and_rejects_only_the_messages_that_do_not() -> None:
    sizes = [Decimal(1), Decimal("1.5"), None, Decimal(7)]
    posts = [
        Post(at, f"event-{at}", [("account", {"size": pa.scalar(size, DECIMAL)})])
        for at, size in enumerate(sizes)
    ]
    known = {
        "account_history": TableSchema("account_history", {"_event_id": pa.string(), "size": pa.int64()})
    }
    plan = make_plan([flattened(posts)], known, 0, Rules(contracts=STRICT))
    assert plan.flush.tables["account_history"].column("size").to_pylist() == [1, None, 7]
    (verdicts,) = plan.verdicts
    assert [verdict.outcome for verdict in verdicts] == [
        Outcome.COMMITTED,
        Outcome.REJECTED,
        Outcome.COMMITTED,
        Outcome.COMMITTED,
    ]
    assert verdicts[1].reason == Reason.TYPE_CONFLICT
    assert "size" in verdicts[1].sentence
