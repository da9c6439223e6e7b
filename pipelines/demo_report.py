"""What the demo prints in the end: counts, the audit, tables, rows, the quarantine, and where to go on."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from ..emulator.dataverse import Organization, Post
from ..sinks.audit import AuditReport
from ..sources.connect import open_client, open_receiver
from ..sources.journal import read_journal
from ..tables.metadata import Metadata, load_metadata
from .audit import audit_bridge
from .config import BridgeConfig
from .exit import Exit
from .truth import compare

_PAUSE: Final = 2.5
"""Seconds between two commits from which on there was nothing to do, or nobody to do it."""
_DIFFERENCES: Final = 5
"""How many differences are printed."""
_SHOWN: Final = ("_op", "Id", "name", "revenue", "industrycode", "industrycodename", "modifiedon", "_changed")


def report(
    console: Console,
    config: BridgeConfig,
    folder: Path,
    posts: Sequence[Post],
    organization: Organization,
) -> int:
    """Print how the demo went; return the exit code, 3 if anything does not add up."""
    audit = audit_bridge(config)
    with sqlite3.connect(f"file:{folder / 'bridge.db'}?mode=ro", uri=True) as database:
        database.row_factory = sqlite3.Row
        _counts(console, config, posts, audit)
        right = _tables(console, database, organization)
        right = _state(console, config, organization) and right
        _rows(console, database)
        _quarantine(console, config, database)
        _throughput(console, database)
    _where(console, folder)
    return Exit.OK if audit.holds and right else Exit.AUDIT_MISMATCH


def _counts(console: Console, config: BridgeConfig, posts: Sequence[Post], audit: AuditReport) -> None:
    deliveries = list(read_journal(Path(config.journal or ""), "received"))
    console.rule("Messages", align="left")
    console.print(f"sent         {len(posts):>8,}")
    console.print(f"received     {len(set(deliveries)):>8,}")
    console.print(f"redelivered  {len(deliveries) - len(set(deliveries)):>8,}  after the kill")
    console.print(f"committed    {audit.committed:>8,}")
    console.print(f"skipped      {audit.skipped:>8,}")
    console.print(f"rejected     {audit.rejected:>8,}")
    console.rule("Audit", align="left")
    for line in audit.lines():
        console.print(line)


def _tables(console: Console, database: sqlite3.Connection, organization: Organization) -> bool:
    """Print the rows of each table beside what really happened; tell whether they agree."""
    masters = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    names = [row[0] for row in masters if row[0].endswith("_history")]
    happened = Counter(f"{event.table}_history" for event in organization.history)
    jobs = {str(event.operation_id) for event in organization.history}
    table = Table("table", "rows", "columns", "events that happened", title_justify="left")
    found: set[str] = set()
    right = True
    for name in names:
        columns = len(database.execute(f'PRAGMA table_info("{name}")').fetchall())
        told = [row[0] for row in database.execute(f'SELECT _operation_id FROM "{name}"')]  # noqa: S608
        found.update(told)
        simulated = sum(job in jobs for job in told)
        right = right and (name not in happened or simulated == happened[name])
        truth = f"{happened[name]:,}" if name in happened else "from other messages"
        table.add_row(name, f"{len(told):,}", f"{columns}", truth)
    console.rule("History: every event once (the same rows in SQLite, Parquet and Delta)", align="left")
    console.print(table)
    right = right and jobs <= found
    answer = "every one of them is in the history once" if right else "THE HISTORY DIFFERS FROM WHAT HAPPENED"
    console.print(f"the simulated Dataverse made {len(organization.history):,} changes: {answer}")
    return right


def _state(console: Console, config: BridgeConfig, organization: Organization) -> bool:
    """Print how the current state in each sink compares with the truth; tell whether all agree."""
    console.rule("Current state: the rows as they are now, in tables named as Dataverse's", align="left")
    types = Metadata().types if config.metadata is None else load_metadata(config.metadata).types
    right = True
    for sink in config.sinks:
        if not sink.state:
            continue
        found = compare(organization, sink, types)
        console.print(
            f"{sink.kind:<7} {found.rows:,} rows, {found.deleted:,} of them deleted since, "
            f"{found.cells:,} columns, {found.parties:,} party lists, {found.pairs:,} pairs of rows",
            highlight=False,
        )
        for line in found.differences[:_DIFFERENCES]:
            console.print(f"        {line}", highlight=False)
        right = right and not found.differences
    answer = "all of it is as in the simulated Dataverse" if right else "THE STATE DIFFERS FROM THE TRUTH"
    console.print(answer)
    return right


def _rows(console: Console, database: sqlite3.Connection) -> None:
    console.rule("Three rows of account_history", align="left")
    present = {row[1] for row in database.execute("PRAGMA table_info(account_history)")}
    columns = ", ".join(f'"{name}"' for name in _SHOWN if name in present)
    query = f"SELECT {columns} FROM account_history ORDER BY _order DESC LIMIT 3"  # noqa: S608 - our own names
    for row in database.execute(query):
        shown = {name: _short(row[name]) for name in row.keys() if row[name] is not None}  # noqa: SIM118
        console.print("  ".join(f"{name}={value}" for name, value in shown.items()), highlight=False)


def _quarantine(console: Console, config: BridgeConfig, database: sqlite3.Connection) -> None:
    console.rule("Quarantine: what could not become rows", align="left")
    query = "SELECT reason, count(*), sentence FROM _quarantine GROUP BY reason, sentence ORDER BY reason"
    for reason, count, sentence in database.execute(query):
        console.print(f"{count:>5}  {reason}: {_short(sentence, 90)}", highlight=False)
    dead = f"{config.source.entities[0]}/$DeadLetterQueue"
    with open_client(config.source) as client, open_receiver(client, dead) as receiver:
        letters = receiver.peek_messages(1000)
    console.print(f"{len(letters):>5}  messages in {dead}, with the same reasons", highlight=False)


def _throughput(console: Console, database: sqlite3.Connection) -> None:
    """Print messages per second while there was work, by the instants of the commits."""
    query = "SELECT julianday(committed_at) * 86400, count(*) FROM _ledger GROUP BY committed_at ORDER BY 1"
    commits = database.execute(query).fetchall()
    gaps = [(later[0] - earlier[0], later[1]) for earlier, later in pairwise(commits)]
    busy = [(seconds, messages) for seconds, messages in gaps if seconds < _PAUSE]
    if not busy:
        return
    rate = sum(messages for _, messages in busy) / max(sum(seconds for seconds, _ in busy), 1e-9)
    console.rule("Throughput", align="left")
    console.print(
        f"{rate:,.0f} messages/s into all three sinks, in {len(commits)} commits, while broker, simulator "
        "and bridge shared this machine; bench/ measures the bridge by itself",
        soft_wrap=True,
    )


def _where(console: Console, folder: Path) -> None:
    console.rule("Where it is, and what to try next", align="left")
    console.print(f"Parquet  {folder}/parquet", soft_wrap=True)
    console.print(f"Delta    {folder}/delta", soft_wrap=True)
    console.print(f"SQLite   {folder}/bridge.db", soft_wrap=True)
    console.print(f"prove it again:    .venv/bin/cdsbridge audit {folder}/bridge.yaml", soft_wrap=True)
    console.print(
        'look into Parquet: .venv/bin/python -c "import pyarrow.dataset as d; '
        f"print(d.dataset('{folder}/parquet/account_history').head(3).to_pylist()[0])\"",
        soft_wrap=True,
        highlight=False,
    )
    console.print("your own queue:    copy conf/azure.yaml, then .venv/bin/cdsbridge check and run it")


def _short(value: object, length: int = 60) -> str:
    text = str(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"
