"""A bridge with truncated rows in its sinks, and a Web API to read them again from."""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from verifying import Rows, parquet_rows, sqlite_rows

from cdsbridge.emulator.dataverse import Post
from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.pipelines.config import BridgeConfig
from cdsbridge.pipelines.load import load_config
from cdsbridge.sinks.audit import AuditReport, audit
from cdsbridge.sinks.commit import Committer
from cdsbridge.tables.hydration import hydration_id
from cdsbridge.tables.metadata import load_metadata
from cdsbridge.transforms.flattener import Flattener

from ..webapi import account
from ..webapi.server import WHO, Dataverse, as_json

T0 = 1_722_582_039_000
"""An instant in 2024, milliseconds."""
CLAIM = "http://schemas.microsoft.com/xrm/2011/Claims/Organization"
CUT = "http://schemas.microsoft.com/xrm/2011/Claims/MessageMaxSizeExceeded"
CONFIG = """\
name: cut
source:
  connection_string: {connection}
  entities: [dataverse]
  batch: 100
  wait: 0.1
sinks:
  - {{kind: parquet, url: {folder}/parquet}}
  - {{kind: sql, url: "sqlite:///{folder}/bridge.db"}}
metadata: {folder}/metadata.json
dataverse:
  url: {url}
  credential: {{kind: managed_identity}}
  retries: 2
commit: {{seconds: 0.2}}
state: {folder}/state
"""
EMULATOR = (
    "Endpoint=sb://localhost:5672;SharedAccessKeyName=n;SharedAccessKey=SAS_KEY_VALUE;"
    "UseDevelopmentEmulator=true"
)


def key(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def body(
    number: int, *, organization: str = "unq1", table: str = "account", message: str = "Update"
) -> bytes:
    """Return a message that the sender has cut."""
    members = {
        "MessageName": message,
        "Mode": 1,
        "Depth": 1,
        "PrimaryEntityName": table,
        "PrimaryEntityId": key(number),
        "OperationId": f"11111111-0000-4000-8000-{number:012d}",
        "OperationCreatedOn": f"/Date({T0}+0000)/",
        "OrganizationName": organization,
        "InputParameters": [],
        "OutputParameters": [],
        "PreEntityImages": [],
        "PostEntityImages": [],
        "ParentContext": None,
    }
    return json.dumps(members).encode()


def row(number: int, name: str = "A", *, second: int = 1, **more: Any) -> str:
    """Return a row as the Web API gives it."""
    members = {
        "@odata.etag": f'W/"{number + 1000}"',
        "accountid": key(number),
        "name": name,
        "modifiedon": f"2024-08-02T07:00:{39 + second}Z",
        "modifiedon@OData.Community.Display.V1.FormattedValue": "8/2/2024 7:00 AM",
        "numberofemployees": 12,
        "_primarycontactid_value": None,
        **more,
    }
    return json.dumps(members)


def laid(folder: Path, dataverse: Dataverse, *settings: str, connection: str = EMULATOR) -> BridgeConfig:
    """Write a bridge and its metadata into a folder; let the Web API know its organization."""
    folder.mkdir(parents=True, exist_ok=True)
    described = {"version": 1, "tables": {"account": account.EXPECTED}}
    (folder / "metadata.json").write_text(json.dumps(described))
    conf = folder / "bridge.yaml"
    conf.write_text(CONFIG.format(connection=connection, folder=folder, url=dataverse.url))
    dataverse.answers[WHO] = as_json({"Detail": {"UniqueName": "unq1", "UrlName": "contoso"}})
    return load_config(conf, settings, environment={})


def envelope(number: int, content: bytes, properties: Mapping[str, str] | None = None) -> Envelope:
    given = {CUT: "True"} if properties is None else properties
    return Envelope(
        content, "dataverse", number, T0 * 1000 + number, T0 * 1000, f"m{number}", properties=given
    )


def posted(number: int, content: bytes, properties: Mapping[str, str]) -> Post:
    return Post(content, "application/json", f"m{number}", "", properties, None)


def receive(config: BridgeConfig, bodies: Sequence[bytes], first: int = 1) -> None:
    """Flatten and commit truncated messages, as a bridge would."""
    types = None if config.metadata is None else load_metadata(config.metadata).types
    envelopes = tuple(envelope(number, content) for number, content in enumerate(bodies, first))
    committer = Committer(config.sinks)
    committer.add(Flattener(types, config.flatten).flatten(MicroBatch("dataverse", envelopes)))
    committer.flush()
    committer.close()


def histories(config: BridgeConfig) -> Rows:
    """Return the histories, the same in both sinks."""
    rows = sqlite_rows(config)
    assert rows == parquet_rows(config)
    return rows


def answers(config: BridgeConfig) -> dict[str, Any]:
    """Return the hydrated rows by their key; every one of them answers a truncated row."""
    rows = {row["_event_id"]: row for row in histories(config).values()}
    wanted = {hydration_id(event) for event, row in rows.items() if row["_truncated"]}
    found = {row["Id"]: row for event, row in rows.items() if row["_message"] == "Hydrate"}
    assert {row["_event_id"] for row in found.values()} <= wanted
    return found


def audited(config: BridgeConfig) -> AuditReport:
    """Return the audit of the sinks, what was received not being known."""
    with ExitStack() as stack:
        readers = {sink.name: stack.enter_context(closing(sink.read())) for sink in config.sinks}
        return audit(None, readers)
