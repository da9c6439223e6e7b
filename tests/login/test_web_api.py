"""The Web API is asked with a token of a token service of our own; neither Entra nor Dataverse was asked."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml
from typer.testing import CliRunner, Result

from cdsbridge.pipelines.cli import app

from ..webapi import account
from ..webapi.server import Dataverse, running
from .entra import CLIENT, Asked, Entra

Ways = Callable[[str], dict[str, Any]]


@pytest.fixture
def dataverse() -> Iterator[Dataverse]:
    with running() as found:
        account.serve(found)
        yield found


def pull(folder: Path, url: str, credential: dict[str, Any]) -> Result:
    """Pull the definition of the table account."""
    path = folder / "bridge.yaml"
    configured = {
        "source": {"namespace": "localhost", "entities": ["q"]},
        "sinks": [{"kind": "parquet", "url": str(folder / "lake")}],
        "dataverse": {"url": url, "credential": credential, "retries": 0},
    }
    path.write_text(yaml.safe_dump(configured))
    out = str(folder / "metadata.json")
    return CliRunner().invoke(app, ["schema", "pull", str(path), "--out", out, "--table", "account"])


@pytest.mark.parametrize("way", ["secret", "certificate", "federated", "imds"])
def test_the_token_is_for_the_organization(
    way: str,
    tmp_path: Path,
    dataverse: Dataverse,
    entra: Entra,
    login_of: Ways,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    credential = login_of(way)
    if "client_secret" in credential:
        monkeypatch.setenv("APP_SECRET", credential["client_secret"])
        credential["client_secret"] = "${APP_SECRET}"
    ended = pull(tmp_path, dataverse.url, credential)
    assert ended.exit_code == 0, ended.output
    scope = dataverse.url if way == "imds" else f"{dataverse.url}/.default"
    assert entra.asked == [Asked(way, scope, CLIENT)]
    for asked in dataverse.asked:
        token = asked.headers["authorization"].removeprefix("Bearer ")
        assert jwt.decode(token, entra.public_key, ["RS256"], audience=dataverse.url)["appid"] == CLIENT


def test_a_login_that_entra_refuses_is_told_with_what_to_do(
    tmp_path: Path, dataverse: Dataverse, login_of: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_SECRET", "a-wrong-secret")
    ended = pull(tmp_path, dataverse.url, login_of("secret") | {"client_secret": "${APP_SECRET}"})
    assert ended.exit_code == 77
    assert "AADSTS7000215, the client secret is wrong" in " ".join(ended.output.split())
    assert "a-wrong-secret" not in ended.output
    assert dataverse.asked == []
