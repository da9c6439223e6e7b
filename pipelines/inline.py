"""Hydration while a message is held: one batch of requests a micro-batch, within bounds.

What cannot be read now is no fault of the message.  It is committed with its
truncated row, which stays on the list of ``cdsbridge hydrate``.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

import apache_beam as beam
from apache_beam.pvalue import PCollection

from ..model.batch import FlattenedBatch
from ..model.counters import counters
from ..model.envelope import Envelope
from ..model.errors import ConfigError
from ..sinks.holding import stopping
from ..tables.hydration import TruncatedRow, awaiting, truncated_rows
from ..tables.metadata import Metadata
from ..transforms.assembly import assemble, joined
from ..webapi.client import WebClient
from .config import DataverseConfig
from .hydration import AWAY, Hydration, Hydrator

_log = logging.getLogger(__name__)

_ORGANIZATION: Final = "Claims/Organization"
"""End of the application property that holds the URL of the sender's organization."""
_REST: Final = 60.0
"""Seconds in which nothing is asked after Dataverse was away."""


class InlineHydration:
    """Adds to each batch the rows that answer its truncated ones.

    Args:
        client: Whom to ask; its patience is the bound of waiting.
        metadata: What flattening knows; rows of other tables are left on the list.
        binaries: Keep the bytes of images.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        client: WebClient,
        metadata: Metadata,
        *,
        binaries: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._hydrator = Hydrator(client, metadata, binaries=binaries, asks_for_tables=False)
        self._clock = clock
        self._rests_until = 0.0
        self._away = False
        self._told: set[str] = set()

    def hydrated(self, flat: FlattenedBatch) -> FlattenedBatch:
        """Return the batch with the rows that answer its truncated ones, as far as they can be had now."""
        found = list(_truncated(flat))
        if not found:
            return flat
        ours = [each for each in found if self._is_ours(flat.batch.envelopes[each[0]])]
        asked = ours[: self._client.api.batch] if self._clock() >= self._rests_until else []
        made = [
            (position, hydration.made)
            for (position, _), hydration in zip(asked, self._asked([row for _, row in asked]), strict=False)
            if hydration.made is not None
        ]
        counters.add("hydrated", len(made))
        counters.add("hydration_deferred", len(found) - len(made))
        tables = joined(flat.tables, assemble(made)) if made else flat.tables
        return FlattenedBatch(flat.batch, tuple(tables), flat.verdicts)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _asked(self, rows: list[TruncatedRow]) -> list[Hydration]:
        if not rows:
            return []
        try:
            ended = self._hydrator.hydrate(rows)
        except AWAY as error:
            self._rest(str(error))
            return []
        except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the messages
            self._rest(f"it failed ({type(error).__name__}); please report it")
            return []
        if self._away:
            self._away = False
            _log.info("Truncated messages are hydrated again: %s answers", self._client.api.url)
        for each in ended:
            if each.reason:
                self._tell_once(each.end, f"{each.truncated.table} {each.truncated.id}: {each.reason}")
        return ended

    def _rest(self, why: str) -> None:
        self._rests_until = self._clock() + _REST
        if not self._away:
            self._away = True
            _log.warning(
                "Truncated messages are committed without their rows for now: %s. "
                "They stand on the list of cdsbridge hydrate",
                why,
            )

    def _is_ours(self, envelope: Envelope) -> bool:
        url = _organization_url(envelope)
        if url is None or self._client.api.serves(url):
            return True
        self._tell_once("elsewhere", f"a message is of {url[:200]!r}, not of {self._client.api.url}")
        return False

    def _tell_once(self, kind: str, sentence: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            _log.warning("A truncated row is left on the list of cdsbridge hydrate: %s", sentence)


def _organization_url(envelope: Envelope) -> str | None:
    for name, value in envelope.properties.items():
        if name.endswith(_ORGANIZATION):
            text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            return text if isinstance(text, str) else ""
    return None


def _truncated(flat: FlattenedBatch) -> Iterator[tuple[int, TruncatedRow]]:
    """Yield position of the message and truncated row."""
    for table in flat.tables:
        cut = awaiting(table.records)
        if cut.true_count:
            positions = table.positions.filter(cut).to_pylist()
            yield from zip(positions, truncated_rows(table.table, table.records.filter(cut)), strict=True)


class HydrateInline(beam.PTransform[PCollection[FlattenedBatch], PCollection[FlattenedBatch]]):
    """Hydrates truncated messages on their way: ``FlattenedBatch`` in and out, one for one.

    Args:
        api: Which Dataverse, and the bounds.
        metadata: What flattening knows.
        binaries: Keep the bytes of images.

    Raises:
        ConfigError: The metadata knows no entity sets.
    """

    def __init__(self, api: DataverseConfig, metadata: Metadata, *, binaries: bool = False) -> None:
        super().__init__()
        if not metadata.entity_sets:
            raise ConfigError(
                "dataverse.hydrate: inline needs a metadata file with entity sets; write it with "
                "cdsbridge schema pull"
            )
        self._fn = _HydrateFn(api, metadata, binaries)

    def expand(self, pcoll: PCollection[FlattenedBatch]) -> PCollection[FlattenedBatch]:
        """Apply the step."""
        return pcoll | "Hydrate" >> beam.ParDo(self._fn).with_output_types(FlattenedBatch)


class _HydrateFn(beam.DoFn):
    """Opens the client when the first truncated message comes."""

    def __init__(self, api: DataverseConfig, metadata: Metadata, binaries: bool) -> None:
        super().__init__()
        self._api = api
        self._metadata = metadata
        self._binaries = binaries
        self._inline: InlineHydration | None = None

    def process(self, flat: FlattenedBatch) -> Iterator[FlattenedBatch]:
        """Hydrate one batch."""
        if self._inline is None and any(awaiting(table.records).true_count for table in flat.tables):
            self._inline = open_inline(self._api, self._metadata, binaries=self._binaries)
        yield flat if self._inline is None else self._inline.hydrated(flat)

    def teardown(self) -> None:
        """Close the connection."""
        if self._inline is not None:
            with suppress(OSError):
                self._inline.close()
            self._inline = None


def open_inline(api: DataverseConfig, metadata: Metadata, *, binaries: bool) -> InlineHydration:
    """Return live inline hydration, within the bounds of the configuration.

    Raises:
        ConfigError: No credential can be made.
    """
    bounded = api.model_copy(
        update={
            "patience": api.inline_patience,
            "timeout": min(api.timeout, max(1.0, api.inline_patience)),
            "retries": min(api.retries, 2),
        }
    )
    return InlineHydration(WebClient(bounded, sleep=stopping.wait), metadata, binaries=binaries)
