"""News about tables: taken, kept aside in the row, or set aside with the message, as the contract says."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from cdsbridge.model.verdict import Reason
from cdsbridge.sinks.plan import Plan, Rules, make_plan
from cdsbridge.tables.columns import SYSTEM
from cdsbridge.tables.contract import ColumnContract, Contracts, TableContract
from cdsbridge.tables.schema import TableSchema

from .batches import Post, flattened, number, text

HISTORY = "account_history"
KNOWN = {HISTORY: TableSchema(HISTORY, {**SYSTEM, "size": pa.int64(), "name": pa.string()})}


def planned(
    contract: TableContract,
    *posts: dict[str, pa.Scalar],
    known: dict[str, TableSchema] | None = None,
    **more: Any,
) -> Plan:
    batch = flattened([Post(at, f"e{at}", [("account", columns)]) for at, columns in enumerate(posts)])
    rules = Rules(contracts=Contracts(tables={"account": contract}), **more)
    return make_plan([batch], KNOWN if known is None else known, 0, rules)


def rows(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            name: value
            for name, value in row.items()
            if value is not None and (name == "_extra" or name[0] not in "_SI")
        }
        for row in plan.flush.tables[HISTORY].to_pylist()
    ]


def reasons(plan: Plan) -> list[str]:
    return [str(verdict.reason) for verdict in plan.verdicts[0]]


MISFITS: list[tuple[pa.Scalar, str, str]] = [
    (text("big"), "big", '"big"'),
    (pa.scalar(Decimal("1.50"), pa.decimal128(38, 10)), "1.5", "1.5"),
    (pa.scalar(True), "true", "true"),
    (pa.scalar(1e300), "1e+300", "1e+300"),
    (pa.scalar(float("nan")), "nan", '"nan"'),
    (pa.scalar(date(2024, 2, 29)), "2024-02-29", '"2024-02-29"'),
    (
        pa.scalar(datetime(2024, 2, 29, 1, tzinfo=UTC), pa.timestamp("us", "UTC")),
        "2024-02-29T01:00:00Z",
        '"2024-02-29T01:00:00Z"',
    ),
    (pa.scalar(b"\0\1"), "AAE=", '"AAE="'),
]


@pytest.mark.parametrize(("value", "told", "_spelled"), MISFITS, ids=[m[1] for m in MISFITS])
def test_a_table_that_evolves_keeps_what_does_not_fit_as_text_beside(
    value: pa.Scalar, told: str, _spelled: str
) -> None:
    plan = planned(TableContract(), {"size": value}, {"size": number(3)})
    assert reasons(plan) == ["", ""]
    assert rows(plan) == [{"size__text": told}, {"size": 3}]


@pytest.mark.parametrize(("value", "_told", "spelled"), MISFITS, ids=[m[1] for m in MISFITS])
def test_a_frozen_table_keeps_it_in_extra(value: pa.Scalar, _told: str, spelled: str) -> None:
    plan = planned(
        TableContract(other_type="freeze"), {"size": value, "name": text("x")}, {"size": number(3)}
    )
    assert rows(plan) == [{"name": "x", "_extra": f'{{"size":{spelled}}}'}, {"size": 3}]


def test_a_frozen_table_takes_no_column_and_loses_nothing() -> None:
    columns = {
        "ownerid": text("1"),
        "ownerid_entitytype": text("team"),
        "owneridname": text("T"),
        "firstname": text("F"),
    }
    plan = planned(TableContract(new_column="freeze"), {"size": number(1), **columns})
    (row,) = rows(plan)
    kept = {"ownerid": "1", "ownerid@_entitytype": "team", "ownerid@name": "T", "firstname": "F"}
    assert (row["size"], json.loads(row["_extra"])) == (1, kept)
    assert set(plan.schemas[0].columns) == set(KNOWN[HISTORY].columns)


def test_a_column_may_have_a_contract_of_its_own() -> None:
    contract = TableContract(
        new_column="quarantine", columns={"colour": ColumnContract(new_column="evolve", other_type="freeze")}
    )
    plan = planned(contract, {"colour": text("red")}, {"shape": text("round")}, {"colour": number(7)})
    assert reasons(plan) == ["", Reason.CONTRACT, ""]
    assert rows(plan) == [{"colour": "red"}, {"_extra": '{"colour":7}'}]
    assert "shape" in plan.verdicts[0][1].sentence


def test_what_a_message_in_quarantine_brought_adds_no_column() -> None:
    contract = TableContract(columns={"size": ColumnContract(other_type="quarantine")})
    plan = planned(contract, {"size": text("big"), "colour": text("red")}, {"colour": number(7)})
    assert reasons(plan) == [Reason.TYPE_CONFLICT, ""]
    assert plan.schemas[0].columns["colour"] == pa.int64()


def test_a_new_table_may_be_refused_and_a_known_one_is_not() -> None:
    contract = TableContract(new_table="quarantine")
    assert reasons(planned(contract, {"size": number(1)}, known={})) == [Reason.CONTRACT]
    assert reasons(planned(contract, {"size": number(1)})) == [""]


def test_a_table_as_wide_as_it_may_be_keeps_further_columns_in_extra() -> None:
    width = len(KNOWN[HISTORY].columns) + 1
    plan = planned(TableContract(), {"a": number(1), "b": number(2)}, max_columns=width)
    assert rows(plan) == [{"a": 1, "_extra": '{"b":2}'}]
    assert len(plan.schemas[0].columns) == width


def test_one_column_in_two_types_in_one_batch_fills_one_column() -> None:
    plan = planned(
        TableContract(), {"size": number(1)}, {"size": pa.scalar(Decimal(2), pa.decimal128(38, 10))}
    )
    assert rows(plan) == [{"size": 1}, {"size": 2}]


def test_names_of_contracts_are_logical_names() -> None:
    with pytest.raises(ValidationError, match="lower case, unlike Account"):
        Contracts(tables={"Account": TableContract()})


def test_the_profile_of_synapse_link_has_its_partition_and_no_labels() -> None:
    created = pa.scalar(datetime(2024, 2, 29, 1, tzinfo=UTC), pa.timestamp("us", "UTC"))
    columns = {"kind": number(3), "kindname": text("Three"), "createdon": created, "name": text("x")}
    plan = planned(TableContract(), columns, {"kind": number(4)}, profile="synapse-compat", states=True)
    (one, other) = plan.flush.tables[HISTORY].select(["kind", "PartitionId", "name"]).to_pylist()
    assert one == {"kind": 3, "PartitionId": "2024", "name": "x"}
    assert other["PartitionId"] is None
    assert "kindname" not in plan.schemas[0].columns
    assert list(plan.schemas[0].columns)[:-1] == [n for n in plan.schemas[0].columns if n != "PartitionId"]
