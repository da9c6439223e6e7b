"""The asynchronous service: an event becomes the context of a posted message."""

import random
import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from .cells import new_guid
from .context import Context
from .event import Event
from .organization import Organization
from .scalars import Guid
from .service_tables import TABLES
from .values import Entity, Reference, TextPairs, Value

_AGENTS: Final = (
    "",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0",
    "Dataverse.Client/1.2",
)
_POST_OPERATION: Final = 40
_MAIN_OPERATION: Final = 30
_TRANSACTED: Final[Mapping[str, Value]] = {"IsAutoTransact": True, "DefaultsAddedFlag": True}


class AsynchronousService:
    """Turns events into contexts, as a step registered in asynchronous mode sees them.

    Three in ten carry the context of the operation around them, some of these
    the context around that.

    Args:
        organization: Whose events they are.
    """

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        begin = int(organization.now.timestamp())
        self._rng = random.Random(f"{organization.seed}/service/{begin}")  # noqa: S311 - a simulation, not a secret

    def context(self, event: Event) -> Context:
        """Return the context of the message about an event."""
        chance = self._rng.random()
        nested = chance < 0.3 and not event.truncated
        parent = self._parent(event, 2 if chance < 0.06 else 1) if nested else None
        shared = _TRANSACTED if event.operation == "create" else self._changed_types(event, 0.1)
        return self._build(event, event.message, event.parameters, shared, parent, _POST_OPERATION)

    def _parent(self, event: Event, generations: int) -> Context:
        message, parameters = _outer(event)
        above = self._parent(event, generations - 1) if generations > 1 else None
        shared = _TRANSACTED if event.operation == "create" else self._changed_types(event, 0.5)
        return self._build(event, message, parameters, shared, above, _MAIN_OPERATION)

    def _changed_types(self, event: Event, chance: float) -> Mapping[str, Value]:
        if self._rng.random() >= chance:
            return {}
        others = self._rng.sample(list(TABLES), 1 + int(self._rng.random() * 5))
        return {"ChangedEntityTypes": TextPairs(tuple((name, "Update") for name in (*others, event.table)))}

    def _build(
        self,
        event: Event,
        message: str,
        parameters: Mapping[str, Value],
        shared: Mapping[str, Value],
        parent: Context | None,
        stage: int,
    ) -> Context:
        organization, people = self._organization, self._organization.people
        outer = stage == _MAIN_OPERATION
        return Context(
            business_unit_id=people.unit.id,
            correlation_id=event.correlation_id,
            depth=1 if parent is None else 2,
            initiating_user_agent=_AGENTS[int(event.initiating_user_id[:4], 16) % len(_AGENTS)],
            initiating_user_azure_id=people.azure_ids[event.initiating_user_id],
            initiating_user_id=event.initiating_user_id,
            input_parameters=parameters,
            is_in_transaction=False,
            message_name=message,
            mode=1,
            operation_created_on=event.operation_created_on.replace(tzinfo=None),
            operation_id=event.operation_id,
            organization_id=organization.id,
            organization_name=organization.name,
            output_parameters={} if outer else event.outputs,
            owning_extension=Reference(step_id(event.table, event.message), "sdkmessageprocessingstep"),
            parent=parent,
            post_images={} if outer else event.post_images,
            pre_images={} if outer else event.pre_images,
            primary_entity_id=event.primary_id,
            primary_entity_name=event.table,
            request_id=new_guid(self._rng),
            shared_variables=shared,
            stage=stage,
            user_azure_id=people.azure_ids[event.user_id],
            user_id=event.user_id,
        )


@lru_cache(1024)
def step_id(table: str, message: str) -> Guid:
    """Return the id of the step registered for a message of a table."""
    return Guid(uuid.uuid5(uuid.NAMESPACE_OID, f"step/{table}/{message}"))


def _outer(event: Event) -> tuple[str, Mapping[str, Value]]:
    target = event.target
    if not isinstance(target, Entity) or event.table not in TABLES:
        return event.message, event.parameters
    attributes = target.attributes
    if event.message == "Update" and "statecode" in attributes:
        moniker = Reference(event.id, event.table)
        state, status = attributes["statecode"], attributes["statuscode"]
        return "Update", {"EntityMoniker": moniker, "State": state, "Status": status}
    table = TABLES[event.table]
    sent = {name: value for name, value in attributes.items() if _by_client(name, event.table)}
    sent[table.primary_id] = event.id
    return event.message, {"Target": Entity(event.table, event.id, sent), "SuppressDuplicateDetection": False}


@lru_cache(1024)
def _by_client(name: str, table: str) -> bool:
    return TABLES[table].columns[name].entered
