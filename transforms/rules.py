"""What a user may set about flattening: what to skip, which images count, how large is too large."""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

Names = tuple[Annotated[str, Field(min_length=1)], ...]


class Filter(BaseModel):
    """Names to take and names to leave.

    Attributes:
        include: Take only these; empty means all.
        exclude: Leave these, even if included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    include: Names = ()
    exclude: Names = ()

    def takes(self, name: str) -> bool:
        """Tell whether a name passes; upper and lower case are the same.

        >>> Filter(exclude=("account",)).takes("Account")
        False
        """
        name = name.lower()
        if self.include and all(name != each.lower() for each in self.include):
            return False
        return all(name != each.lower() for each in self.exclude)


AUTOMATIC_IMAGE: Final = "AsynchronousStepPrimaryName"
"""Alias of the image that the asynchronous service adds by itself, with the row's primary name only."""


class Aliases(BaseModel):
    """Entity images that count, by the alias they are registered under.

    Attributes:
        include: Only these aliases; empty means all.
        exclude: Never these.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    include: Names = ()
    exclude: Names = (AUTOMATIC_IMAGE,)

    def count(self, alias: str) -> bool:
        """Tell whether the image under this alias counts."""
        return alias not in self.exclude and (not self.include or alias in self.include)


class Images(Aliases):
    """Entity images that count, and other choices for some tables.

    Attributes:
        tables: Logical table name, lower case, to what counts there instead.
    """

    tables: Mapping[str, Aliases] = {}

    def of(self, table: str) -> Aliases:
        """Return what counts in a table.

        >>> rules = Images(tables={"account": Aliases(include=("full",))})
        >>> rules.of("account").count("post"), rules.of("contact").count("post")
        (False, True)
        """
        return self.tables.get(table, self)


class Limits(BaseModel):
    """What a message may be at most; one beyond is rejected as ``too-large``.

    Attributes:
        body_bytes: Bytes of a body.  Dataverse posts at most 192 KB to Service
            Bus (https://learn.microsoft.com/power-apps/developer/data-platform/azure-integration).
        depth: Levels of a value that is kept as JSON text.
        nesting: Elements of XML, text or binary, within one another.
        elements: Elements of XML; members and items of JSON.
        element_attributes: XML attributes of one element.
        attributes: Attributes of one record.
        columns: Columns of one row, labels and lookup tables included.
        rows: Rows of one message.
        seconds: Time to read one body.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    body_bytes: int = Field(default=1 << 20, ge=1)
    depth: int = Field(default=64, ge=1, le=120)
    nesting: int = Field(default=120, ge=1, le=160)
    elements: int = Field(default=100_000, ge=1)
    element_attributes: int = Field(default=32, ge=1)
    attributes: int = Field(default=2_000, ge=1)
    columns: int = Field(default=4_000, ge=1)
    rows: int = Field(default=10_000, ge=1)
    seconds: float = Field(default=10.0, gt=0)


class FlattenRules(BaseModel):
    """The rules of flattening.

    Attributes:
        tables: Tables whose changes are taken, by logical name; others are skipped.
        messages: Messages that are taken (``Update``); others are skipped.
        images: Pre and post images whose columns count.
        binaries: Keep the bytes of images, in columns of bytes.
        limits: What a message may be at most.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tables: Filter = Filter()
    messages: Filter = Filter()
    images: Images = Images()
    binaries: bool = False
    limits: Limits = Limits()
