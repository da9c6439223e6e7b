"""Copies of messages in a file, on the disk before anything happens to the messages."""

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from ...model.envelope import Envelope
from ...model.errors import ConfigError
from ...sources.files.item import item_of


class Copy:
    """Appends messages to a file of JSON lines, as ``backfill --from files`` reads them.

    Attributes:
        messages: How many were written.
    """

    def __init__(self, path: Path) -> None:
        """Name the file; what stands in it stays."""
        self.messages = 0
        self._path = path
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        """Open the file.

        Raises:
            ConfigError: It cannot be written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab")
            if self._file.tell() and self._lacks_end():
                self._file.write(b"\n")
        except OSError as error:
            raise self._refused(error) from error
        return self

    def write(self, envelopes: Iterable[Envelope]) -> None:
        """Write messages; they may not be on the disk yet.

        Raises:
            ConfigError: The file cannot be written.
        """
        assert self._file is not None  # noqa: S101 - used in its with block
        try:
            for envelope in envelopes:
                self._file.write(item_of(envelope) + b"\n")
                self.messages += 1
        except OSError as error:
            raise self._refused(error) from error

    def sync(self) -> None:
        """Return when all that was written is on the disk.

        Raises:
            ConfigError: The file cannot be written.
        """
        assert self._file is not None  # noqa: S101 - used in its with block
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._refused(error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Bring it to the disk and close it."""
        if self._file is not None:
            if kind is None:
                self.sync()
            self._file.close()

    def _lacks_end(self) -> bool:
        """Tell whether a killed process left half a line."""
        with self._path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"

    def _refused(self, error: OSError) -> ConfigError:
        return ConfigError(f"{self._path} cannot be written: {error.strerror or error}")
