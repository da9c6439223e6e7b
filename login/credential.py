"""Credentials of azure-identity, made where they are used."""

import os
from typing import Any, Final

from azure.core.credentials import TokenCredential

from ..model.errors import ConfigError
from .config import ClientCertificate, ClientSecret, Login, ManagedIdentity, WorkloadIdentity

_AUTHORITY: Final = "AZURE_AUTHORITY_HOST"


def open_credential(login: Login, place: str = "credential") -> TokenCredential:
    """Return a live credential.  It asks for a token when first used.

    Args:
        login: As whom.
        place: Where the configuration has it, for errors.

    Raises:
        ConfigError: None can be made of these settings.
    """
    # imported here: it takes a quarter of a second, and most runs need none
    from azure import identity  # noqa: PLC0415

    try:
        if isinstance(login, ClientSecret):
            secret = login.client_secret.get_secret_value()
            return identity.ClientSecretCredential(
                login.tenant_id, login.client_id, secret, **_authority(login.authority)
            )
        if isinstance(login, ClientCertificate):
            return identity.CertificateCredential(
                login.tenant_id,
                login.client_id,
                str(login.certificate),
                password=None if login.password is None else login.password.get_secret_value(),
                **_authority(login.authority),
            )
        if isinstance(login, ManagedIdentity):
            return identity.ManagedIdentityCredential(client_id=login.client_id)
        if isinstance(login, WorkloadIdentity):
            return identity.WorkloadIdentityCredential(**_given(login), **_authority(login.authority))
        return identity.DefaultAzureCredential(
            **({} if login.client_id is None else {"managed_identity_client_id": login.client_id}),
            **_authority(None),
        )
    except (ValueError, OSError) as error:
        # the error of a bad certificate or id may quote what it was given
        kind = type(error).__name__
        raise ConfigError(f"{place}: no {login.kind} login can be made of this ({kind})") from None


def _authority(configured: str | None) -> dict[str, Any]:
    """Return whom to ask; one that is named is trusted without asking the public cloud about it.

    Sovereign and private clouds may have no way to the public one.
    """
    if configured is None:
        return {"disable_instance_discovery": True} if os.environ.get(_AUTHORITY) else {}
    host = configured.removeprefix("https://").rstrip("/")
    return {"authority": f"https://{host}", "disable_instance_discovery": True}


def _given(login: WorkloadIdentity) -> dict[str, Any]:
    given = {
        "tenant_id": login.tenant_id,
        "client_id": login.client_id,
        "token_file_path": None if login.token_file is None else str(login.token_file),
    }
    return {name: value for name, value in given.items() if value is not None}
