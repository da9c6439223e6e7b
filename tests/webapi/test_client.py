"""Asking the Web API: tokens go nowhere else, throttling is waited out, faults are told."""

import json
import logging
import pickle
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cdsbridge.model.errors import BridgeError, ConfigError, NotPermitted, ServiceUnreachable
from cdsbridge.webapi.answers import Answer, RequestRefused
from cdsbridge.webapi.client import WebClient
from cdsbridge.webapi.config import DataverseApi
from cdsbridge.webapi.multipart import decoded, encoded
from cdsbridge.webapi.rows import Retrieved, State, retrieve, unique_name

from .server import (
    TOKEN,
    Asked,
    Dataverse,
    RecordingCredential,
    Reply,
    Sleeper,
    as_json,
    error,
    multipart,
    running,
    throttled,
)

KEYS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(10)]
PATHS = [f"accounts({key})" for key in KEYS]


@contextmanager
def client_of(dataverse: Dataverse, sleep: Sleeper | None = None, **settings: Any) -> Iterator[WebClient]:
    api = dataverse.api(**settings)
    with closing(WebClient(api, credential=RecordingCredential(), sleep=sleep or Sleeper())) as client:
        yield client


def fill(dataverse: Dataverse, count: int = len(KEYS)) -> None:
    for key in KEYS[:count]:
        dataverse.rows["accounts", key] = f'{{"accountid":"{key}"}}'


def tokens(asked: list[Asked]) -> set[str | None]:
    return {each.headers.get("authorization") for each in asked}


def test_a_request_says_who_asks_and_for_what_version(dataverse: Dataverse) -> None:
    credential = RecordingCredential()
    fill(dataverse, 1)
    with closing(WebClient(dataverse.api(), credential=credential)) as client:
        assert client.get(PATHS[0]).json() == {"accountid": KEYS[0]}
    (asked,) = dataverse.asked
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["odata-version"] == asked.headers["odata-maxversion"] == "4.0"
    assert asked.headers["prefer"] == 'odata.include-annotations="*"'
    assert credential.scopes == [f"{dataverse.url}/.default"]


def test_a_redirection_is_not_followed(dataverse: Dataverse) -> None:
    with running() as other, client_of(dataverse) as client:
        for status in (301, 302, 303, 307, 308):
            dataverse.whole.append(Reply(status, b"", {"Location": f"{other.url}/api/data/v9.2/x"}))
            with pytest.raises(ConfigError, match="redirects"):
                client.get("accounts")
        assert other.asked == []


def test_a_next_page_elsewhere_is_refused_before_a_token_goes_there(dataverse: Dataverse) -> None:
    with running() as other, client_of(dataverse) as client:
        for link in (f"{other.url}/api/data/v9.2/x", f"{dataverse.url}@{other.url[7:]}/x", "//[bad/x"):
            dataverse.answers["accounts"] = as_json({"value": [{"n": 1}], "@odata.nextLink": link})
            pages = client.pages("accounts")
            assert next(pages) == {"n": 1}
            with pytest.raises((ConfigError, ValueError)):
                next(pages)
        assert other.asked == []


def test_a_next_page_on_a_further_host_of_ours_is_read(dataverse: Dataverse) -> None:
    with running() as other, client_of(dataverse, hosts=[other.url[7:]]) as client:
        other.answers["x"] = as_json({"value": [{"n": 2}]})
        link = f"{other.url}/api/data/v9.2/x"
        dataverse.answers["accounts"] = as_json({"value": [{"n": 1}], "@odata.nextLink": link})
        assert list(client.pages("accounts")) == [{"n": 1}, {"n": 2}]


def test_throttling_is_waited_out_for_as_long_as_asked(dataverse: Dataverse) -> None:
    fill(dataverse, 1)
    sleep = Sleeper()
    dataverse.whole.extend([throttled(7), throttled(3)])
    with client_of(dataverse, sleep) as client:
        assert client.get(PATHS[0]).status == 200
    assert sleep.waits == [7, 3]
    assert len(dataverse.asked) == 3


def test_a_throttled_batch_is_sent_again(dataverse: Dataverse) -> None:
    fill(dataverse, 2)
    sleep = Sleeper()
    dataverse.whole.append(throttled(5))
    with client_of(dataverse, sleep) as client:
        assert [answer.status for answer in client.batch(PATHS[:2])] == [200, 200]
    assert sleep.waits == [5]


def test_only_the_throttled_parts_of_a_batch_are_sent_again(dataverse: Dataverse) -> None:
    fill(dataverse, 4)
    sleep = Sleeper()
    dataverse.parts[PATHS[1]].extend([throttled(4), throttled(2)])
    dataverse.parts[PATHS[3]].append(throttled(9))
    with client_of(dataverse, sleep) as client:
        answers = client.batch(PATHS[:4])
    assert [answer.json()["accountid"] for answer in answers] == KEYS[:4]
    assert sleep.waits == [9, 2]
    assert dataverse.batches == [4, 2, 1]


def test_what_stays_throttled_is_told_and_the_rest_is_there(dataverse: Dataverse) -> None:
    fill(dataverse, 2)
    dataverse.parts[PATHS[0]].extend([throttled(1)] * 3)
    with client_of(dataverse, retries=2) as client:
        assert [answer.status for answer in client.batch(PATHS[:2])] == [429, 200]


@pytest.mark.parametrize("whole", [True, False])
def test_waiting_ends_where_patience_does(dataverse: Dataverse, whole: bool) -> None:
    fill(dataverse, 1)
    sleep = Sleeper()
    (dataverse.whole if whole else dataverse.parts[PATHS[0]]).extend([throttled(40), throttled(40)])
    with client_of(dataverse, sleep, patience=60) as client:
        with pytest.raises(ServiceUnreachable, match="beyond our patience"):
            client.batch(PATHS[:1])
        assert sleep.waits == [40]
        assert [answer.status for answer in client.batch(PATHS[:1])] == [200]


def test_a_server_that_is_away_is_told(dataverse: Dataverse) -> None:
    dataverse.whole.extend([Reply(503)] * 3)
    with client_of(dataverse, retries=2) as client, pytest.raises(ServiceUnreachable, match="503"):
        client.get("accounts")
    with running() as gone:
        pass
    with client_of(gone, retries=0) as client, pytest.raises(ServiceUnreachable, match="cannot be reached"):
        client.get("accounts")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_credential_is_told(dataverse: Dataverse, status: int) -> None:
    dataverse.whole.append(error(status, "0x80072560", "The user is not a member of the organization."))
    with client_of(dataverse) as client, pytest.raises(NotPermitted, match="not a member"):
        client.batch(PATHS)


def test_a_wrong_request_is_told_with_dataverse_s_code(dataverse: Dataverse) -> None:
    with client_of(dataverse) as client, pytest.raises(RequestRefused) as caught:
        client.get("nonsenses")
    assert (caught.value.status, caught.value.code) == (404, "0x80060888")


def test_a_batch_is_cut_to_the_size_configured(dataverse: Dataverse) -> None:
    fill(dataverse)
    with client_of(dataverse, batch=4) as client:
        answers = client.batch(PATHS)
    assert [answer.json()["accountid"] for answer in answers] == KEYS
    assert dataverse.batches == [4, 4, 2]


def test_every_part_of_a_batch_asks_for_labels_and_the_batch_goes_on_after_an_error(
    dataverse: Dataverse,
) -> None:
    fill(dataverse, 3)
    del dataverse.rows["accounts", KEYS[0]]
    with client_of(dataverse) as client:
        assert [answer.status for answer in client.batch(PATHS[:3])] == [404, 200, 200]
    assert dataverse.batches == [3]
    assert {each.headers["prefer"] for each in dataverse.parted} == {'odata.include-annotations="*"'}
    assert tokens(dataverse.parted) == {None}


def test_rows_are_judged_one_by_one(dataverse: Dataverse) -> None:
    fill(dataverse, 2)
    dataverse.parts[PATHS[2]].append(error(403, "0x80040220", "Principal user is missing prvReadAccount"))
    dataverse.parts[PATHS[3]].append(error(400, "0x80060888", "Bad thing"))
    rows = [("accounts", KEYS[0]), ("accounts", KEYS[5]), ("accounts", KEYS[2]), ("accounts", KEYS[3])]
    strange = [("nonsenses", KEYS[0]), ("accounts", "1) HTTP/1.1\r\nX: y")]
    with client_of(dataverse) as client:
        found = retrieve(client, [*rows, *strange])
    assert [each.state for each in found] == [
        State.FOUND,
        State.GONE,
        State.FORBIDDEN,
        State.REFUSED,
        State.REFUSED,
        State.REFUSED,
    ]
    assert "prvReadAccount" in found[2].reason
    assert found[0] == Retrieved(State.FOUND, dataverse.rows["accounts", KEYS[0]].encode())
    assert dataverse.batches == [5]


def test_the_unique_name_of_the_organization_is_asked(dataverse: Dataverse) -> None:
    path = (
        "RetrieveCurrentOrganization(AccessType=@p1)?@p1=Microsoft.Dynamics.CRM.EndpointAccessType'Default'"
    )
    with client_of(dataverse) as client:
        dataverse.answers[path] = as_json({"Detail": {"UniqueName": "unq1", "UrlName": "contoso"}})
        assert unique_name(client) == "unq1"
        dataverse.answers[path] = as_json({"Detail": {}})
        with pytest.raises(ServiceUnreachable, match=r"dataverse\.organization"):
            unique_name(client)


@pytest.mark.parametrize(
    "reply",
    [
        as_json({}),
        Reply(200, b"", {"Content-Type": "multipart/mixed; boundary=x"}),
        Reply(
            200, b"--x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{}\r\n", {"Content-Type": "multipart/mixed; boundary=x"}
        ),
        Reply(200, b"--x\r\n\r\nnonsense\r\n\r\n\r\n--x--", {"Content-Type": "multipart/mixed; boundary=x"}),
    ],
)
def test_a_batch_answer_that_cannot_be_read_is_told(dataverse: Dataverse, reply: Reply) -> None:
    dataverse.whole.append(reply)
    with client_of(dataverse) as client, pytest.raises(ServiceUnreachable, match="cannot be read"):
        client.batch(PATHS)


PARTS = st.lists(st.tuples(st.integers(200, 599), st.text().map(lambda text: json.dumps(text).encode())))


@given(parts=PARTS)
def test_parts_come_back_as_they_were_sent(parts: list[tuple[int, bytes]]) -> None:
    replies = [Reply(status, body, {"ETag": f'W/"{status}"'}) for status, body in parts]
    found = decoded(multipart(replies, "batchresponse_1"), 'multipart/mixed; boundary="batchresponse_1"')
    assert [(answer.status, answer.body) for answer in found] == parts
    assert all(answer.headers["etag"] == f'W/"{answer.status}"' for answer in found)


def test_a_batch_is_worded_as_documented() -> None:
    assert encoded(["/a"], {"Accept": "application/json"}, "b") == (
        b"--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        b"GET /a HTTP/1.1\r\nAccept: application/json\r\n\r\n--b--\r\n"
    )


def test_retry_after_may_be_a_date() -> None:
    now = datetime(2026, 3, 2, 8, 0, 0, tzinfo=UTC)
    assert Answer(429, headers={"retry-after": "Mon, 02 Mar 2026 08:00:30 GMT"}).retry_after(now) == 30
    assert Answer(429, headers={"retry-after": "Mon, 02 Mar 2026 07:00:30 GMT"}).retry_after(now) == 0
    assert Answer(429, headers={"retry-after": "soon"}).retry_after(now) == 0
    assert Answer(429).retry_after(now) == 0


def test_the_token_stands_in_no_log_repr_or_error(
    dataverse: Dataverse, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "azure")  # a command that ran before may have silenced it
    told: list[str] = []
    for reply in (Reply(500), Reply(302), error(403, "x", "no"), error(400, "x", "no")):
        dataverse.whole.extend([reply] * 2)
        with client_of(dataverse, retries=1) as client:
            try:
                client.get("accounts")
            except BridgeError as fault:
                told.append(f"{fault!r} {fault} {fault.__cause__!r} {fault.__context__!r}")
            told.append(repr(client) + repr(vars(client)))
        dataverse.whole.clear()
    assert len(told) == 8
    assert len(caplog.records) > 0
    assert TOKEN not in "".join([*told, caplog.text])


def test_a_credential_that_fails_is_told_without_its_secret(dataverse: Dataverse) -> None:
    class Failing:
        def get_token(self, *_: str, **__: Any) -> Any:
            raise ClientAuthenticationError("AADSTS7000215: hunter2 is no secret of app 1\nTrace ID: 2")

    login = {"kind": "client_secret", "tenant_id": "t", "client_id": "c", "client_secret": "hunter2"}
    api = dataverse.api(credential=login)
    with closing(WebClient(api, credential=Failing())) as client, pytest.raises(NotPermitted) as caught:
        client.get("accounts")
    assert "AADSTS7000215" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert dataverse.asked == []


def test_a_configuration_is_a_value_that_shows_no_secret() -> None:
    api = DataverseApi.model_validate(
        {
            "url": "https://Contoso.crm.dynamics.com/",
            "credential": {
                "kind": "client_secret",
                "tenant_id": "t",
                "client_id": "c",
                "client_secret": "s3cret",
            },
        }
    )
    assert api.url == "https://contoso.crm.dynamics.com"
    assert "s3cret" not in repr(api) + str(api) + api.model_dump_json()
    assert pickle.loads(pickle.dumps(api)) == api


@pytest.mark.parametrize(
    "url",
    [
        "http://contoso.crm.dynamics.com",
        "http://127.0.0.1.evil.example",
        "https://user:word@contoso.crm.dynamics.com",
        "https://contoso.crm.dynamics.com/api",
        "https://contoso.crm.dynamics.com?x=1",
        "contoso.crm.dynamics.com",
        "ftp://contoso.crm.dynamics.com",
        "https://contoso.crm.dynamics.com:port",
        "",
    ],
)
def test_a_url_that_no_token_should_go_to_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        DataverseApi(url=url)


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("https://contoso.crm.dynamics.com", True),
        ("https://contoso.crm.dynamics.com:443/XRMServices", True),
        ("https://contoso.api.crm.dynamics.com/", True),
        ("https://contoso.crm.dynamics.com.evil.example/", False),
        ("https://contoso.crm.dynamics.com@evil.example/", False),
        ("https://evil.example\\@contoso.crm.dynamics.com/", False),
        ("https://contoso.crm.dynamics.com:444/", False),
        ("http://contoso.crm.dynamics.com/", False),
        ("contoso.crm.dynamics.com", False),
        ("", False),
    ],
)
def test_which_urls_are_ours(url: str, ours: bool) -> None:
    api = DataverseApi(url="https://contoso.crm.dynamics.com", hosts=("Contoso.api.crm.dynamics.com",))
    assert api.serves(url) is ours
