"""The contract of a table: what becomes of news about its columns, and what orders it."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

News = Literal["evolve", "freeze", "quarantine"]
"""What becomes of something new: the table takes it; the table stays and the value is kept in ``_extra``;
or the message goes to quarantine."""


class ColumnContract(BaseModel):
    """What becomes of news about one column; what is not given is as the table says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    new_column: News | None = Field(default=None, description="If the column is not there yet.")
    other_type: News | None = Field(default=None, description="If a value does not fit its type.")


class TableContract(BaseModel):
    """What becomes of news about one table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    new_table: Literal["evolve", "quarantine"] = Field(
        default="evolve",
        description="A table no sink has: evolve creates it, quarantine sets its messages aside.",
    )
    new_column: News = Field(
        default="evolve",
        description="A column the table lacks: evolve adds it, freeze keeps its values in _extra, quarantine "
        "sets the message aside.",
    )
    other_type: News = Field(
        default="evolve",
        description="A value that does not fit its column: evolve keeps it as text in <column>__text, freeze "
        "in _extra, quarantine sets the message aside.",
    )
    columns: Mapping[str, ColumnContract] = Field(
        default_factory=dict, description="Other choices for some columns, by logical name."
    )
    order: Literal["time", "versionnumber"] = Field(
        default="time",
        description="What orders the changes of a row: the time of the event, or versionnumber where images "
        "carry it. Choose before the first run: the two orders do not mix.",
    )

    def of_new_column(self, column: str) -> News:
        """Return what becomes of a column the table lacks."""
        own = self.columns.get(column)
        return (own.new_column if own else None) or self.new_column

    def of_other_type(self, column: str) -> News:
        """Return what becomes of a value that does not fit a column."""
        own = self.columns.get(column)
        return (own.other_type if own else None) or self.other_type


class Contracts(BaseModel):
    """Contracts of all tables: one for most, others for some."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    default: TableContract = Field(default=TableContract(), description="For tables not named.")
    tables: Mapping[str, TableContract] = Field(
        default_factory=dict,
        description="By logical name; such a contract stands alone, it inherits nothing.",
    )

    @model_validator(mode="after")
    def _names_are_logical(self) -> Self:
        odd = sorted(
            name
            for name in (*self.tables, *(c for each in self.tables.values() for c in each.columns))
            if name != name.lower()
        )
        if odd:
            raise ValueError(f"logical names are lower case, unlike {', '.join(odd)}")
        return self

    def of(self, table: str) -> TableContract:
        """Return the contract of a table, by its logical name."""
        return self.tables.get(table, self.default)
