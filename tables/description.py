"""The layout of a metadata file: what Dataverse says about tables, columns and relationships.

``cdsbridge schema pull`` writes it, :func:`cdsbridge.tables.metadata.load_metadata`
reads it.  Members that are not known here are passed over, so that a newer
writer does not stop an older reader.
"""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from .names import label_name

VERSION: Final = 1
"""Version of the layout."""

_VIRTUAL: Final = {"MultiSelectPicklistType": "MultiSelectPicklist", "ImageType": "Image", "FileType": "File"}


class ColumnDescription(BaseModel):
    """One column.

    Attributes:
        attribute_type: As in Dataverse metadata (``Money``, ``MultiSelectPicklist``).
        attribute_type_name: ``AttributeTypeName.Value`` (``ImageType``); tells where the type is Virtual.
        attribute_of: The column this one belongs to, if it is no column of its own.
        type: Type of the value (``Int32``), if that is all that is known.
        date_time_behavior: Of a date: UserLocal, DateOnly or TimeZoneIndependent.
        primary_id: Whether it is the key of the row.
        max_length: Characters, of a text.
        precision: Digits after the point that Dataverse keeps.
        targets: Tables a lookup may refer to.
        options: Code to label, of a choice.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    attribute_type: str | None = None
    attribute_type_name: str | None = None
    attribute_of: str | None = None
    type: str | tuple[str, ...] | None = None
    date_time_behavior: str | None = None
    primary_id: bool = False
    max_length: int | None = None
    precision: int | None = None
    targets: tuple[str, ...] = ()
    options: Mapping[int, str] = Field(default_factory=dict)

    def form(self) -> str | None:
        """Return the name of the column's type, or ``None`` if that does not tell.

        Choices of many, images and files are ``Virtual`` by their attribute
        type; only the type's name tells
        (https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api).

        >>> ColumnDescription(attribute_type="Virtual", attribute_type_name="ImageType").form()
        'Image'
        """
        if self.attribute_type == "Virtual":
            return _VIRTUAL.get(self.attribute_type_name or "")
        return self.attribute_type or (self.type if isinstance(self.type, str) else None)

    def is_label(self, name: str) -> bool:
        """Tell whether a column of this name is the label of another, and none of the table's own.

        >>> ColumnDescription(attribute_type="String", attribute_of="ownerid").is_label("owneridname")
        True
        """
        return self.attribute_of is not None and (
            self.form() is None or name == label_name(self.attribute_of.lower())
        )


class TableDescription(BaseModel):
    """One table.

    Attributes:
        entity_set: Name of its rows in the Web API (``accounts``).
        primary_id: Column of the key.
        primary_name: Column of the row's name.
        columns: Logical name to column.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    entity_set: str | None = None
    primary_id: str | None = None
    primary_name: str | None = None
    columns: Mapping[str, ColumnDescription] = Field(default_factory=dict)


class Side(BaseModel):
    """One side of a many-to-many relationship.

    Attributes:
        table: Logical name.
        column: Column of the intersect table that holds its key.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    table: str
    column: str


class RelationshipDescription(BaseModel):
    """A many-to-many relationship.

    Attributes:
        intersect: Logical name of the table of its pairs.
        first: One side.
        second: The other.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    intersect: str
    first: Side
    second: Side


class Description(BaseModel):
    """A whole metadata file.

    Attributes:
        version: Of the layout.
        organization: URL it was read from.
        tables: Logical name to table.
        relationships: Schema name to many-to-many relationship.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    version: int = VERSION
    organization: str = ""
    tables: Mapping[str, TableDescription] = Field(default_factory=dict)
    relationships: Mapping[str, RelationshipDescription] = Field(default_factory=dict)
