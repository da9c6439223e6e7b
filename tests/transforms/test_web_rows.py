"""Rows of the Web API become the same cells as the same values in a message."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.model.errors import MessageRejected
from cdsbridge.tables.columns import FLATTENED
from cdsbridge.tables.hydration import TruncatedRow, hydration_id
from cdsbridge.tables.order import order_key
from cdsbridge.tables.types import ColumnTypes, Kind
from cdsbridge.transforms.assembly import assemble
from cdsbridge.transforms.cells import Cell
from cdsbridge.transforms.contexts import (
    Binary,
    Instant,
    Money,
    Number,
    Option,
    Options,
    Reference,
    Unknown,
    Value,
)
from cdsbridge.transforms.rows import Row
from cdsbridge.transforms.web_rows import FORMATTED, deleted_row, hydrated_row, web_record

KEY = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
T0 = 1_722_582_039_000_000
TRUNCATED = TruncatedRow(
    "account", KEY, "e-0", "update", T0, "c", "o", "u", "i", "org", 1, "q", 7, "m", T0 + 1, T0 + 2
)
KINDS: Mapping[str, Kind] = {
    "accountid": Kind.TEXT,
    "name": Kind.TEXT,
    "numberofemployees": Kind.INTEGER,
    "exchangerate": Kind.DECIMAL,
    "address1_latitude": Kind.DOUBLE,
    "revenue": Kind.MONEY,
    "donotemail": Kind.BOOLEAN,
    "modifiedon": Kind.INSTANT,
    "founded": Kind.DATE,
    "industrycode": Kind.CHOICE,
    "tags": Kind.CHOICES,
    "primarycontactid": Kind.LOOKUP,
    "ownerid": Kind.LOOKUP,
    "entityimage": Kind.BINARY,
    "versionnumber": Kind.INTEGER,
}
TYPES = ColumnTypes({"account": KINDS})
BODY = (
    '{"@odata.context":"https://contoso.crm.dynamics.com/api/data/v9.2/$metadata#accounts/$entity",'
    '"@odata.etag":"W/\\"9007199254740993\\"",'
    f'"accountid":"{KEY}","name":"\u00c4 & Co",'
    '"numberofemployees@OData.Community.Display.V1.FormattedValue":"1,250","numberofemployees":1250,'
    '"exchangerate@OData.Community.Display.V1.FormattedValue":"1.1000000000","exchangerate":1.1000000000,'
    '"address1_latitude":47.61,'
    '"revenue@OData.Community.Display.V1.FormattedValue":"$922,337,203,685,477.58",'
    '"revenue":922337203685477.5807,'
    '"donotemail@OData.Community.Display.V1.FormattedValue":"Do Not Allow","donotemail":true,'
    '"modifiedon@OData.Community.Display.V1.FormattedValue":"8/2/2024 7:00 AM",'
    '"modifiedon":"2024-08-02T07:00:40Z",'
    '"founded@OData.Community.Display.V1.FormattedValue":"3/1/1999","founded":"1999-03-01",'
    '"industrycode@OData.Community.Display.V1.FormattedValue":"Accounting","industrycode":1,'
    '"tags@OData.Community.Display.V1.FormattedValue":"Red; Blue","tags":"1,3",'
    '"_primarycontactid_value@OData.Community.Display.V1.FormattedValue":"Ada",'
    '"_primarycontactid_value@Microsoft.Dynamics.CRM.associatednavigationproperty":"primarycontactid",'
    '"_primarycontactid_value@Microsoft.Dynamics.CRM.lookuplogicalname":"contact",'
    f'"_primarycontactid_value":"{OTHER}","_ownerid_value":null,'
    '"entityimage":"AAEC/w==","description":null}'
)


def kind_of(name: str) -> Kind | None:
    return KINDS.get(name)


def values(row: Row) -> dict[str, Any]:
    return {cell.column: cell.value for cell in row.cells}


def system(row: Row) -> dict[str, Any]:
    return dict(zip(FLATTENED, row.system, strict=True))


def test_a_documented_row_becomes_typed_cells() -> None:
    row = hydrated_row(TRUNCATED, BODY.encode(), TYPES, {}, binaries=True)
    assert values(row) == {
        "accountid": KEY,
        "name": "\u00c4 & Co",
        "numberofemployees": 1250,
        "exchangerate": Decimal("1.1000000000"),
        "address1_latitude": 47.61,
        "revenue": Decimal("922337203685477.5807"),
        "donotemail": True,
        "donotemailname": "Do Not Allow",
        "modifiedon": T0 + 1_000_000,
        "founded": (date(1999, 3, 1) - date(1970, 1, 1)).days,
        "industrycode": 1,
        "industrycodename": "Accounting",
        "tags": "1;3",
        "tagsname": "Red; Blue",
        "primarycontactid": OTHER,
        "primarycontactid_entitytype": "contact",
        "primarycontactidname": "Ada",
        "entityimage": b"\x00\x01\x02\xff",
        "versionnumber": 9007199254740993,
    }
    without = values(hydrated_row(TRUNCATED, BODY.encode(), TYPES, {}))
    assert "entityimage" not in without


def test_what_stands_beside_the_data() -> None:
    row = hydrated_row(TRUNCATED, BODY.encode(), TYPES, {})
    found = system(row)
    event = hydration_id("e-0")
    changed = json.loads(found.pop("_changed"))
    assert changed == sorted([*KINDS, "description"])
    assert row.table == "account"
    assert found == {
        "Id": KEY,
        "IsDelete": False,
        "_event_id": event,
        "_op": "update",
        "_message": "Hydrate",
        "_order": order_key(T0 + 1_000_000, "update", 7, event),
        "_extra": None,
        "_truncated": False,
        "_occurred_at": T0 + 1_000_000,
        "_correlation_id": "c",
        "_operation_id": "o",
        "_user_id": "u",
        "_initiating_user_id": "i",
        "_organization": "org",
        "_depth": 1,
        "_entity": "q",
        "_sequence_number": 7,
        "_message_id": "m",
        "_enqueued_at": T0 + 1,
        "_received_at": T0 + 2,
    }


def test_a_row_without_modifiedon_stands_where_the_truncated_one_does() -> None:
    row = hydrated_row(TRUNCATED, b'{"name":"A"}', TYPES, {})
    assert system(row)["_occurred_at"] == T0
    assert system(row)["_order"] > order_key(T0, "create", 9, "x")


def test_a_row_that_is_gone_is_a_delete_at_the_instant_of_the_truncated_one() -> None:
    row = deleted_row(TRUNCATED)
    found = system(row)
    event = hydration_id("e-0")
    assert (found["_op"], found["IsDelete"], found["_occurred_at"], found["_changed"]) == (
        "delete",
        True,
        T0,
        "[]",
    )
    assert (found["_event_id"], found["_order"]) == (event, order_key(T0, "delete", 7, event))
    assert row.cells == ()
    assert row == deleted_row(TRUNCATED)


def test_hydrated_rows_are_a_table_batch() -> None:
    rows = [hydrated_row(TRUNCATED, BODY.encode(), TYPES, {}), deleted_row(TRUNCATED)]
    (batch,) = assemble(enumerate(rows))
    assert batch.records.column("revenue").to_pylist() == [Decimal("922337203685477.5807"), None]
    assert batch.records.column("_op").to_pylist() == ["update", "delete"]


def test_without_metadata_the_annotations_tell() -> None:
    record = web_record(BODY.encode(), "account", lambda _: None)
    assert dict(record.attributes) == {
        "accountid": KEY,
        "name": "\u00c4 & Co",
        "numberofemployees": Number("1250"),
        "exchangerate": Number("1.1000000000"),
        "address1_latitude": Number("47.61"),
        "revenue": Number("922337203685477.5807"),
        "donotemail": True,
        "modifiedon": Instant((T0 + 1_000_000) * 10),
        "founded": Instant(int(datetime(1999, 3, 1, tzinfo=UTC).timestamp()) * 10_000_000),
        "industrycode": Option(1),
        "tags": Options((1, 3)),
        "primarycontactid": Reference(OTHER, "contact", "Ada"),
        "ownerid": None,
        "entityimage": "AAEC/w==",
        "description": None,
        "versionnumber": Number("9007199254740993"),
    }
    assert record.labels == {"donotemail": "Do Not Allow", "industrycode": "Accounting", "tags": "Red; Blue"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"a":"2024-08-02"}', "2024-08-02"),
        ('{"a":"1,3"}', "1,3"),
        ('{"a":7}', Number("7")),
        (f'{{"a{FORMATTED}":"Net 30","a":7}}', Number("7")),
        (f'{{"a{FORMATTED}":"\u0663\u0664","a":34}}', Number("34")),
        (f'{{"a{FORMATTED}":"Ten","a":1.5}}', Number("1.5")),
        ('{"a":{"b":[1.50,null]}}', Unknown('{"b":[1.50,null]}')),
        ('{"a":[]}', Unknown("[]")),
    ],
)
def test_what_annotations_do_not_tell_stays_as_it_is(body: str, expected: Value) -> None:
    assert web_record(body.encode(), "account", lambda _: None).attributes == {"a": expected}


def test_kinds_that_flattening_does_not_know_only_help_to_read() -> None:
    told = {"a": Kind.CHOICE, "b": Kind.DATE, "c": Kind.INTEGER, "d": Kind.MONEY}
    row = hydrated_row(TRUNCATED, b'{"a":1,"b":"1970-01-02","c":3,"d":1.5}', ColumnTypes(), told)
    assert row.cells == (
        Cell("a", Kind.INTEGER, 1),
        Cell("b", Kind.INSTANT, 86_400_000_000),
        Cell("c", Kind.DECIMAL, Decimal("3.0000000000")),
        Cell("d", Kind.MONEY, Decimal("1.5000")),
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "undecodable"),
        (b"[]", "undecodable"),
        (b"\xff", "undecodable"),
        (b'{"numberofemployees":NaN}', "undecodable"),
        (b'{"name":1}', "bad-value"),
        (b'{"founded":1}', "bad-value"),
        (b'{"founded":"soon"}', "bad-value"),
        (b'{"revenue":"1"}', "bad-value"),
        (b'{"industrycode":"1"}', "bad-value"),
        (b'{"tags":"1,"}', "bad-value"),
        (b'{"tags":1}', "bad-value"),
        (b'{"entityimage":"?"}', "bad-value"),
        (b'{"entityimage":1}', "bad-value"),
        (b'{"_ownerid_value":"me"}', "bad-value"),
        (b'{"_ownerid_value":1}', "bad-value"),
    ],
)
def test_a_row_that_is_no_row_is_rejected(body: bytes, reason: str) -> None:
    with pytest.raises(MessageRejected) as caught:
        hydrated_row(TRUNCATED, body, TYPES, {})
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("etag", "version"),
    [('"@odata.etag":"W/\\"5\\""', [5]), ('"@odata.etag":"W/\\"5\\"","versionnumber":6', [6]), ('"a":1', [])],
)
def test_the_version_of_the_row_is_its_etag(etag: str, version: list[int]) -> None:
    row = hydrated_row(TRUNCATED, f"{{{etag}}}".encode(), TYPES, {})
    assert [cell.value for cell in row.cells if cell.column == "versionnumber"] == version


INSTANTS = st.datetimes(datetime(1753, 1, 1), datetime(9999, 12, 30)).map(
    lambda at: at.replace(microsecond=0)
)
CODES = st.lists(st.integers(-(2**31), 2**31 - 1), max_size=5)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
AMOUNTS = st.decimals(-(10**14), 10**14, places=4)


@given(
    name=TEXTS.filter(lambda text: not text.startswith("/Date(")),
    count=st.integers(-(2**63), 2**63 - 1),
    amount=AMOUNTS,
    rate=st.decimals(-(10**11), 10**11, places=10),
    instant=INSTANTS,
    codes=CODES,
    data=st.binary(max_size=20),
)
def test_every_value_arrives_exactly(
    name: str,
    count: int,
    amount: Decimal,
    rate: Decimal,
    instant: datetime,
    codes: list[int],
    data: bytes,
) -> None:
    day = instant.date()
    members = {
        "name": json.dumps(name),
        "versionnumber": str(count),
        "revenue": format(amount, "f"),
        "exchangerate": format(rate, "f"),
        "modifiedon": json.dumps(f"{instant.isoformat()}Z"),
        "founded": json.dumps(day.isoformat()),
        "tags": json.dumps(",".join(map(str, codes))),
        "entityimage": json.dumps(base64.b64encode(data).decode()),
    }
    body = f"{{{','.join(f'{json.dumps(key)}:{text}' for key, text in members.items())}}}".encode()
    assert web_record(body, "account", kind_of).attributes == {
        "name": name,
        "versionnumber": Number(str(count)),
        "revenue": Money(format(amount, "f")),
        "exchangerate": Number(format(rate, "f")),
        "modifiedon": Instant(_ticks(instant)),
        "founded": Instant(_ticks(datetime(day.year, day.month, day.day))),
        "tags": Options(tuple(codes)),
        "entityimage": Binary(data),
    }
    found = values(hydrated_row(TRUNCATED, body, TYPES, {}, binaries=True))
    assert found["revenue"] == amount
    assert found["exchangerate"] == rate
    assert (found["name"], found["versionnumber"], found["entityimage"]) == (name, count, data)
    assert found["modifiedon"] == _ticks(instant) // 10
    assert found["founded"] == (day - date(1970, 1, 1)).days


def _ticks(wall: datetime) -> int:
    since = wall - datetime(1970, 1, 1)
    return (since.days * 86_400 + since.seconds) * 10_000_000
