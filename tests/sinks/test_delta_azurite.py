"""Delta tables in Azure Blob Storage, as Azurite emulates it."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import obstore
import pyarrow as pa
import pytest
from obstore.store import from_url

from cdsbridge.model.errors import BridgeError, ConfigError, NotPermitted, SinkUnavailable
from cdsbridge.sinks import DeltaSink
from cdsbridge.sinks.audit import audit
from cdsbridge.sinks.base import Flush
from cdsbridge.sinks.commit import Committer
from cdsbridge.sinks.delta.table import folder_name
from cdsbridge.sinks.delta.upkeep import compact, vacuum
from cdsbridge.sinks.testing import SinkContract, StateContract, canonical
from cdsbridge.sinks.testing.history import (
    NO_ENDINGS,
    NO_REJECTS,
    TABLE,
    commit,
    ending,
    endings,
    opened,
    rows_for,
    schema_with,
)
from cdsbridge.sinks.testing.places import Row

from . import azurite
from .batches import flattened
from .delta_log import replay, table_rows
from .places import key_of
from .test_faults import POSTS, SOON

SCHEMA = schema_with(name=pa.string())
BAD_KEY = "A" * 86 + "=="


class AzuritePlace:
    """A lake of its own in a container."""

    def __init__(self, endpoint: str, folder: str) -> None:
        self.url = f"az://box/{folder}"
        self.sink = DeltaSink.model_validate({"url": self.url, "options": azurite.options(endpoint)})
        config = {name: value for name, value in azurite.options(endpoint).items() if name != "allow_http"}
        self.store = from_url(self.url, config=config, client_options={"allow_http": True})  # type: ignore[call-overload]

    def rows(self, table: str) -> list[Row]:
        folder = folder_name(table)
        if not obstore.list(self.store, f"{folder}/_delta_log").collect():
            return []
        found = table_rows(self.store, folder, key_of(table))
        return [] if found is None else canonical(found)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with azurite.running(tmp_path_factory.mktemp("azurite")) as found:
        azurite.make_container(found, "box")
        yield found


numbers = itertools.count()


@pytest.fixture
def place(endpoint: str) -> AzuritePlace:
    return AzuritePlace(endpoint, f"lake-{next(numbers)}/deep er")


class TestDeltaOnAzurite(SinkContract):
    """The contract, on object storage."""


class TestStatesOnAzurite(StateContract):
    """The contract of states, on object storage."""


def test_many_commits_are_followed_by_one_handle_and_by_a_new_one(place: AzuritePlace) -> None:
    with opened(place) as writer, opened(place) as other:
        writer.prepare(SCHEMA)
        for number in range(12):
            rows = rows_for(SCHEMA, [f"e{number:02}-0"], sent=10 + number)
            commit((writer, other)[number % 2], Flush({TABLE: rows}, NO_REJECTS, endings(ending(number))))
    with opened(place) as writer:
        rows = rows_for(SCHEMA, ["e03-0", "e99-0"], sent=1)
        commit(writer, Flush({TABLE: rows}, NO_REJECTS, NO_ENDINGS))
    assert [row["_event_id"] for row in place.rows(TABLE)] == [*(f"e{n:02}-0" for n in range(12)), "e99-0"]
    assert place.rows(TABLE)[3]["_sequence_number"] == 1
    assert replay(place.store, TABLE).protocol == (1, 2)


def test_tables_are_joined_and_vacuumed(place: AzuritePlace) -> None:
    with opened(place) as writer:
        writer.prepare(SCHEMA)
        for number in range(3):
            commit(writer, Flush({TABLE: rows_for(SCHEMA, [f"e{number}-0"])}, NO_REJECTS, NO_ENDINGS))
    before = place.rows(TABLE)
    assert {each.files_after for each in compact(place.sink) if each.table == TABLE} == {1}
    gone = {each.table: len(each.files) for each in vacuum(place.sink, retention_hours=0, force=True)}
    assert gone[TABLE] == 3
    assert place.rows(TABLE) == before


def test_messages_end_and_the_sum_holds(place: AzuritePlace) -> None:
    committer = Committer([place.sink])
    for cut in (POSTS[:7], POSTS, POSTS[3:]):
        committer.add(flattened(cut))
        committer.flush()
    committer.close()
    with closing(place.sink.read()) as reader:
        report = audit((post.key for post in POSTS), {"lake": reader})
    assert report.holds, report.lines()
    assert len(place.rows(TABLE)) == 20


def test_a_wrong_key_is_told_without_the_key(endpoint: str) -> None:
    sink = DeltaSink.model_validate({"url": "az://box/lake", "options": azurite.options(endpoint, BAD_KEY)})
    with pytest.raises(NotPermitted, match="Check the credential") as caught:
        sink.open()
    assert BAD_KEY not in f"{caught.value} {caught.value!r} {sink!r}"


def test_a_container_that_is_not_there_may_come(endpoint: str) -> None:
    sink = DeltaSink.model_validate({"url": "az://nobox/lake", "options": azurite.options(endpoint)})
    with pytest.raises(SinkUnavailable, match="404"):
        sink.open()


def test_an_option_that_is_none_is_a_fault_of_configuration(endpoint: str) -> None:
    options = {**azurite.options(endpoint), "no_such_option": "S3cret!"}
    sink = DeltaSink.model_validate({"url": "az://box/lake", "options": options})
    with pytest.raises(ConfigError, match="no_such_option") as caught:
        sink.open()
    assert "S3cret!" not in str(caught.value)


def test_a_store_that_goes_away_is_waited_for(tmp_path: Path) -> None:
    with ExitStack() as again:
        with azurite.running(tmp_path) as endpoint:
            azurite.make_container(endpoint, "box")
            place = AzuritePlace(endpoint, "lake")
            held: list[BridgeError] = []

            def on_hold(sink: str, error: BridgeError, seconds: float) -> None:
                held.append(error)
                if len(held) == 1:
                    again.enter_context(azurite.running(tmp_path, urlsplit(endpoint).port or 0))

            committer = Committer([place.sink], on_hold=on_hold, backoff=SOON)
            committer.add(flattened(POSTS[:10]))
            committer.flush()
        committer.add(flattened(POSTS))
        assert len(committer.flush()[0].dispositions) == 20
        committer.close()
        assert held
        assert azurite.KEY not in str(held)
        assert len(place.rows(TABLE)) == len(place.rows("_ledger")) == 20
