"""One sink, its live writer, and what that writer has prepared."""

import contextlib
from dataclasses import replace

from ..model import failpoints
from ..model.errors import SinkUnavailable
from ..tables.schema import TableSchema
from .archive.schema import SCHEMA as MESSAGES
from .base import Claim, Flush, Sink, SinkWriter, Staged
from .describing import described
from .plan import Plan


class Slot:
    """Writes plans to one sink, each to the extent the sink takes it.

    Args:
        sink: Where to.
        claim: The start of a bridge that takes the sink over.
    """

    def __init__(self, sink: Sink, claim: Claim | None) -> None:
        self.sink = sink
        self.met = False
        self._claim = claim
        self._writer: SinkWriter | None = None
        self._prepared: dict[str, TableSchema] = {}
        self._staged: tuple[Plan, Staged] | None = None

    def describe(self, history: str, table: str) -> TableSchema | None:
        """Return the columns the sink has of a table, as those of its history.

        Args:
            history: Name of the history in the sink.
            table: Logical name of the table.
        """
        return described(self.sink, self._live(), history, table)

    def stage(self, plan: Plan) -> None:
        """Prepare the tables and stage the flush."""
        writer = self._live()
        flush = self._taken(plan.flush)
        schemas = [schema for schema in plan.schemas if schema.table in flush.tables]
        for schema in (*schemas, *(each.schema for each in flush.states.values())):
            if self._prepared.get(schema.table) != schema:
                writer.prepare(schema)
                self._prepared[schema.table] = schema
        self._staged = plan, writer.stage(flush)
        failpoints.reach("staged")

    def commit(self, plan: Plan) -> None:
        """Make the flush durable; it is staged once more if it was dropped since."""
        if self._staged is None or self._staged[0] is not plan:
            self.stage(plan)
        (_, staged), self._staged = self._staged or (plan, None), None
        self._live().commit(staged)

    def drop(self) -> None:
        """Close the writer; the next use opens another."""
        writer, self._writer = self._writer, None
        self._prepared.clear()
        self._staged = None
        if writer is not None:
            with contextlib.suppress(SinkUnavailable):
                writer.close()

    def _taken(self, flush: Flush) -> Flush:
        return replace(
            flush,
            tables=flush.tables if self.sink.history else {},
            states=flush.states if self.sink.state else {},
            messages=flush.messages if self.sink.wants_messages else MESSAGES.empty_table(),
        )

    def _live(self) -> SinkWriter:
        if self._writer is None:
            self._writer = self.sink.open(self._claim)
            self.met = True
        return self._writer
