"""One bridge, as its configuration file describes it."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..sinks import AnySink
from ..sources.config import ServiceBusSource
from ..tables.contract import Contracts
from ..tables.profile import Profile
from ..transforms.rules import FlattenRules
from ..webapi.config import DataverseApi


class CommitConfig(BaseModel):
    """When what was received is committed: at whichever bound is reached first."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    seconds: float = Field(
        default=2.0, gt=0, le=60, description="Age of the oldest message; keep it under a third of the lock."
    )
    messages: int = Field(default=5000, ge=1, description="Messages in one commit.")


class DataverseConfig(DataverseApi):
    """The Web API, and when truncated rows are read again from it."""

    hydrate: Literal["later", "inline"] = Field(
        default="later",
        description="later: by the command hydrate; inline: while the message is held, so far as the "
        "metadata file knows the table.",
    )
    inline_patience: float = Field(
        default=10.0, ge=0, le=60, description="Seconds an inline request waits where Dataverse throttles."
    )


class BridgeConfig(BaseModel):
    """A whole bridge: source, rules, sinks."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(
        default="bridge", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$", description="Name in logs."
    )
    source: ServiceBusSource = Field(description="The Service Bus entities to read.")
    flatten: FlattenRules = Field(default=FlattenRules(), description="What is taken, and how far.")
    metadata: Path | None = Field(
        default=None, description="File with the column types of the Dataverse tables (JSON)."
    )
    dataverse: DataverseConfig | None = Field(
        default=None,
        description="The Dataverse Web API, for metadata and for truncated rows.",
    )
    sinks: Annotated[tuple[AnySink, ...], Field(min_length=1)] = Field(
        description="Where tables go; every sink gets everything."
    )
    contracts: Contracts = Field(
        default=Contracts(), description="What becomes of new tables, new columns and values of other types."
    )
    profile: Profile = Field(
        default="native",
        description="native: our columns; synapse-compat: those of Azure Synapse Link, no labels of choices.",
    )
    commit: CommitConfig = Field(default=CommitConfig(), description="When to commit.")
    state: Path | None = Field(
        default=None, description="Folder for the journal of what was received; the audit reads it."
    )
    max_rejected: int | None = Field(
        default=None, ge=0, description="Exit with 4 when more messages than this were rejected."
    )

    @model_validator(mode="after")
    def _a_commit_fits_in_flight(self) -> Self:
        if self.commit.messages > self.source.max_in_flight:
            raise ValueError("commit.messages is more than source.max_in_flight; no commit would reach it")
        return self

    @model_validator(mode="after")
    def _inline_hydration_knows_the_types(self) -> Self:
        if self.dataverse is not None and self.dataverse.hydrate == "inline" and self.metadata is None:
            raise ValueError(
                "dataverse.hydrate: inline needs metadata, so that rows of the Web API and of messages have "
                "the same types; write the file with cdsbridge schema pull"
            )
        return self

    @property
    def journal(self) -> str | None:
        """Folder of the journal, or ``None``."""
        return None if self.state is None else str(self.state / "journal")
