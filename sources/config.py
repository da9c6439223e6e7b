"""Which Service Bus to read, and how hard."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from .address import Address


class ServiceBusSource(BaseModel):
    """Queues and subscriptions of one Service Bus namespace.  A value: safe to print and pickle.

    Either ``connection_string`` or ``namespace`` (Microsoft Entra ID, through
    ``DefaultAzureCredential``) says where.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["servicebus"] = "servicebus"
    connection_string: SecretStr | None = Field(
        default=None,
        description="Connection string of the namespace, with a key or SAS token that may Listen.",
    )
    namespace: str | None = Field(
        default=None, description="Host of the namespace, contoso.servicebus.windows.net, for Entra ID."
    )
    client_id: str | None = Field(
        default=None, description="Client id of the user-assigned managed identity, for Entra ID."
    )
    entities: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="Queues (orders), subscriptions (topic/Subscriptions/name), "
        "each with /$DeadLetterQueue for its dead letters."
    )
    transport: Literal["amqp", "websockets"] = Field(
        default="amqp", description="AMQP over TCP 5671, or over WebSockets 443."
    )
    receivers: int = Field(default=1, ge=1, le=32, description="Receiving links per entity.")
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

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.connection_string is None) == (self.namespace is None):
            raise ValueError("give either connection_string or namespace")
        for entity in self.entities:
            Address.parse(entity)
        if len({entity.lower() for entity in self.entities}) < len(self.entities):
            raise ValueError("an entity is named twice")
        return self
