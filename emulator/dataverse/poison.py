"""Bodies that no reader can make rows of."""

import dataclasses
import random
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from ...model.verdict import Reason
from .cells import new_guid
from .context import Context, Writer
from .scalars import EMPTY_GUID
from .values import Entity, Money, Reference


class Poison(StrEnum):
    """What is wrong with a body."""

    TRUNCATED = "truncated"
    EMPTY = "empty"
    NOT_JSON = "not-json"
    HTML = "html"
    NOT_UTF8 = "not-utf8"
    NOT_A_CONTEXT = "not-a-context"
    NO_TABLE = "no-table"
    NO_KEY = "no-key"
    BAD_DATE = "bad-date"
    BAD_MONEY = "bad-money"


_AMOUNT: Final = Money(Decimal("12345.67"))
_UNREADABLE: Final = frozenset({Reason.UNDECODABLE, Reason.UNKNOWN_ENCODING})

EXPECTED: Final[Mapping[Poison, frozenset[Reason]]] = {
    Poison.TRUNCATED: frozenset({Reason.UNDECODABLE}),
    Poison.EMPTY: _UNREADABLE,
    Poison.NOT_JSON: _UNREADABLE,
    Poison.HTML: _UNREADABLE | {Reason.NOT_A_CONTEXT},
    Poison.NOT_UTF8: frozenset({Reason.UNDECODABLE}),
    Poison.NOT_A_CONTEXT: frozenset({Reason.NOT_A_CONTEXT}),
    Poison.NO_TABLE: frozenset({Reason.NO_TABLE}),
    Poison.NO_KEY: frozenset({Reason.NO_KEY}),
    Poison.BAD_DATE: frozenset({Reason.BAD_VALUE}),
    Poison.BAD_MONEY: frozenset({Reason.BAD_VALUE}),
}
"""The reasons a reader may give for each: more than one where it depends on what it looks at first."""

ANY_ENCODING: Final = frozenset({Poison.TRUNCATED, Poison.NO_TABLE, Poison.NO_KEY})
"""The kinds that can be written in every encoding; the others are JSON, or nothing known."""

_HTML: Final = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
_OTHER_EVENT: Final = (
    b'{"id":"1","eventType":"order.created","data":{"total":12.50},"eventTime":"2024-08-02T07:00:39Z"}'
)


def poisoned(kind: Poison, context: Context, writer: Writer) -> bytes:
    """Return a body that is wrong in one way.

    Args:
        kind: The way.
        context: A good context; see :func:`sample`.
        writer: Writes it before, or after, it is spoilt; JSON's, but for :data:`ANY_ENCODING`.
    """
    return _MAKERS[kind](context, writer)


def sample(rng: random.Random, instant: datetime) -> Context:
    """Return a small, good context of a row that exists nowhere else.

    Args:
        rng: The source of chance.
        instant: When it happened: naive, UTC.
    """
    row, user = new_guid(rng), new_guid(rng)
    target = Entity("account", row, {"name": "Poison & Söhne", "revenue": _AMOUNT, "accountid": row})
    return Context(
        business_unit_id=new_guid(rng),
        correlation_id=new_guid(rng),
        depth=1,
        initiating_user_agent="",
        initiating_user_azure_id=EMPTY_GUID,
        initiating_user_id=user,
        input_parameters={"Target": target},
        is_in_transaction=False,
        message_name="Update",
        mode=1,
        operation_created_on=instant,
        operation_id=new_guid(rng),
        organization_id=new_guid(rng),
        organization_name="poison",
        output_parameters={},
        owning_extension=Reference(new_guid(rng), "sdkmessageprocessingstep"),
        parent=None,
        post_images={},
        pre_images={},
        primary_entity_id=row,
        primary_entity_name="account",
        request_id=None,
        shared_variables={},
        stage=40,
        user_azure_id=EMPTY_GUID,
        user_id=user,
    )


def _spoilt(before: bytes, after: bytes) -> Callable[[Context, Writer], bytes]:
    def make(context: Context, writer: Writer) -> bytes:
        body = writer.write(context)
        if before not in body:
            raise AssertionError(f"the sample context has no {before!r} to spoil")
        return body.replace(before, after)

    return make


def _truncated(context: Context, writer: Writer) -> bytes:
    body = writer.write(context)
    return body[: len(body) * 2 // 3]


def _without(*, table: bool) -> Callable[[Context, Writer], bytes]:
    def make(context: Context, writer: Writer) -> bytes:
        name, key = ("", context.primary_entity_id) if table else ("account", EMPTY_GUID)
        attributes = {"name": "Poison & Söhne"}
        spoilt = dataclasses.replace(
            context,
            input_parameters={"Target": Entity(name, key, attributes)},
            primary_entity_id=key,
            primary_entity_name=name,
        )
        return writer.write(spoilt)

    return make


_MAKERS: Final[Mapping[Poison, Callable[[Context, Writer], bytes]]] = {
    Poison.TRUNCATED: _truncated,
    Poison.EMPTY: lambda *_: b"",
    Poison.NOT_JSON: lambda *_: b"ping from the load balancer",
    Poison.HTML: lambda *_: _HTML,
    Poison.NOT_UTF8: _spoilt("Söhne".encode(), "Söhne".encode("latin-1")),
    Poison.NOT_A_CONTEXT: lambda *_: _OTHER_EVENT,
    Poison.NO_TABLE: _without(table=True),
    Poison.NO_KEY: _without(table=False),
    Poison.BAD_DATE: _spoilt(rb'"OperationCreatedOn":"\/Date(', rb'"OperationCreatedOn":"\/Date(soon '),
    Poison.BAD_MONEY: _spoilt(b'"Value":12345.67', b'"Value":"a lot"'),
}
