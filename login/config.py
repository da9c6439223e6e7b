"""As whom to ask Microsoft Entra ID for tokens."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class _Login(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @property
    def secret(self) -> str | None:
        """What must not stand in an error, if there is such a thing."""
        return None


class _OfDirectory(_Login):
    authority: str | None = Field(
        default=None,
        pattern=r"^(https://)?[A-Za-z0-9.-]+(:\d{1,5})?/?$",
        description="Host of Microsoft Entra ID in another cloud: login.microsoftonline.us, "
        "login.chinacloudapi.cn; else from AZURE_AUTHORITY_HOST, else login.microsoftonline.com.",
    )


class DefaultLogin(_Login):
    """Whatever this machine is logged in as: ``az login``, ``AZURE_*`` variables, a managed identity."""

    kind: Literal["default"] = "default"
    client_id: str | None = Field(default=None, description="Client id of a user-assigned managed identity.")


class ClientSecret(_OfDirectory):
    """An app registration and its secret."""

    kind: Literal["client_secret"] = "client_secret"
    tenant_id: str = Field(description="Directory (tenant) id.")
    client_id: str = Field(description="Application (client) id.")
    client_secret: SecretStr = Field(description="The secret, as ${NAME} only.")

    @property
    def secret(self) -> str | None:
        """The client secret."""
        return self.client_secret.get_secret_value()


class ClientCertificate(_OfDirectory):
    """An app registration and its certificate."""

    kind: Literal["client_certificate"] = "client_certificate"
    tenant_id: str = Field(description="Directory (tenant) id.")
    client_id: str = Field(description="Application (client) id.")
    certificate: Path = Field(description="PEM or PKCS12 file with certificate and private key.")
    password: SecretStr | None = Field(default=None, description="Of the file, as ${NAME} only.")

    @property
    def secret(self) -> str | None:
        """The password of the file."""
        return None if self.password is None else self.password.get_secret_value()


class ManagedIdentity(_Login):
    """The identity Azure gives the machine."""

    kind: Literal["managed_identity"] = "managed_identity"
    client_id: str | None = Field(default=None, description="Client id of a user-assigned identity.")


class WorkloadIdentity(_OfDirectory):
    """The identity Kubernetes gives the pod; what is not set comes from ``AZURE_*`` variables."""

    kind: Literal["workload"] = "workload"
    tenant_id: str | None = None
    client_id: str | None = None
    token_file: Path | None = None


Login = Annotated[
    DefaultLogin | ClientSecret | ClientCertificate | ManagedIdentity | WorkloadIdentity,
    Field(discriminator="kind"),
]
"""Every way to log in."""
