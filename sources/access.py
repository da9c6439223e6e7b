"""As whom Service Bus is read, and over which way it is reached."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ..login.config import ClientCertificate, ClientSecret, DefaultLogin, ManagedIdentity, WorkloadIdentity


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class AccessKey(_Settings):
    """A shared access policy and its key; the policy needs the claim Listen and no other."""

    kind: Literal["key"] = "key"
    policy: str = Field(min_length=1, description="Name of the shared access policy.")
    access_key: SecretStr = Field(description="Its primary or secondary key, as ${NAME} only.")


class AccessToken(_Settings):
    """A shared access signature made elsewhere.  It is not renewed: the run ends when it expires."""

    kind: Literal["sas"] = "sas"
    sas_token: SecretStr = Field(description="SharedAccessSignature sr=...&sig=..., as ${NAME} only.")


Credential = Annotated[
    DefaultLogin
    | ManagedIdentity
    | WorkloadIdentity
    | ClientSecret
    | ClientCertificate
    | AccessKey
    | AccessToken,
    Field(discriminator="kind"),
]
"""Every way to be let in, beside a connection string."""


class Proxy(_Settings):
    """An HTTP proxy that lets WebSockets through (CONNECT)."""

    host: str = Field(min_length=1, description="Host name of the proxy.")
    port: int = Field(ge=1, le=65535, description="Its port.")
    username: str | None = Field(default=None, description="As whom to ask it.")
    password: SecretStr | None = Field(default=None, description="As ${NAME} only.")


class Retries(_Settings):
    """How the SDK tries one operation again; a link that breaks is reopened by the bridge in any case.

    The names are those of ``ServiceBusClient``
    (https://learn.microsoft.com/python/api/azure-servicebus/azure.servicebus.servicebusclient).
    """

    total: int = Field(default=1, ge=0, le=20, description="Tries beyond the first.")
    mode: Literal["exponential", "fixed"] = Field(default="exponential", description="How waits grow.")
    backoff: float = Field(default=0.8, ge=0, le=60, description="Seconds that waits are made of.")
    backoff_max: float = Field(default=30.0, gt=0, le=600, description="Seconds no wait exceeds.")
    socket_timeout: float | None = Field(
        default=None,
        gt=0,
        le=120,
        description="Seconds a send or receive on the socket may take; else the SDK's.",
    )
