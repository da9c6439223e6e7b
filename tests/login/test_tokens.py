"""Every kind of login gets a token of a token service of our own; Entra itself was never asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from azure.core.exceptions import AzureError
from pydantic import TypeAdapter, ValidationError

from cdsbridge.login.config import ClientSecret, Login, WorkloadIdentity
from cdsbridge.login.credential import open_credential
from cdsbridge.login.refusal import cause_of, is_refusal, told

from .conftest import APP, app_certificate
from .entra import CLIENT, SECRET, TENANT, Asked, Entra

SCOPE = "https://servicebus.azure.net//.default"
Ways = Callable[[str], dict[str, Any]]


def login(settings: dict[str, Any]) -> Login:
    return TypeAdapter[Login](Login).validate_python(settings)


def claims_of(settings: dict[str, Any]) -> dict[str, Any]:
    with open_credential(login(settings)) as credential:  # type: ignore[attr-defined]
        token = credential.get_token(SCOPE).token
    return jwt.decode(token, options={"verify_signature": False})


def refusal_of(settings: dict[str, Any]) -> tuple[bool, str]:
    """Whether a login was refused, and what is told of it."""
    with pytest.raises(AzureError) as caught:
        claims_of(settings)
    cause = cause_of(caught.value)
    assert cause is not None
    sentence = told(cause, login(settings))
    assert SECRET not in sentence
    assert "\n" not in sentence
    return is_refusal(cause), sentence


@pytest.mark.parametrize(
    ("way", "asked"),
    [
        ("secret", Asked("secret", SCOPE, CLIENT)),
        ("certificate", Asked("certificate", SCOPE, CLIENT)),
        ("federated", Asked("federated", SCOPE, CLIENT)),
        ("imds", Asked("imds", "https://servicebus.azure.net/", CLIENT)),
        ("app service", Asked("app service", "https://servicebus.azure.net/", "")),
        ("environment", Asked("secret", SCOPE, CLIENT)),
    ],
)
def test_each_kind_asks_in_its_way_for_the_scope(
    way: str, asked: Asked, login_of: Ways, entra: Entra
) -> None:
    claims = claims_of(login_of(way))
    assert (claims["aud"], claims["tid"]) == ("https://servicebus.azure.net/", TENANT)
    assert entra.asked == [asked]


def test_a_default_login_uses_the_identity_that_the_environment_names(
    login_of: Ways, entra: Entra, monkeypatch: pytest.MonkeyPatch
) -> None:
    login_of("app service")
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
    claims_of({"kind": "default"})
    assert [asked.client for asked in entra.asked] == [CLIENT]


@pytest.mark.parametrize(
    ("changed", "code", "advice"),
    [
        ({"client_secret": "a-wrong-secret"}, "AADSTS7000215", "give its value"),
        ({"client_id": TENANT}, "AADSTS700016", "check client_id"),
    ],
)
def test_what_entra_refuses_is_told_with_its_code_and_what_to_do(
    changed: dict[str, str], code: str, advice: str, login_of: Ways
) -> None:
    refused, sentence = refusal_of(login_of("secret") | changed)
    assert refused
    assert sentence.startswith(f"{code}, ")
    assert advice in sentence
    assert "a-wrong-secret" not in sentence


def test_a_tenant_that_is_not_there_is_told(login_of: Ways) -> None:
    refused, sentence = refusal_of(login_of("secret") | {"tenant_id": "nowhere"})
    assert refused
    assert "tenant" in sentence


def test_another_certificate_than_the_registered_one_is_told(login_of: Ways, entra: Entra) -> None:
    settings = login_of("certificate")
    app_certificate(Path(settings["certificate"]))
    assert refusal_of(settings)[1].startswith("AADSTS700027, ")


def test_another_token_of_a_pod_than_the_trusted_one_is_told(login_of: Ways) -> None:
    settings = login_of("federated")
    Path(settings["token_file"]).write_text("of.another.pod")
    assert refusal_of(settings)[1].startswith("AADSTS700213, ")


def test_an_identity_that_the_machine_has_not_is_told(login_of: Ways) -> None:
    assert refusal_of(login_of("imds") | {"client_id": TENANT})[0]


@pytest.mark.parametrize(
    "host", ["login.microsoftonline.us", "https://login.chinacloudapi.cn/", "localhost:1"]
)
def test_an_authority_of_another_cloud_is_taken(host: str) -> None:
    for made in (ClientSecret(**APP, client_secret="x", authority=host), WorkloadIdentity(authority=host)):  # type: ignore[arg-type]
        assert made.authority == host


@pytest.mark.parametrize("host", ["http://login.microsoftonline.us", "login.microsoftonline.us/tenant", ""])
def test_an_authority_that_a_secret_may_not_go_to_is_refused(host: str) -> None:
    with pytest.raises(ValidationError, match="authority"):
        login({"kind": "client_secret", **APP, "client_secret": "x", "authority": host})
