"""Which Dataverse to ask, as whom, and how hard."""

from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _Login(_Settings):
    @property
    def secret(self) -> str | None:
        """What must not stand in an error, if there is such a thing."""
        return None


class DefaultLogin(_Login):
    """Whatever this machine is logged in as: ``az login``, ``AZURE_*`` variables, a managed identity."""

    kind: Literal["default"] = "default"
    client_id: str | None = Field(default=None, description="Client id of a user-assigned managed identity.")


class ClientSecret(_Login):
    """An app registration and its secret."""

    kind: Literal["client_secret"] = "client_secret"
    tenant_id: str = Field(description="Directory (tenant) id.")
    client_id: str = Field(description="Application (client) id.")
    client_secret: SecretStr = Field(description="The secret, as ${NAME} only.")

    @property
    def secret(self) -> str | None:
        """The client secret."""
        return self.client_secret.get_secret_value()


class ClientCertificate(_Login):
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


class WorkloadIdentity(_Login):
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


class DataverseApi(_Settings):
    """The Web API of one Dataverse organization.  A value: safe to print and pickle.

    The identity needs an application user in the organization, with a role
    that may read the tables
    (https://learn.microsoft.com/power-apps/developer/data-platform/authenticate-oauth).
    """

    url: str = Field(description="Of the organization, https://contoso.crm.dynamics.com.")
    hosts: tuple[str, ...] = Field(
        default=(), description="Other host names of the same organization; a token may go there too."
    )
    organization: str | None = Field(
        default=None,
        description="Unique name of the organization, as messages carry it; asked of Dataverse if not given.",
    )
    version: str = Field(default="v9.2", pattern=r"^v\d{1,2}\.\d{1,2}$", description="Of the Web API.")
    credential: Login = Field(default=DefaultLogin(), description="As whom to ask.")
    batch: int = Field(default=100, ge=1, le=1000, description="Rows asked for in one request.")
    retries: int = Field(default=5, ge=0, le=20, description="Tries of a request beyond the first.")
    timeout: float = Field(default=60.0, gt=0, le=600, description="Seconds until an answer must begin.")
    patience: float = Field(
        default=600.0, ge=0, description="Seconds a request waits in all where Dataverse says to come later."
    )

    @field_validator("url")
    @classmethod
    def _plain_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme == "http" and (parts.hostname or "") not in _LOOPBACK:
            raise ValueError("a token goes to this URL, so it must be https")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("not the URL of an organization, such as https://contoso.crm.dynamics.com")
        if parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/"):
            raise ValueError("only scheme and host, such as https://contoso.crm.dynamics.com")
        return f"{parts.scheme}://{parts.netloc.lower()}"

    @field_validator("hosts")
    @classmethod
    def _plain_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if urlsplit(f"//{host}").netloc != host or "@" in host:
                raise ValueError(f"{host!r} is no host name, such as contoso.api.crm.dynamics.com")
        return tuple(host.lower() for host in hosts)

    @model_validator(mode="after")
    def _ports_are_numbers(self) -> Self:
        for origin in (self.url, *(f"//{host}" for host in self.hosts)):
            _ = urlsplit(origin).port
        return self

    @property
    def root(self) -> str:
        """URL that paths of the Web API stand below, with a slash at its end."""
        return f"{self.url}/api/data/{self.version}/"

    def serves(self, url: str) -> bool:
        """Tell whether a URL is one that a token may go to.

        >>> api = DataverseApi(url="https://a.crm.dynamics.com")
        >>> api.serves("https://A.crm.dynamics.com:443/"), api.serves("http://a.crm.dynamics.com/")
        (True, False)
        """
        asked = _origin(url)
        scheme = urlsplit(self.url).scheme
        return asked is not None and asked in {
            _origin(self.url),
            *(_origin(f"{scheme}://{host}") for host in self.hosts),
        }


def _origin(url: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or "\\" in url:
        return None
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)
