"""Every kind of login makes its credential, and nothing it was given is told when it does not."""

from pathlib import Path
from typing import Any

import pytest
from azure import identity
from pydantic import TypeAdapter

from cdsbridge.login.config import Login
from cdsbridge.login.credential import open_credential
from cdsbridge.model.errors import ConfigError

APP = {
    "tenant_id": "00000000-0000-0000-0000-000000000001",
    "client_id": "00000000-0000-0000-0000-000000000002",
}


def login(kind: str, **settings: Any) -> Any:
    return TypeAdapter(Login).validate_python({"kind": kind, **settings})


@pytest.mark.parametrize(
    ("settings", "made"),
    [
        ({"kind": "default"}, identity.DefaultAzureCredential),
        ({"kind": "default", "client_id": "c"}, identity.DefaultAzureCredential),
        ({"kind": "client_secret", **APP, "client_secret": "hunter2"}, identity.ClientSecretCredential),
        ({"kind": "managed_identity"}, identity.ManagedIdentityCredential),
        ({"kind": "workload", **APP, "token_file": "/token"}, identity.WorkloadIdentityCredential),
    ],
)
def test_each_kind_makes_its_credential(settings: dict[str, Any], made: type) -> None:
    with open_credential(login(**settings)) as credential:  # type: ignore[attr-defined]
        assert isinstance(credential, made)


def test_a_certificate_that_cannot_be_read_is_told_without_its_password(tmp_path: Path) -> None:
    path = tmp_path / "app.pem"
    for content in (None, b"hunter2"):
        if content:
            path.write_bytes(content)
        with pytest.raises(ConfigError, match="client_certificate") as caught:
            open_credential(login("client_certificate", **APP, certificate=path, password="hunter2"))
        assert "hunter2" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_workload_without_its_environment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="workload"):
        open_credential(login("workload"))


@pytest.mark.parametrize(
    "settings", [{"kind": "password"}, {"kind": "client_secret"}, {"kind": "default", "x": 1}]
)
def test_other_logins_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"kind|required|permitted|Field"):
        login(**settings)
