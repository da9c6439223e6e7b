"""Writes flushes to Delta tables."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from ...model import failpoints
from ...tables.schema import TableSchema
from ...tables.state import StateChanges
from .. import ledger, quarantine
from ..base import Claim, Flush, Staged
from .amend import Amender
from .fence import Fence
from .files import Encoded, encoded
from .keys import EVENT, MESSAGE, Key, KnownKeys
from .rules import Rule, absent_rule, history_rule, state_rule
from .table import Lake, Table, folder_name

_FIXED: Final = {ledger.TABLE: ledger.SCHEMA, quarantine.TABLE: quarantine.SCHEMA}


@dataclass(frozen=True, slots=True)
class _StagedRows:
    table: str
    rows: pa.Table
    file: Encoded


@dataclass(frozen=True, slots=True)
class StagedDelta:
    """Files that are put, but not part of any table.

    Attributes:
        history: Committed first.
        states: Folded into what is held at the commit, next.
        ledger: Committed last.
        quarantine: Committed with the histories.
        now: The instant of the commit, microseconds since 1970 UTC.
    """

    history: tuple[_StagedRows, ...]
    quarantine: tuple[_StagedRows, ...]
    ledger: tuple[_StagedRows, ...]
    states: tuple[StateChanges, ...] = field(default=())
    now: int = 0


class DeltaWriter:
    """Writes flushes to Delta tables; see :class:`cdsbridge.sinks.base.SinkWriter`.

    Each table changes in one commit of its own: histories and quarantine first,
    then states, the ledger last.  A process that ends in between leaves a
    flush half done and not in the ledger; written again, it is completed.

    Args:
        lake: Where the tables lie.
        claim: The start the writer belongs to.
    """

    def __init__(self, lake: Lake, claim: Claim | None) -> None:
        self._lake = lake
        self._tables: dict[str, Table] = {}
        self._fence = Fence(lake, claim)
        self._amender = Amender(self._fence, KnownKeys())
        for name, columns in _FIXED.items():
            self._table(name).prepare(TableSchema(name, dict(zip(columns.names, columns.types, strict=True))))
        self._fence.take_over(self._table(ledger.TABLE))
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="delta-sink")

    def describe(self, table: str) -> TableSchema | None:
        """Return the columns of a table."""
        found = self._table(table)
        return found.schema() if found.refresh() else None

    def prepare(self, schema: TableSchema) -> None:
        """Create the table or add the columns it lacks, in a commit of its own."""
        self._table(schema.table).prepare(schema)

    def stage(self, flush: Flush) -> StagedDelta:
        """Put the rows as files that no table has yet."""
        histories = [(name, rows, EVENT) for name, rows in flush.tables.items()]
        fixed = [(quarantine.TABLE, flush.quarantine, MESSAGE), (ledger.TABLE, flush.ledger, MESSAGE)]
        put = self._all([_job(self._put, *each) for each in (*histories, *fixed) if each[1].num_rows])
        return StagedDelta(
            tuple(each for each in put if each.table not in _FIXED),
            tuple(each for each in put if each.table == quarantine.TABLE),
            tuple(each for each in put if each.table == ledger.TABLE),
            tuple(flush.states.values()),
            flush.now,
        )

    def commit(self, staged: Staged) -> None:
        """Commit to every table, the ledger last."""
        if not isinstance(staged, StagedDelta):
            raise TypeError("not staged by this writer")
        self._check_fence()
        histories = [_job(self._write, each, EVENT, history_rule(each.rows)) for each in staged.history]
        rejected = [_job(self._write_absent, each) for each in staged.quarantine]
        self._all([*histories, *rejected])
        failpoints.reach("history_written")
        self._all([_job(self._fold, changes, staged.now) for changes in staged.states])
        failpoints.reach("all_written")
        for each in staged.ledger:
            self._write_absent(each)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _check_fence(self) -> None:
        table = self._table(ledger.TABLE)
        if table.refresh():
            self._fence.checked(table)

    def _put(self, table: str, rows: pa.Table, key: Key) -> _StagedRows:
        file = encoded([rows], key)
        if file is None:
            raise AssertionError("only tables with rows are staged")
        self._lake.files.create(f"{folder_name(table)}/{file.path}", file.data)
        return _StagedRows(table, rows, file)

    def _write(self, staged: _StagedRows, key: Key, rule: Rule, columns: Sequence[str] | None = None) -> None:
        self._amender.amend(
            self._table(staged.table), key, staged.rows, rule, staged=staged.file, columns=columns
        )

    def _write_absent(self, staged: _StagedRows) -> None:
        self._write(staged, MESSAGE, absent_rule(staged.rows, MESSAGE), MESSAGE.columns)

    def _fold(self, changes: StateChanges, now: int) -> None:
        key = Key((changes.group,), changes.group)
        groups = pa.table({changes.group: changes.groups})
        self._amender.amend(self._table(changes.schema.table), key, groups, state_rule(changes, now))

    def _table(self, name: str) -> Table:
        return self._tables.setdefault(name, Table(self._lake, name))

    def _all(self, jobs: Sequence[Callable[[], Any]]) -> list[Any]:
        """Do jobs at once; raise what the first of them raised only after all have ended."""
        if len(jobs) == 1:
            return [jobs[0]()]
        futures = [self._pool.submit(job) for job in jobs]
        wait(futures)
        return [future.result() for future in futures]


def _job(action: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: action(*arguments)
