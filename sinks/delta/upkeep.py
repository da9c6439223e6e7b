"""Keeping Delta tables small: joining files, taking out repeats, deleting what no table needs.

Both may run beside a bridge: what one of them or the bridge commits first, the
other looks at again.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import WriterProperties

from ...model.errors import ConfigError, SinkUnavailable
from .amend import Amender
from .errors import Raced, first_contact
from .fence import Fence
from .files import Sources
from .keys import EVENT, KnownKeys
from .rules import Decision
from .table import RACES, Lake, Table

if TYPE_CHECKING:
    from .sink import DeltaSink

WEEK: Final = 168.0
"""Hours a file that no table needs is kept, at least: a reader or a commit may still be at it."""

TARGET: Final = 128 * 1024 * 1024
"""Bytes of a joined file, about."""

_HISTORY: Final = "_history"


@dataclass(frozen=True, slots=True)
class Compacted:
    """What became of one table.

    Attributes:
        table: Its name in the sink.
        files_before: Files it consisted of.
        files_after: Files it consists of.
        repeats: Rows taken out because their event stood there already; none unless somebody
            else has written to the table.
    """

    table: str
    files_before: int
    files_after: int
    repeats: int


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """What became of one table.

    Attributes:
        table: Its name in the sink.
        files: Files deleted, or to be deleted, relative to its folder.
    """

    table: str
    files: tuple[str, ...]


def compact(sink: "DeltaSink") -> list[Compacted]:
    """Join small files of every table, keep one row an event, and write a checkpoint of each log.

    Raises:
        SinkUnavailable: The lake is away, or a bridge keeps writing to the same files.
        NotPermitted: The store refuses our credential.
    """
    return [_compacted(table) for table in _tables(sink.lake())]


def vacuum(
    sink: "DeltaSink", retention_hours: float = WEEK, dry_run: bool = False, force: bool = False
) -> list[Vacuumed]:
    """Delete the files below every table that it needs no more, left by changes and by processes that died.

    Args:
        sink: The lake.
        retention_hours: How long ago a file must have left its table, or been written without
            ever belonging to it.  Older versions of the table cannot be read any more.
        dry_run: Delete nothing, only tell.
        force: Take less than a week.  No bridge may run then, and no reader.

    Raises:
        ConfigError: Less than a week without force.
        SinkUnavailable: The lake is away.
        NotPermitted: The store refuses our credential.
    """
    if retention_hours < WEEK and not force:
        raise ConfigError(
            f"Vacuum keeps files for at least {WEEK:.0f} hours, for a reader or a commit may still be at "
            f"them; {retention_hours:g} hours must be forced, with no bridge and no reader at work"
        )
    return [_vacuumed(table, retention_hours, dry_run) for table in _tables(sink.lake())]


def _tables(lake: Lake) -> Iterator[Table]:
    with first_contact():
        lake.files.greet()
    for name in lake.tables():
        table = Table(lake, name)
        if table.refresh():
            yield table


def _compacted(table: Table) -> Compacted:
    before = len(table.data_files())
    repeats = _drop_repeats(table) if table.name.endswith(_HISTORY) else 0
    raced: Raced | None = None
    for _ in range(RACES):
        try:
            _join(table)
        except Raced as error:
            raced = error
            continue
        return Compacted(table.name, before, len(table.data_files()), repeats)
    raise SinkUnavailable(f"A bridge keeps changing the same files: {raced}")


def _join(table: Table) -> None:
    table.refresh()
    with table.lake.teller.told(table.name):
        table.live.optimize.compact(
            target_size=TARGET, writer_properties=WriterProperties(compression="ZSTD", compression_level=1)
        )
        table.live.create_checkpoint()
    table.refresh()


def _drop_repeats(table: Table) -> int:
    sources = Sources(table.lake.files, table.folder)
    pieces = [group.read(EVENT.columns) for file in table.data_files() for group in sources.groups(file)]
    if not pieces:
        return 0
    counts = pc.value_counts(pa.concat_tables(pieces).column(0))
    repeated = counts.filter(pc.greater(counts.field("counts"), 1))
    ids = repeated.field("values").cast(pa.string())
    if not len(ids):
        return 0
    anywhere = pa.nulls(len(ids))
    rows = pa.table({"_event_id": ids, "_occurred_at": anywhere, "_message": anywhere})
    found: list[int] = []

    def keep_first(held: pa.Table) -> Decision:
        first = _first_posts(held)
        found.append(held.num_rows - first.num_rows)
        return Decision(ids, first)

    Amender(Fence(table.lake, None), KnownKeys()).amend(table, EVENT, rows, keep_first)
    table.refresh()
    return found[-1]


def _first_posts(held: pa.Table) -> pa.Table:
    ranked = held.sort_by([(name, "ascending") for name in ("_event_id", "_order", "_received_at")])
    ids = ranked.column("_event_id").combine_chunks()
    later = pc.equal(ids.slice(1), ids.slice(0, len(ids) - 1))
    return ranked.filter(pc.invert(pa.concat_arrays([pa.array([False]), later])))


def _vacuumed(table: Table, retention_hours: float, dry_run: bool) -> Vacuumed:
    with table.lake.teller.told(table.name):
        files = table.live.vacuum(
            retention_hours=math.ceil(retention_hours),
            dry_run=dry_run,
            enforce_retention_duration=False,
            full=True,
        )
    return Vacuumed(table.name, tuple(sorted(files)))
