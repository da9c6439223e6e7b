"""Which Dataverse to ask, as whom, and how hard."""

from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ..login.config import DefaultLogin, Login

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


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
