"""Messages from files: what an archive or an export kept, read as if it were received."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Protocol

from pydantic import BaseModel, ConfigDict, Field

from ...model.envelope import Envelope, MicroBatch
from ...model.errors import ConfigError
from ..convert import now_us
from .item import envelope_of
from .parquet import is_parquet, parquet_envelopes
from .text import items

_AT_ONCE: Final = 1_000
"""Messages in one micro-batch."""
_BYTES: Final = 16 * 1024 * 1024
"""Bytes of bodies after which a micro-batch is full."""
_SUFFIXES: Final = frozenset({".json", ".jsonl", ".ndjson", ".parquet"})


class BatchSource(Protocol):
    """A place messages are read from that holds no locks: a value that pickles."""

    def batches(self) -> Iterator[MicroBatch]:
        """Yield micro-batches, in the same order each time."""


class MessageFiles(BaseModel):
    """Files of messages: JSON lines, Parquet, exports of Service Bus Explorer.  A value: safe to print."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    paths: Annotated[tuple[Path, ...], Field(min_length=1)] = Field(
        description="Files, and folders whose .json, .jsonl, .ndjson and .parquet files are meant."
    )
    entity: str | None = Field(
        default=None, description="Entity of messages whose file does not name one; else the file's path."
    )

    def files(self) -> list[Path]:
        """Return the files meant: those of a folder by name.

        Raises:
            ConfigError: There is no such file, or none in a folder.
        """
        found: list[Path] = []
        for path in self.paths:
            if path.is_dir():
                inside = sorted(each for each in path.rglob("*") if each.suffix.lower() in _SUFFIXES)
                if not inside:
                    raise ConfigError(f"{path} holds no file that ends in {', '.join(sorted(_SUFFIXES))}")
                found += inside
            elif os.access(path, os.R_OK):
                found.append(path)
            else:
                raise ConfigError(f"{path} cannot be read: name a file or a folder that is there")
        return found

    def batches(self) -> Iterator[MicroBatch]:
        """Yield the messages of all files; memory is that of a micro-batch, or of a Parquet row group.

        What is no message becomes an envelope that says so, see :mod:`cdsbridge.sources.files.item`.

        Raises:
            ConfigError: A file cannot be read at all.
        """
        for path in self.files():
            yield from _batched(self._envelopes(path))

    def _envelopes(self, path: Path) -> Iterator[Envelope]:
        entity = self.entity or str(path)
        try:
            if is_parquet(path):
                yield from parquet_envelopes(path, entity)
                return
            for line, text in items(path):
                yield envelope_of(text, path, line, entity, now_us())
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error


def _batched(envelopes: Iterator[Envelope]) -> Iterator[MicroBatch]:
    """Gather messages by their entity, and yield all that is gathered when it is enough."""
    gathered: dict[str, list[Envelope]] = {}
    count = size = 0
    for envelope in envelopes:
        gathered.setdefault(envelope.entity, []).append(envelope)
        count += 1
        size += len(envelope.body)
        if count >= _AT_ONCE or size >= _BYTES:
            yield from (MicroBatch(entity, tuple(some)) for entity, some in gathered.items())
            gathered, count, size = {}, 0, 0
    yield from (MicroBatch(entity, tuple(some)) for entity, some in gathered.items())
