"""What a commit would do, planned against what the sinks hold; nothing is written."""

from collections.abc import Mapping, Sequence
from typing import Final

from ..model.batch import FlattenedBatch
from ..tables.columns import history_name
from ..tables.contract import Contracts
from ..tables.names import PARTY_TABLE
from ..tables.profile import Profile
from ..tables.schema import TableSchema
from .base import Sink, SinkReader
from .describing import described, united
from .plan import Plan, make_plan, rules_of, touched


class Rehearsal:
    """Plans one commit after another as if each were done.

    Rows that only a sink itself can refuse, as it writes them, count as committed.

    Args:
        sinks: At least one, each with a live reader; the caller closes it.
        contracts: What becomes of news about tables.
        profile: Which columns tables show.
    """

    def __init__(
        self, sinks: Sequence[tuple[Sink, SinkReader]], contracts: Contracts, profile: Profile = "native"
    ) -> None:
        self._sinks: Final = sinks
        self._rules: Final = rules_of([sink for sink, _ in sinks], contracts, profile, accounted=False)
        self._known: dict[str, TableSchema] = {}
        self._asked: set[str] = set()

    def plan(self, flats: Sequence[FlattenedBatch], now: int) -> Plan:
        """Return what a commit of batches would do after those planned before.

        Args:
            flats: At least one batch.
            now: The instant of the commit, microseconds since 1970 UTC.

        Raises:
            SinkUnavailable: A sink is away.
            NotPermitted: A sink refuses us.
            ConfigError: The sinks disagree about the type of a column.
        """
        self._look_up({history_name(name): name for name in {*touched(flats), PARTY_TABLE}})
        plan = make_plan(flats, self._known, now, self._rules)
        self._known.update({schema.table: schema for schema in plan.schemas})
        return plan

    def _look_up(self, tables: Mapping[str, str]) -> None:
        for history in sorted(tables.keys() - self._asked):
            table = tables[history]
            union = united(
                history,
                ((sink.name, described(sink, reader, history, table)) for sink, reader in self._sinks),
            )
            if union.columns:
                self._known[history] = union
            self._asked.add(history)
