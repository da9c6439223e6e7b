"""Definitions of tables, from answers of the documented shapes."""

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from cdsbridge.model.errors import ConfigError, ServiceUnreachable
from cdsbridge.tables.metadata import gathered
from cdsbridge.tables.types import Intersect, Kind
from cdsbridge.webapi import WebClient
from cdsbridge.webapi.definitions import describe, describe_table, table_names

from . import account
from .server import Dataverse, RecordingCredential, Sleeper, as_json, throttled


@pytest.fixture
def client(dataverse: Dataverse) -> Iterator[WebClient]:
    account.serve(dataverse)
    api = dataverse.api(retries=2)
    with closing(WebClient(api, credential=RecordingCredential(), sleep=Sleeper())) as opened:
        yield opened


def test_a_table_is_described_by_one_request(dataverse: Dataverse, client: WebClient) -> None:
    described = describe_table(client, "account")
    told = json.loads(described.model_dump_json(exclude_defaults=True))
    assert told == account.EXPECTED
    assert len(dataverse.asked) == 1


def test_what_is_described_is_what_the_bridge_knows(client: WebClient) -> None:
    asked: list[str] = []
    metadata = gathered(describe(client, ["account", "account"], asked.append))
    kind = metadata.types.tables["account"]
    assert (kind["new_tags"], kind["entityimage"], kind["new_contract"], kind["new_founded"]) == (
        Kind.CHOICES,
        Kind.BINARY,
        Kind.TEXT,
        Kind.DATE,
    )
    assert not {"primarycontactidname", "statecodename", "owneridname", "new_formula"} & set(kind)
    assert metadata.types.keys == {"account": "accountid"}
    assert metadata.types.intersects == {
        "accountleads_association": Intersect("accountleads", ("account", "accountid"), ("lead", "leadid"))
    }
    assert metadata.organization == client.api.url
    assert asked == ["account"]


def test_throttled_definitions_are_asked_for_again(dataverse: Dataverse, client: WebClient) -> None:
    path = next(path for path in dataverse.answers if "MoneyAttributeMetadata" in path)
    dataverse.whole.append(throttled(2))
    dataverse.parts[path].append(throttled(3))
    assert json.loads(describe_table(client, "account").model_dump_json(exclude_defaults=True)) == (
        account.EXPECTED
    )
    dataverse.parts[path].extend([throttled(1)] * 3)
    with pytest.raises(ServiceUnreachable, match="429"):
        describe_table(client, "account")


def test_pages_of_columns_are_followed(dataverse: Dataverse, client: WebClient) -> None:
    path = next(path for path in dataverse.answers if "MoneyAttributeMetadata" in path)
    whole = json.loads(dataverse.answers[path].body)
    link = f"{dataverse.url}/api/data/v9.2/rest"
    dataverse.answers[path] = as_json({"value": [], "@odata.nextLink": link})
    dataverse.answers["rest"] = as_json(whole)
    assert describe_table(client, "account").columns["revenue"].precision == 2
    dataverse.answers[path] = as_json({"value": [], "@odata.nextLink": "http://127.0.0.1:1/rest"})
    with pytest.raises(ConfigError, match="no token may go"):
        describe_table(client, "account")


def test_a_table_that_is_not_there_is_told(client: WebClient) -> None:
    with pytest.raises(ConfigError, match="no table 'acount'"):
        describe_table(client, "acount")


@pytest.mark.parametrize("name", ["", "Account", "a'b", "a b", "account')/x"])
def test_what_is_no_name_is_not_asked_for(dataverse: Dataverse, client: WebClient, name: str) -> None:
    with pytest.raises(ConfigError, match="no logical name"):
        describe_table(client, name)
    assert dataverse.asked == []


def test_all_tables_are_listed(client: WebClient) -> None:
    assert table_names(client) == ["account"]
