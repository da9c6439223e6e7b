"""A token service, and what each kind of login needs to reach it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from cdsbridge.emulator.server.certificate import write_certificate

from .entra import CLIENT, HEADER, SECRET, TENANT, Entra, running

APP = {"tenant_id": TENANT, "client_id": CLIENT}
_VARIABLES = [
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_TOKEN_CREDENTIALS",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "IMDS_ENDPOINT",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "AZURE_REGIONAL_AUTHORITY_NAME",
    "MSI_ENDPOINT",
    "MSI_SECRET",
]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of every server on this machine."""
    return write_certificate(tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.fixture(scope="module")
def service(tls: Path) -> Iterator[Entra]:
    with running(tls) as found:
        yield found


@pytest.fixture
def entra(service: Entra, monkeypatch: pytest.MonkeyPatch) -> Entra:
    """The service, as new; clients trust it, and the environment names no other."""
    service.asked.clear()
    service.lifetime, service.audience, service.secret = 3600, None, SECRET
    service.registered, service.federated = None, ""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(service.certificate))
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return service


def app_certificate(path: Path) -> x509.Certificate:
    """Write a certificate with its key, for an application."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return made


@pytest.fixture
def login_of(
    entra: Entra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], dict[str, Any]]:
    """Return a function that lets a way to a token lead to the service, and gives its configuration."""

    def secret() -> dict[str, Any]:
        return {"kind": "client_secret", **APP, "client_secret": SECRET, "authority": entra.url}

    def certificate() -> dict[str, Any]:
        path = tmp_path / "app.pem"
        entra.registered = app_certificate(path)
        return {"kind": "client_certificate", **APP, "certificate": str(path), "authority": entra.url}

    def federated() -> dict[str, Any]:
        path = tmp_path / "token"
        entra.federated = "header.of-the-pod.signature"
        path.write_text(entra.federated)
        return {"kind": "workload", **APP, "token_file": str(path), "authority": entra.url}

    def imds() -> dict[str, Any]:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", entra.url)
        return {"kind": "managed_identity", "client_id": CLIENT}

    def app_service() -> dict[str, Any]:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{entra.url}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", HEADER)
        return {"kind": "managed_identity"}

    def environment() -> dict[str, Any]:
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", entra.url)
        monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
        monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
        monkeypatch.setenv("AZURE_CLIENT_SECRET", SECRET)
        return {"kind": "default"}

    ways = {
        "secret": secret,
        "certificate": certificate,
        "federated": federated,
        "imds": imds,
        "app service": app_service,
        "environment": environment,
    }
    return lambda way: ways[way]()
