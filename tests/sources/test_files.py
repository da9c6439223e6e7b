"""Messages from files: whatever wrote them, they are what was received; what is none says so and where."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.model.batch import FlattenedBatch
from cdsbridge.model.envelope import Envelope
from cdsbridge.model.errors import ConfigError
from cdsbridge.model.verdict import Outcome, Verdict
from cdsbridge.sources.files.item import item_of, with_origins
from cdsbridge.sources.files.source import MessageFiles
from cdsbridge.sources.files.text import items

SCALAR = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False)
WORDS = st.text(st.characters(codec="utf-8"), max_size=8)
ENVELOPES = st.builds(
    Envelope,
    body=st.binary(min_size=1, max_size=40) | WORDS.map(str.encode).filter(bool),
    entity=st.sampled_from(["orders", "crm/Subscriptions/lake"]),
    sequence_number=st.integers(0, 2**62),
    enqueued_at=st.integers(0, 4 * 10**15),
    message_id=WORDS,
    correlation_id=WORDS,
    content_type=WORDS,
    properties=st.dictionaries(WORDS, SCALAR | WORDS | st.binary(max_size=8), max_size=3),
    delivery_count=st.integers(0, 2**31),
)
EXPLORER: dict[str, Any] = {
    "body": '{"a": "ö"}',
    "contentType": "application/json",
    "correlationId": None,
    "deadLetterSource": None,
    "deliveryCount": 3,
    "enqueuedTimeUtc": "2021-08-13T07:49:14.7043957Z",
    "expiresAtUtc": "9999-12-31T23:59:59.9999999",
    "label": None,
    "messageId": "ed03",
    "properties": {"DeadLetterReason": "bad-value", "n": 3},
    "sequenceNumber": 117,
    "size": 12,
}


def read(path: Path, entity: str | None = None) -> list[Envelope]:
    """Return the messages of files, without what tells where they stand and when they were read."""
    found = [
        each for batch in MessageFiles(paths=(path,), entity=entity).batches() for each in batch.envelopes
    ]
    return [
        msgspec.structs.replace(
            each,
            received_at=0,
            properties={
                key: value for key, value in each.properties.items() if not key.startswith("cdsbridge:")
            },
        )
        for each in found
    ]


def faults(path: Path) -> list[tuple[int, str]]:
    """Return line and sentence of everything that is no message."""
    told = []
    for batch in MessageFiles(paths=(path,)).batches():
        rejected = (Verdict(Outcome.REJECTED, sentence="as the flattener says"),) * len(batch.envelopes)
        flat = with_origins(FlattenedBatch(batch, (), rejected))
        for envelope, verdict in zip(flat.batch.envelopes, flat.verdicts, strict=True):
            assert verdict.sentence.startswith(f"{path}:")
            if "as the flattener says" not in verdict.sentence:
                told.append((envelope.sequence_number, verdict.sentence.removeprefix(f"{path}:")))
    return told


def explorer(**changed: Any) -> dict[str, Any]:
    return {**EXPLORER, **changed}


@given(sent=st.lists(ENVELOPES, max_size=6))
def test_our_own_lines_say_what_the_messages_were(sent: list[Envelope], tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("lines") / "some.jsonl"
    path.write_bytes(b"".join(item_of(each) + b"\n" for each in sent))
    found = read(path)
    assert sorted(map(repr, found)) == sorted(map(repr, sent))


@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_of_service_bus_explorer_is_read_however_it_is_laid_out(
    tmp_path: Path, indent: int | None
) -> None:
    path = tmp_path / "saved.json"
    pairs = [{"key": "n", "value": 3}]
    several = [
        explorer(),
        explorer(sequenceNumber=118, body={"x": 1.10}, properties=pairs),
        explorer(body="<a/>"),
    ]
    path.write_text(json.dumps(several, indent=indent).replace("1.1", "1.10"), encoding="utf-8-sig")
    one, two, three = read(path, entity="orders")
    at = int(datetime(2021, 8, 13, 7, 49, 14, tzinfo=UTC).timestamp()) * 1_000_000 + 704_395
    assert one == Envelope(
        '{"a": "ö"}'.encode(),
        "orders",
        117,
        enqueued_at=at,
        message_id="ed03",
        content_type="application/json",
        properties={"DeadLetterReason": "bad-value", "n": 3},
        delivery_count=3,
    )
    assert (two.sequence_number, two.properties) == (118, {"n": 3})
    assert b"".join(two.body.split()) == b'{"x":1.10}'
    assert three.body == b"<a/>"


def test_one_saved_message_is_no_list(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(explorer(), indent=2))
    (found,) = read(path)
    assert (found.entity, found.sequence_number) == (str(path), 117)


def test_a_bare_context_is_a_message_named_by_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "bodies.jsonl"
    path.write_text('\n{"MessageName": "Update", "Depth": 1}\n')
    (found,) = read(path)
    assert found == Envelope(b'{"MessageName": "Update", "Depth": 1}', str(path), 2)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("not json at all", "is no message"),
        ('{"body": "a"', "is no message"),
        ('{"entity": "orders"}', "neither body nor body_base64"),
        ('{"body_base64": "!!"}', "not base64"),
        ('{"body": null}', "its body is null"),
        ('{"body": "a", "enqueued_at": "soon"}', "soon"),
        ('{"body": "a", "properties": {"b": {"c": 1}}}', "application property"),
        ('{"body": "a", "sequence_number": "x"}', "is no message"),
        ("[" * 3000, "is no message"),
    ],
)
def test_a_bad_line_is_told_and_the_others_are_read(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text('{"body": "before"}\n' + line + '\n{"body": "behind"}\n')
    ((number, sentence),) = faults(path)
    assert number == 2
    assert sentence.startswith("2 ")
    assert told in sentence
    assert [each.body for each in read(path)] == [b"before", line.encode(), b"behind"]


def test_bytes_that_are_no_text_spoil_their_line_alone(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_bytes(b'{"body": "\xff"}\n{"body": "behind"}\n')
    assert [number for number, _ in faults(path)] == [1]


def test_a_broken_item_of_an_indented_list_is_told_and_the_next_is_read(tmp_path: Path) -> None:
    path = tmp_path / "saved.json"
    text = json.dumps([explorer(), explorer(messageId="broken"), explorer(sequenceNumber=9)], indent=2)
    path.write_text(text.replace('"messageId": "broken"', '"messageId" broken'))
    ((number, _),) = faults(path)
    assert text.splitlines()[number - 1] == "  {"
    assert [each.sequence_number for each in read(path)] == [117, number, 9]


def test_a_broken_item_without_an_end_is_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdsbridge.sources.files.text._LONGEST", 2_000)
    monkeypatch.setattr("cdsbridge.sources.files.text._PIECE", 100)
    path = tmp_path / "messages.json"
    path.write_text('[\n  {"a": ' + "x" * 20_000)
    pieces = [text for _, text in items(path)]
    assert b"".join(pieces) == b'{"a": ' + b"x" * 20_000
    assert max(map(len, pieces)) <= 2 * 2_000


def test_a_list_that_was_cut_short_gives_what_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "saved.json"
    path.write_text(json.dumps([explorer(), explorer()], indent=2)[:-60])
    assert len(faults(path)) == 1
    assert read(path)[0].sequence_number == 117


def test_parquet_needs_a_body_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "some.parquet"
    pq.write_table(
        pa.table({"body": ["a", None], "enqueued_at": [datetime(2026, 1, 1, tzinfo=UTC)] * 2}), path
    )
    one, two = read(path, entity="orders")
    assert one == Envelope(b"a", "orders", 1, enqueued_at=1_767_225_600_000_000)
    assert (two.entity, two.sequence_number) == (str(path), 2)
    assert faults(path) == [(2, "2 is no message: its body is null")]
    pq.write_table(pa.table({"text": ["a"]}), path)
    with pytest.raises(ConfigError, match="no column body"):
        read(path)
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(ConfigError, match="cannot be read as Parquet"):
        read(path)


def test_a_folder_is_its_files_and_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no file"):
        read(tmp_path)
    for name in ("b.jsonl", "a.json"):
        (tmp_path / name).write_text(json.dumps({"body": name}))
    (tmp_path / "notes.txt").write_text("mine")
    assert [each.body for each in read(tmp_path)] == [b"a.json", b"b.jsonl"]
    with pytest.raises(ConfigError, match="that is there"):
        read(tmp_path / "nowhere")
