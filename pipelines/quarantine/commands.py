"""The commands ``quarantine list``, ``show`` and ``replay``."""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Final

from ...model.errors import ConfigError
from ...sinks import AnySink
from ...sources.plan import Selection, table_of
from ..again import run_again
from ..asking import agreed
from ..config import BridgeConfig
from ..dlq.causes import advice
from ..exit import Exit
from ..load import load_config
from ..preview.outlook import outlook, preview
from ..preview.telling import preview_tree, shown
from ..run import report
from ..sheet import Cell, Sheet, instant_text, shortened, show, show_json
from .rejected import Quarantined, QuarantinedMessages, quarantined, renamed, sink_of

_BODY: Final = 4_000
"""Bytes of a body that are shown."""


def list_command(
    conf: Path,
    settings: Sequence[str],
    sink: str | None,
    selection: Selection,
    count: int,
    cured: bool,
    output: str,
) -> int:
    """Show what lies in quarantine; return the exit code."""
    config = load_config(conf, settings)
    with closing(sink_of(config, sink).read()) as reader:
        found = quarantined(reader, selection, cured=cured)
        some = list(islice(found, count))
        reasons = Counter(entry.reason for entry in some)
        reasons.update(entry.reason for entry in found)
    if output == "json":
        show_json({"reasons": dict(reasons), "messages": [_tree(entry) for entry in some]})
        return Exit.OK
    rows: list[list[Cell]] = [
        [
            str(entry.envelope.sequence_number),
            entry.envelope.entity,
            instant_text(entry.at),
            table_of(entry.envelope),
            entry.reason,
            shortened(entry.sentence),
            entry.envelope.message_id,
            _since(entry),
        ]
        for entry in some
    ]
    columns = ["number", "entity", "quarantined", "table", "reason", "sentence", "message id", "since"]
    told = ", ".join(f"{number:,} {reason}" for reason, number in reasons.most_common())
    notes = [f"{reasons.total():,} in quarantine: {told}"]
    if reasons.total() > len(some):
        notes.append(f"The first {len(some):,} are shown; --count shows more.")
    show(Sheet(columns, rows, "", notes if rows else ["Nothing lies in quarantine."]))
    return Exit.OK


def show_command(
    conf: Path, settings: Sequence[str], sink: str | None, number: int, entity: str | None, output: str
) -> int:
    """Show one message in quarantine whole; return the exit code.

    Raises:
        ConfigError: There is no such message.
    """
    config = load_config(conf, settings)
    with closing(sink_of(config, sink).read()) as reader:
        entry = next(
            (
                each
                for each in quarantined(reader, cured=True)
                if each.envelope.sequence_number == number and entity in {None, each.envelope.entity}
            ),
            None,
        )
    if entry is None:
        raise ConfigError(
            f"No message with the number {number} is in quarantine; cdsbridge quarantine list tells them"
        )
    now = outlook(config, [entry.envelope])
    body = entry.envelope.body[:_BODY].decode("utf-8", "backslashreplace")
    if output == "json":
        properties = {key: str(value) for key, value in entry.envelope.properties.items()}
        show_json({**_tree(entry), "properties": properties, "body": body, "now": preview_tree(now)})
        return Exit.OK
    tree: dict[str, object] = {**_tree(entry), **entry.envelope.properties}
    rows: list[list[Cell]] = [[name, "" if value is None else str(value)] for name, value in tree.items()]
    ended = ", ".join(now.outcomes)
    again = "".join(f": {sentence}" for _, sentence in now.reasons.values())
    notes = [advice(entry.reason), f"Replayed now it would be {ended}{again}", "", body]
    show(Sheet(["", ""], rows, "", notes))
    return Exit.OK


def replay_command(
    conf: Path,
    settings: Sequence[str],
    sink: str | None,
    selection: Selection,
    limit: int | None,
    dry_run: bool,
    yes: bool,
    look_at: int,
    output: str,
    quiet: bool,
) -> int:
    """Run what lies in quarantine through the graph again; return the exit code."""
    config = load_config(conf, settings)
    place = sink_of(config, sink)
    if (dry_run or not yes) and not _shown(config, place, selection, limit or look_at, dry_run, output):
        return Exit.OK
    if not agreed("Replay them?", yes=yes, output=output):
        return Exit.OK
    source = QuarantinedMessages(sink=place, selection=selection, limit=limit)
    return report(config, output, quiet, lambda: run_again(config, source))


def _shown(
    config: BridgeConfig, place: AnySink, selection: Selection, at_most: int, dry_run: bool, output: str
) -> bool:
    """Show what a replay would bring; tell whether it is to be done."""
    with closing(place.read()) as reader:
        found = preview(config, map(renamed, quarantined(reader, selection)), at_most)
    goes_on = shown(found, "messages in quarantine", dry_run=dry_run, output=output)
    return goes_on and (found.messages > 0 or output == "json")


def _tree(entry: Quarantined) -> dict[str, object]:
    envelope = entry.envelope
    return {
        "entity": envelope.entity,
        "sequence_number": envelope.sequence_number,
        "enqueued_at": instant_text(envelope.enqueued_at),
        "quarantined_at": instant_text(entry.at),
        "message_id": envelope.message_id,
        "table": table_of(envelope),
        "reason": entry.reason,
        "sentence": entry.sentence,
        "place": entry.place,
        "replays": entry.replays,
        "cured": entry.cured,
        "bytes": len(envelope.body),
    }


def _since(entry: Quarantined) -> str:
    if entry.cured:
        return "committed"
    return f"failed again {entry.replays:,} times" if entry.replays else ""
