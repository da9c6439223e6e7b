"""Delta tables on a local disk or in an object store, through the ``deltalake`` library.

Layout, below the sink's URL: a folder a table, ``account_history``,
``account``, ``_ledger``, ``_quarantine``, ``_fence``, each a Delta table of reader
version 1 and writer version 2, which every engine reads.  An event is one row
of its history and a key one row of its state, after any crash and redelivery.
See ``docs/sinks/delta.md``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from ...model.errors import ConfigError
from ..base import Claim
from ..files import open_files
from .errors import Teller, first_contact
from .reader import DeltaReader
from .table import Lake
from .writer import DeltaWriter

SCHEMES: Final = ("file", "abfs", "abfss", "az", "gs", "s3", "s3a")
"""Schemes of the URLs a lake can be opened by, beside plain local paths."""


class DeltaSink(BaseModel):
    """A folder of Delta tables.

    Attributes:
        kind: ``delta``.
        url: A local path, or ``file:``, ``abfss:``, ``az:``, ``s3:``, ``gs:`` with bucket
            or container and folder.
        options: Settings of the object store, credentials among them, by the names
            of https://docs.rs/object_store (``account_name``, ``account_key``, ``client_id`` …).
        history: Whether every event is kept, in tables ``<table>_history``.
        state: Whether the current state is kept, in tables ``<table>``.
        checkpoint_interval: Commits from one checkpoint of a table's log to the next.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["delta"] = "delta"
    url: str
    options: Mapping[str, SecretStr] = Field(default_factory=dict)
    history: bool = True
    state: bool = True
    checkpoint_interval: int = Field(default=10, ge=1, le=10_000)

    @field_validator("url")
    @classmethod
    def _plain_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if not url or (parts.scheme and parts.scheme not in SCHEMES):
            raise ValueError(f"not a local path nor a URL of one of {', '.join(SCHEMES)}")
        if parts.scheme and (parts.query or parts.fragment or parts.password):
            raise ValueError("a URL here carries no credentials: put them under options")
        return url

    @property
    def name(self) -> str:
        """The URL."""
        return self.url

    @property
    def wants_messages(self) -> bool:
        """``False``: only an archive takes the messages themselves."""
        return False

    @property
    def max_columns(self) -> int:
        """Columns a table may have; the format has no limit, its readers grow slow."""
        return 5_000

    @property
    def may_refuse(self) -> bool:
        """``False``: what is staged can be committed."""
        return False

    def open(self, claim: Claim | None = None) -> DeltaWriter:
        """Return a live writer; see :meth:`cdsbridge.sinks.base.Sink.open`."""
        lake = self.lake()
        with first_contact():
            lake.files.greet()
            return DeltaWriter(lake, claim)

    def read(self) -> DeltaReader:
        """Return a live reader; see :meth:`cdsbridge.sinks.base.Sink.read`."""
        return DeltaReader(self.lake())

    def lake(self) -> Lake:
        """Return the place of the tables.

        Raises:
            ConfigError: No store can be opened by this URL and these options, or no table there.
            SinkUnavailable: The root folder cannot be made.
        """
        options = {key: value.get_secret_value() for key, value in self.options.items()}
        parts = urlsplit(self.url)
        is_local = parts.scheme in {"", "file"}
        root = self.url.rstrip("/")
        if is_local:
            path = unquote(parts.path) if parts.scheme else self.url
            root = str(Path(path).expanduser().absolute())
            if "%" in root:
                raise ConfigError(f"{self.name}: Delta tables cannot lie below a folder with % in its name")
        files = open_files(self.url, options, self.name)
        teller = Teller(self.name, tuple(filter(None, options.values())))
        return Lake(files, root, is_local, options, teller, self.checkpoint_interval)
