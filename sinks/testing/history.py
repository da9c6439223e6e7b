"""What every sink promises of histories, ledger and quarantine."""

import pickle
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from ...tables import hydration
from ...tables.columns import SYSTEM, TIMESTAMP
from ...tables.schema import TableSchema
from .. import ledger, quarantine
from ..base import Flush, SchemaMoved, SinkReader, SinkWriter
from .places import Place, canonical

TABLE = "account_history"
NOW = 1_790_000_000_000_000
NO_ENDINGS = ledger.SCHEMA.empty_table()
NO_REJECTS = quarantine.SCHEMA.empty_table()


def schema_with(**columns: pa.DataType) -> TableSchema:
    """Return the history of accounts with some data columns."""
    return TableSchema(TABLE, {**SYSTEM, **columns})


def rows_for(
    schema: TableSchema, events: list[str], data: Mapping[str, list[Any]] | None = None, sent: int = 1
) -> pa.Table:
    """Return history rows; ``sent`` is the broker's number of the first post."""
    count = len(events)
    known: dict[str, list[Any]] = {
        "_event_id": events,
        "_order": [f"{sent + i:019d}.{event}" for i, event in enumerate(events)],
        "_entity": ["orders"] * count,
        "_sequence_number": [sent + i for i in range(count)],
        "_message_id": [f"m{sent + i}" for i in range(count)],
        "_enqueued_at": [NOW + sent] * count,
        "_received_at": [NOW + sent] * count,
        "SinkCreatedOn": [NOW] * count,
        "SinkModifiedOn": [NOW] * count,
        **(data or {}),
    }
    arrays = [pa.array(known.get(name, [None] * count), kind) for name, kind in schema.columns.items()]
    return pa.Table.from_arrays(arrays, schema=schema.arrow())


def ending(number: int, **values: object) -> dict[str, object]:
    """Return the ledger row of a message."""
    return {
        "entity": "orders",
        "sequence_number": number,
        "enqueued_at": NOW,
        "message_id": f"m{number}",
        "disposition": "committed",
        "reason": "",
        "event": f"e{number}",
        "rows": 1,
        "committed_at": NOW,
        **values,
    }


def endings(*rows: dict[str, object]) -> pa.Table:
    """Return ledger rows as a table."""
    return pa.Table.from_pylist(list(rows), schema=ledger.SCHEMA)


def commit(writer: SinkWriter, flush: Flush) -> None:
    """Stage and commit a flush."""
    writer.commit(writer.stage(flush))


@contextmanager
def opened(place: Place) -> Iterator[SinkWriter]:
    """Open a writer for a while."""
    with closing(place.sink.open()) as writer:
        yield writer


@contextmanager
def reading(place: Place) -> Iterator[SinkReader]:
    """Open a reader for a while."""
    with closing(place.sink.read()) as reader:
        yield reader


class SinkContract:
    """Tests over the fixture ``place``, an empty :class:`Place`."""

    def test_a_table_that_is_not_there_has_no_columns(self, place: Place) -> None:
        with opened(place) as writer:
            assert writer.describe(TABLE) is None

    def test_an_empty_sink_reads_as_empty(self, place: Place) -> None:
        with reading(place) as reader:
            assert list(reader.ledger()) == []
            assert list(reader.quarantined()) == []
            assert list(reader.event_ids()) == []
            assert dict(reader.rows()) == {"_quarantine": 0}

    def test_a_prepared_table_has_its_columns_and_types_after_a_restart(self, place: Place) -> None:
        schema = schema_with(
            name=pa.string(),
            age=pa.int64(),
            ok=pa.bool_(),
            born=pa.date32(),
            seen=TIMESTAMP,
            price=pa.decimal128(38, 4),
            rate=pa.decimal128(38, 10),
            ratio=pa.float64(),
            blob=pa.binary(),
        )
        with opened(place) as writer:
            writer.prepare(schema)
        with opened(place) as writer:
            assert writer.describe(TABLE) == schema

    def test_preparing_twice_is_preparing_once(self, place: Place) -> None:
        schema = schema_with(name=pa.string())
        with opened(place) as writer:
            writer.prepare(schema)
            writer.prepare(schema)
            assert writer.describe(TABLE) == schema

    def test_a_table_widens_and_keeps_its_rows(self, place: Place) -> None:
        narrow, wide = schema_with(name=pa.string()), schema_with(name=pa.string(), age=pa.int64())
        with opened(place) as writer:
            writer.prepare(narrow)
            commit(writer, Flush({TABLE: rows_for(narrow, ["a-0"], {"name": ["A"]})}, NO_REJECTS, NO_ENDINGS))
            writer.prepare(wide)
            rows = rows_for(wide, ["b-0"], {"name": ["B"], "age": [3]})
            commit(writer, Flush({TABLE: rows}, NO_REJECTS, NO_ENDINGS))
        assert [(r["_event_id"], r["name"], r["age"]) for r in place.rows(TABLE)] == [
            ("a-0", "A", None),
            ("b-0", "B", 3),
        ]

    def test_preparing_fewer_columns_drops_none(self, place: Place) -> None:
        wide = schema_with(name=pa.string(), age=pa.int64())
        with opened(place) as writer:
            writer.prepare(wide)
            writer.prepare(schema_with(name=pa.string()))
            assert writer.describe(TABLE) == wide

    def test_of_two_writers_that_widen_each_adds_to_the_other(self, place: Place) -> None:
        with opened(place) as one, opened(place) as other:
            one.prepare(schema_with(name=pa.string()))
            other.prepare(schema_with(age=pa.int64()))
            one.prepare(schema_with(name=pa.string(), size=pa.int64()))
            found = other.describe(TABLE)
        assert found is not None
        assert set(found.columns) == {*SYSTEM, "name", "age", "size"}

    def test_a_column_never_changes_its_type(self, place: Place) -> None:
        with opened(place) as one, opened(place) as other:
            one.prepare(schema_with(name=pa.string()))
            with pytest.raises(SchemaMoved):
                other.prepare(schema_with(name=pa.int64()))
            assert one.describe(TABLE) == schema_with(name=pa.string())

    def test_committing_twice_changes_nothing(self, place: Place) -> None:
        schema = schema_with(name=pa.string())
        rows = rows_for(schema, ["a-0", "b-0"], {"name": ["A", "B"]})
        flush = Flush({TABLE: rows}, NO_REJECTS, endings(ending(1), ending(2)))
        with opened(place) as writer:
            writer.prepare(schema)
            staged = writer.stage(flush)
            writer.commit(staged)
            once = place.rows(TABLE)
            writer.commit(staged)
            commit(writer, flush)
        assert place.rows(TABLE) == once == canonical(rows)
        with reading(place) as reader:
            assert reader.rows() == {TABLE: 2, "_quarantine": 0}
            assert pa.concat_tables(reader.ledger()) == flush.ledger

    def test_what_is_staged_and_not_committed_is_not_there(self, place: Place) -> None:
        schema = schema_with(name=pa.string())
        flush = Flush({TABLE: rows_for(schema, ["a-0"])}, NO_REJECTS, endings(ending(1)))
        with opened(place) as writer:
            writer.prepare(schema)
            writer.stage(flush)
        assert place.rows(TABLE) == []
        with reading(place) as reader:
            assert [len(ids) for _, ids in reader.event_ids()] in ([], [0])
            assert sum(piece.num_rows for piece in reader.ledger()) == 0

    def test_an_earlier_post_of_an_event_gives_its_delivery_columns(self, place: Place) -> None:
        schema = schema_with(name=pa.string())
        later = rows_for(schema, ["a-0"], {"name": ["A"]}, sent=9)
        earlier = rows_for(schema, ["a-0"], {"name": ["A"], "SinkCreatedOn": [NOW + 5]}, sent=4)
        with opened(place) as writer:
            writer.prepare(schema)
            for rows in (later, earlier, later):
                commit(writer, Flush({TABLE: rows}, NO_REJECTS, NO_ENDINGS))
        (row,) = place.rows(TABLE)
        assert (row["name"], row["_message_id"], row["_sequence_number"]) == ("A", "m4", 4)

    def test_every_value_comes_back_as_it_went_in(self, place: Place) -> None:
        values: dict[str, tuple[pa.DataType, list[Any]]] = {
            "string": (
                pa.string(),
                [
                    "",
                    None,
                    "a\0b",
                    "\u00e9 \u202e\U0001f469\u200d\U0001f467 \U0001d11e",
                    "'\";--%s :p0",
                    "\r\n\t ",
                ],
            ),
            "lone_digits": (pa.string(), ["007", "1e5", "+1", "0x1F", "1.10", None]),
            "integer": (pa.int64(), [-(2**63), 2**63 - 1, 0, None, -1, 2**53 + 1]),
            "flag": (pa.bool_(), [True, False, None, True, False, None]),
            "day": (pa.date32(), [date(1, 1, 1), date(9999, 12, 31), None, date(1970, 1, 1), None, None]),
            "instant": (TIMESTAMP, [-62_135_596_800_000_000, 253_402_300_799_999_999, 0, -1, None, 1]),
            "wide": (
                pa.decimal128(38, 10),
                [
                    Decimal(f"{'9' * 28}.{'9' * 10}"),
                    Decimal("1E-10"),
                    None,
                    Decimal(0),
                    Decimal("-0.1"),
                    None,
                ],
            ),
            "money": (
                pa.decimal128(38, 4),
                [
                    Decimal("12.3400"),
                    Decimal("-" + "9" * 34),
                    None,
                    Decimal("0.0001"),
                    None,
                    Decimal("1E+20"),
                ],
            ),
            "real": (pa.float64(), [0.1, -0.0, 1e308, 5e-324, None, float("inf")]),
            "bytes": (pa.binary(), [b"", b"\0\xff", None, b"a", None, None]),
        }
        schema = schema_with(**{name: kind for name, (kind, _) in values.items()})
        lacks = getattr(place, "lacks", ())
        data = {
            name: [None if cell in lacks else cell for cell in cells] for name, (_, cells) in values.items()
        }
        rows = rows_for(schema, [f"{i}-0" for i in range(6)], data)
        with opened(place) as writer:
            writer.prepare(schema)
            commit(writer, Flush({TABLE: rows}, NO_REJECTS, NO_ENDINGS))
        assert place.rows(TABLE) == canonical(rows)

    def test_a_table_may_have_600_columns_or_as_many_as_the_sink_says(self, place: Place) -> None:
        count = min(600, place.sink.max_columns - len(SYSTEM))
        schema = schema_with(**{f"new_column{i}": pa.string() for i in range(count)})
        data = {f"new_column{i}": [f"v{i}", None] for i in range(0, count, 3)}
        rows = rows_for(schema, ["a-0", "b-0"], data)
        with opened(place) as writer:
            writer.prepare(schema)
            commit(writer, Flush({TABLE: rows}, NO_REJECTS, NO_ENDINGS))
        assert place.rows(TABLE) == canonical(rows)

    def test_names_that_a_database_knows_as_words_are_names(self, place: Place) -> None:
        words = dict.fromkeys(
            ["order", "select", "group", "table", "from", "p0", "p1", "new name"], pa.string()
        )
        schema = TableSchema("order_history", {**SYSTEM, **words})
        rows = rows_for(schema, ["a-0"], {word: [word] for word in words})
        with opened(place) as writer:
            writer.prepare(schema)
            commit(writer, Flush({"order_history": rows}, NO_REJECTS, NO_ENDINGS))
        assert place.rows("order_history") == canonical(rows)

    def test_an_empty_flush_changes_nothing(self, place: Place) -> None:
        with opened(place) as writer:
            commit(writer, Flush({}, NO_REJECTS, NO_ENDINGS))
        with reading(place) as reader:
            assert dict(reader.rows()) == {"_quarantine": 0}

    def test_a_message_has_one_ledger_row_and_the_first_counts(self, place: Place) -> None:
        with opened(place) as writer:
            commit(writer, Flush({}, NO_REJECTS, endings(ending(1), ending(2))))
            commit(writer, Flush({}, NO_REJECTS, endings(ending(2), ending(1))))
        with reading(place) as reader:
            found = pa.concat_tables(reader.ledger())
        assert found.sort_by("sequence_number") == endings(ending(1), ending(2))

    def test_the_quarantine_keeps_the_body_byte_for_byte(self, place: Place) -> None:
        row = {
            "entity": "orders",
            "sequence_number": 1,
            "enqueued_at": NOW,
            "message_id": "m1",
            "correlation_id": "",
            "content_type": "application/json",
            "delivery_count": 2,
            "reason": "undecodable",
            "sentence": "The body is no JSON: it ends at byte 3",
            "place": "3",
            "properties": "{}",
            "body": bytes(range(256)),
            "quarantined_at": NOW,
        }
        rejects = pa.Table.from_pylist([row], schema=quarantine.SCHEMA)
        flush = Flush({}, rejects, endings(ending(1, disposition="rejected", event="", rows=0)))
        with opened(place) as writer:
            commit(writer, flush)
            commit(writer, flush)
        assert place.rows("_quarantine") == canonical(rejects)
        with reading(place) as reader:
            assert dict(reader.rows()) == {"_quarantine": 1}
            assert pa.concat_tables(reader.quarantined()) == rejects

    def test_the_reader_sees_every_event_of_every_table(self, place: Place) -> None:
        other = TableSchema("contact_history", dict(SYSTEM))
        tables = {
            TABLE: rows_for(schema_with(), ["a-0", "b-0"]),
            "contact_history": rows_for(other, ["a-1"]),
        }
        with opened(place) as writer:
            writer.prepare(schema_with())
            writer.prepare(other)
            commit(writer, Flush(tables, NO_REJECTS, NO_ENDINGS))
        with reading(place) as reader:
            found = {(table, event) for table, ids in reader.event_ids() for event in ids.to_pylist()}
            assert dict(reader.rows()) == {TABLE: 2, "contact_history": 1, "_quarantine": 0}
        assert found == {(TABLE, "a-0"), (TABLE, "b-0"), ("contact_history", "a-1")}

    def test_the_reader_tells_the_truncated_rows_that_can_be_hydrated(self, place: Place) -> None:
        events = ["a-0", "b-0", "c-0", "d-0", "e-0"]
        data: dict[str, list[Any]] = {
            "Id": [f"key-{event}" for event in events],
            "_truncated": [True, False, True, True, None],
            "_op": ["update", "update", "delete", "create", "create"],
            "_occurred_at": [NOW + number for number in range(5)],
            "_organization": ["org"] * 5,
            "_depth": [1, 1, 1, None, 1],
        }
        schema = schema_with(name=pa.string())
        whole = TableSchema("contact_history", dict(SYSTEM))
        rows = rows_for(schema, events, data)
        tables = {TABLE: rows, "contact_history": rows_for(whole, ["f-0"], {"_truncated": [False]})}
        with opened(place) as writer:
            writer.prepare(schema)
            writer.prepare(whole)
            commit(writer, Flush(tables, NO_REJECTS, NO_ENDINGS))
        with reading(place) as reader:
            found = list(reader.truncated())
        assert {table for table, _ in found} == {TABLE}
        expected = rows.select(hydration.SCHEMA.names).take([0, 3])
        assert pa.concat_tables(piece for _, piece in found).sort_by("_event_id") == expected

    def test_the_reader_tells_which_events_are_held(self, place: Place) -> None:
        with opened(place) as writer:
            writer.prepare(schema_with())
            commit(writer, Flush({TABLE: rows_for(schema_with(), ["a-0", "b-0"])}, NO_REJECTS, NO_ENDINGS))
        many = [f"{number}-0" for number in range(1_200)]
        with reading(place) as reader:
            assert reader.held(TABLE, pa.array([*many, "b-0", "a-0"])).sort().to_pylist() == ["a-0", "b-0"]
            assert reader.held(TABLE, pa.array([], pa.string())).to_pylist() == []
            assert reader.held("contact_history", pa.array(["a-0"])).to_pylist() == []

    def test_an_empty_sink_has_no_truncated_rows(self, place: Place) -> None:
        with reading(place) as reader:
            assert list(reader.truncated()) == []
            assert reader.held(TABLE, pa.array(["a-0"])).to_pylist() == []

    def test_a_sink_is_a_value(self, place: Place) -> None:
        assert pickle.loads(pickle.dumps(place.sink)) == place.sink
