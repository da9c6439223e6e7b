"""The execution context: what one message carries, free of any encoding."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from .scalars import Guid, Moment
from .values import Entity, Reference, Value


@dataclass(frozen=True, slots=True)
class Context:
    """An execution context, as Dataverse hands it to a registered step.

    Member names follow ``RemoteExecutionContext`` of the public SDK.
    ``operation_created_on`` is naive: the service reads it back from its
    database, unmarked, in UTC.  Older servers send no ids in the directory,
    and no user agent: ``None`` leaves the member out.
    """

    business_unit_id: Guid
    correlation_id: Guid
    depth: int
    initiating_user_agent: str | None
    initiating_user_azure_id: Guid | None
    initiating_user_id: Guid
    input_parameters: Mapping[str, Value]
    is_in_transaction: bool
    message_name: str
    mode: int
    operation_created_on: datetime | Moment
    operation_id: Guid
    organization_id: Guid
    organization_name: str
    output_parameters: Mapping[str, Value]
    owning_extension: Reference | None
    parent: "Context | None"
    post_images: Mapping[str, Entity]
    pre_images: Mapping[str, Entity]
    primary_entity_id: Guid
    primary_entity_name: str
    request_id: Guid | None
    shared_variables: Mapping[str, Value]
    stage: int
    user_azure_id: Guid | None
    user_id: Guid
    is_executing_offline: bool = False
    is_offline_playback: bool = False
    isolation_mode: int = 1
    secondary_entity_name: str = "none"


class Writer(Protocol):
    """One encoding of contexts."""

    content_type: str

    def write(self, context: Context) -> bytes:
        """Return the body of a message that carries this context."""
        ...
