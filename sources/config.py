"""Which Service Bus to read, and how hard."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from ..login.config import DefaultLogin
from .access import Credential, Proxy, Retries
from .address import Address


class ServiceBusSource(BaseModel):
    """Queues and subscriptions of one Service Bus namespace.  A value: safe to print and pickle.

    Either ``connection_string``, or ``namespace`` with a ``credential``, says where and as whom.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["servicebus"] = "servicebus"
    connection_string: SecretStr | None = Field(
        default=None,
        description="Connection string of the namespace, with a key or SAS token that may Listen.",
    )
    namespace: str | None = Field(
        default=None,
        description="Host of the namespace, contoso.servicebus.windows.net, to log in by a credential.",
    )
    credential: Credential = Field(
        default=DefaultLogin(), description="As whom to log in at the namespace, without a connection string."
    )
    entities: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="Queues (orders), subscriptions (topic/Subscriptions/name), "
        "each with /$DeadLetterQueue or /$Transfer/$DeadLetterQueue for its dead letters."
    )
    sessions: Mapping[str, Annotated[int, Field(ge=1, le=256)]] = Field(
        default={}, description="For each entity that requires sessions: how many are read at once."
    )
    session_idle: float = Field(
        default=1.0, gt=0, le=60, description="Seconds without a message after which a session is let go."
    )
    transport: Literal["amqp", "websockets"] = Field(
        default="amqp", description="AMQP over TCP 5671, or over WebSockets 443."
    )
    proxy: Proxy | None = Field(default=None, description="HTTP proxy; the transport is WebSockets then.")
    endpoint: str | None = Field(
        default=None,
        pattern=r"^(sb://)?[A-Za-z0-9.-]+(:\d{1,5})?$",
        description="Host and port of a private endpoint or gateway to connect to, sb://gateway:5671.",
    )
    ca_file: Path | None = Field(default=None, description="PEM file of the certificates that are trusted.")
    retries: Retries = Field(default=Retries(), description="How the SDK tries one operation again.")
    identifier: str | None = Field(
        default=None, max_length=64, description="Name of this client in errors and logs of the service."
    )
    receivers: int = Field(default=1, ge=1, le=32, description="Receiving links per entity without sessions.")
    batch: int = Field(default=1000, ge=1, le=5000, description="Messages asked for at once.")
    wait: float = Field(
        default=1.0, gt=0, le=60, description="Seconds a receive waits for the first message."
    )
    max_in_flight: int = Field(
        default=10_000, ge=1, description="Messages received and not yet settled, over all links."
    )
    max_in_flight_bytes: int = Field(
        default=256 * 1024 * 1024, ge=1, description="Bytes of bodies received and not yet settled."
    )
    renew_for: float = Field(
        default=900.0, ge=0, description="Seconds a lock is renewed at most, from receipt; 0 never renews."
    )
    max_deliveries: int = Field(
        default=10,
        ge=1,
        description="MaxDeliveryCount of the entities: failures after which a message is dead-lettered.",
    )
    stalled_after: float = Field(
        default=60.0,
        gt=0,
        description="Seconds without a message after which a link looks whether messages wait, "
        "and is opened anew if they do.",
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.connection_string is None) == (self.namespace is None):
            raise ValueError("give either connection_string or namespace")
        if self.connection_string is not None and "credential" in self.model_fields_set:
            raise ValueError("a credential goes with namespace; a connection_string has its own")
        if self.namespace is not None and ("://" in self.namespace or "/" in self.namespace):
            raise ValueError("namespace is a host, such as contoso.servicebus.windows.net")
        return self

    @model_validator(mode="after")
    def _entities_are_told_once(self) -> Self:
        paths = {Address.parse(entity).path.lower() for entity in self.entities}
        if len(paths) < len(self.entities):
            raise ValueError("an entity is named twice")
        for entity in self.sessions:
            address = Address.parse(entity)
            if address.path.lower() not in paths:
                raise ValueError(f"sessions: {entity!r} is none of entities")
            if address.sub_queue is not None:
                raise ValueError(f"sessions: {entity!r} is a sub-queue, and those have no sessions")
        return self

    def __hash__(self) -> int:
        return hash((self.entities, self.namespace, self.connection_string))

    def sessions_of(self, entity: str) -> int:
        """Return how many sessions of an entity are read at once, 0 for an entity without."""
        path = Address.parse(entity).path.lower()
        return next(
            (count for name, count in self.sessions.items() if Address.parse(name).path.lower() == path), 0
        )

    def dead_letters(self) -> "ServiceBusSource":
        """Return the source of the dead letters of these entities; of a sub-queue, itself."""
        paths = dict.fromkeys(dead_letters_of(entity) for entity in self.entities)
        return self.model_copy(update={"entities": tuple(paths), "sessions": {}})


def dead_letters_of(entity: str) -> str:
    """Return the path of an entity's dead letters; of a sub-queue, itself.

    >>> dead_letters_of("crm/Subscriptions/lake")
    'crm/Subscriptions/lake/$DeadLetterQueue'
    """
    return entity if Address.parse(entity).sub_queue else f"{entity}/$DeadLetterQueue"
