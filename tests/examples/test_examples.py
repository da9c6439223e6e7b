"""The programs we show to others do what they say."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.dataset as ds

import cdsbridge
from cdsbridge.emulator.dataverse import Organization, traffic
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.server import run_in_thread
from cdsbridge.pipelines.post import post_all
from cdsbridge.sources import ServiceBusSource

EXAMPLES = Path(cdsbridge.__file__).parent / "examples"
PRIVATE = {"emailaddress1", "telephone1"}


def test_a_pipeline_of_your_own_drains_a_queue_and_keeps_private_columns_out(tmp_path: Path) -> None:
    organization = Organization(seed=2, start=datetime(2026, 3, 2, 8, tzinfo=UTC))
    posts = list(traffic(organization, 300, poison=0, duplicates=0))
    namespace = Namespace()
    queue = namespace.create_queue("orders")
    with run_in_thread(namespace) as bus:
        source = ServiceBusSource.model_validate(
            {"connection_string": bus.connection_string, "entities": ["orders"]}
        )
        post_all(source, "orders", posts)
        subprocess.run(
            [sys.executable, str(EXAMPLES / "own_pipeline.py"), "orders", str(tmp_path)],
            env={**os.environ, "SERVICEBUS_CONNECTION_STRING": bus.connection_string},
            check=True,
            timeout=120,
        )
        assert bus.call(lambda _: queue.size) == 0
    contacts = sum(event.table == "contact" for event in organization.history)
    told = {name for event in organization.history if event.table == "contact" for name in event.columns}
    parquet = ds.dataset(tmp_path / "parquet" / "contact_history", exclude_invalid_files=True)
    with closing(sqlite3.connect(tmp_path / "bridge.db")) as database:
        rows = database.execute("SELECT * FROM contact_history")
        columns = {name for name, *_ in rows.description}
        assert len(rows.fetchall()) == parquet.count_rows() == contacts
    assert told >= PRIVATE, "the simulated messages carry what is to be kept out"
    assert not PRIVATE & columns
    assert not PRIVATE & set(parquet.schema.names)
    assert {"fullname", "_event_id"} <= columns & set(parquet.schema.names)
