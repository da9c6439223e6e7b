"""Bodies as Dataverse writes them, and short ways to flatten them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from cdsbridge.model.batch import FlattenedBatch
from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.model.verdict import Verdict
from cdsbridge.tables.types import ColumnTypes
from cdsbridge.transforms.assembly import assemble
from cdsbridge.transforms.flattener import Flattener
from cdsbridge.transforms.rules import FlattenRules
from cdsbridge.transforms.spelling import dump
from cdsbridge.transforms.thorough import flatten_one

CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
ACCOUNT = "6d81597f-0f9f-e711-8122-000d3aa2331c"
CONTACT = "07bd1d6d-f561-4dbd-8550-fd1836216a6f"
STEP = "280727dc-0d3e-4cb1-b1ab-a69b06833662"
JOB = "a38cb477-0387-4a8e-bca7-c0b1d9e3871c"
USER = "ade3289a-8ada-4b44-aa0c-caf8224dd24b"
NONE = "00000000-0000-0000-0000-000000000000"
MODIFIED = "/Date(1722582039000)/"
CREATED = "/Date(1722582040000+0000)/"

Tree = Any


def written(tree: Tree) -> str:
    """Write JSON as DataContractJsonSerializer does: no blanks, slashes escaped, decimals as they are."""
    if isinstance(tree, Mapping):
        members = ",".join(f"{written(name)}:{written(value)}" for name, value in tree.items())
        return f"{{{members}}}"
    if isinstance(tree, (list, tuple)):
        return f"[{','.join(map(written, tree))}]"
    if isinstance(tree, Decimal):
        return str(tree)
    return dump(tree).replace("/", "\\/")


def typed(name: str, **members: Tree) -> Tree:
    return {"__type": f"{name}:{CONTRACTS}", **members}


def option(code: Tree) -> Tree:
    return typed("OptionSetValue", Value=code)


def money(amount: str) -> Tree:
    return typed("Money", Value=Decimal(amount))


def lookup(identity: str, table: str, name: str | None = None, keys: Sequence[Tree] = ()) -> Tree:
    return typed(
        "EntityReference",
        Id=identity,
        KeyAttributes=list(keys),
        LogicalName=table,
        Name=name,
        RowVersion=None,
    )


def pairs(members: Mapping[str, Tree]) -> list[Tree]:
    return [{"key": key, "value": value} for key, value in members.items()]


def image(
    attributes: Mapping[str, Tree],
    table: str = "account",
    identity: str = ACCOUNT,
    labels: Mapping[str, str] | None = None,
) -> Tree:
    return {
        "Attributes": pairs(attributes),
        "EntityState": None,
        "FormattedValues": pairs(labels or {}),
        "Id": identity,
        "KeyAttributes": [],
        "LogicalName": table,
        "RelatedEntities": [],
        "RowVersion": None,
    }


def entity(
    attributes: Mapping[str, Tree],
    table: str = "account",
    identity: str = ACCOUNT,
    labels: Mapping[str, str] | None = None,
) -> Tree:
    return typed("Entity", **image(attributes, table, identity, labels))


def collection(entities: Sequence[Tree], name: str | None) -> Tree:
    return typed(
        "EntityCollection",
        Entities=list(entities),
        EntityName=name,
        MinActiveRowVersion=None,
        MoreRecords=False,
        PagingCookie=None,
        TotalRecordCount=-1,
        TotalRecordCountLimitExceeded=False,
    )


def context(message: str = "Update", **members: Tree) -> Tree:
    """Return a context; ``inputs``, ``outputs``, ``pre`` and ``post`` are mappings."""
    inputs, outputs = members.pop("inputs", {}), members.pop("outputs", {})
    pre, post = members.pop("pre", {}), members.pop("post", {})
    tree = {
        "BusinessUnitId": USER,
        "CorrelationId": STEP,
        "Depth": 1,
        "InitiatingUserAgent": "Mozilla/5.0",
        "InitiatingUserAzureActiveDirectoryObjectId": USER,
        "InitiatingUserId": USER,
        "InputParameters": pairs(inputs),
        "IsExecutingOffline": False,
        "IsInTransaction": False,
        "IsOfflinePlayback": False,
        "IsolationMode": 1,
        "MessageName": message,
        "Mode": 1,
        "OperationCreatedOn": CREATED,
        "OperationId": JOB,
        "OrganizationId": USER,
        "OrganizationName": "org1",
        "OutputParameters": pairs(outputs),
        "OwningExtension": {
            "Id": STEP,
            "KeyAttributes": [],
            "LogicalName": "sdkmessageprocessingstep",
            "Name": None,
            "RowVersion": None,
        },
        "ParentContext": None,
        "PostEntityImages": pairs(post),
        "PreEntityImages": pairs(pre),
        "PrimaryEntityId": ACCOUNT,
        "PrimaryEntityName": "account",
        "RequestId": None,
        "SecondaryEntityName": "none",
        "SharedVariables": [],
        "Stage": 40,
        "UserAzureActiveDirectoryObjectId": USER,
        "UserId": USER,
    }
    return {**tree, **members}


def body(tree: Tree) -> bytes:
    return written(tree).encode()


def update(attributes: Mapping[str, Tree], labels: Mapping[str, str] | None = None, **members: Tree) -> bytes:
    """Return an Update of an account."""
    return body(context("Update", inputs={"Target": entity(attributes, labels=labels)}, **members))


def batch(*bodies: bytes, **given: Tree) -> MicroBatch:
    return MicroBatch("q", tuple(Envelope(each, "q", number, **given) for number, each in enumerate(bodies)))


def flatten(
    *bodies: bytes, types: ColumnTypes | None = None, rules: FlattenRules | None = None, **given: Tree
) -> FlattenedBatch:
    """Flatten bodies, both ways, and see that they agree."""
    messages = batch(*bodies, **given)
    flat = Flattener(types, rules).flatten(messages)
    agree(flat, thoroughly(messages, types, rules))
    return flat


def thoroughly(
    messages: MicroBatch, types: ColumnTypes | None = None, rules: FlattenRules | None = None
) -> FlattenedBatch:
    """Flatten message by message, nothing in bulk."""
    verdicts: list[Verdict] = []
    rows = []
    for position, envelope in enumerate(messages.envelopes):
        verdict, found = flatten_one(envelope, types or ColumnTypes(), rules or FlattenRules())
        verdicts.append(verdict)
        rows += [(position, row) for row in found]
    return FlattenedBatch(messages, assemble(rows), tuple(verdicts))


def agree(one: FlattenedBatch, other: FlattenedBatch) -> None:
    assert one.verdicts == other.verdicts
    assert cells(one) == cells(other)


Cells = dict[tuple[str, str, str, str], Any]


def cells(flat: FlattenedBatch) -> Cells:
    """Return every cell that is not null by table, row, column and Arrow type."""
    found: Cells = {}
    for table in flat.tables:
        events = [
            f"{event} of message {position}"
            for event, position in zip(
                table.records.column("_event_id").to_pylist(), table.positions.to_pylist(), strict=True
            )
        ]
        for field, column in zip(table.records.schema, table.records.columns, strict=True):
            for event, value in zip(events, column.to_pylist(), strict=True):
                if value is not None:
                    assert (table.table, event, field.name, str(field.type)) not in found
                    found[table.table, event, field.name, str(field.type)] = value
    return found


def rows(flat: FlattenedBatch, table: str = "account") -> list[dict[str, Any]]:
    """Return the rows of a table, by event id, without null cells."""
    found = [each for each in flat.tables if each.table == table]
    listed = [row for each in found for row in each.records.to_pylist()]
    return [
        {name: value for name, value in row.items() if value is not None}
        for row in sorted(listed, key=lambda row: (row["_sequence_number"], row["_event_id"]))
    ]


def data(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data columns of a row."""
    return {name: value for name, value in row.items() if name[0] not in "_IS"}


def only(flat: FlattenedBatch, table: str = "account") -> dict[str, Any]:
    """Return the one row of a batch, which must have become one."""
    assert [verdict.outcome.value for verdict in flat.verdicts] == ["committed"], flat.verdicts
    (row,) = rows(flat, table)
    return row


def rejection(flat: FlattenedBatch) -> Verdict:
    """Return the verdict of the one message, which must be rejected without a row."""
    (verdict,) = flat.verdicts
    assert verdict.outcome.value == "rejected", verdict
    assert flat.tables == ()
    assert len(verdict.sentence) < 400
    return verdict
