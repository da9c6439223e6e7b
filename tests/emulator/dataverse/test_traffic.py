"""The posts: their bytes against the truth, against published messages, and how they arrive."""

import json
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import cdsbridge
from cdsbridge.emulator.dataverse import CLAIMS, EXPECTED, Organization, Poison, Post, metadata, traffic

assert cdsbridge.__file__ is not None
PUBLISHED = Path(cdsbridge.__file__).parent.parent / "shared" / "conformance" / "published"
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
TABLES = metadata()


def _posts(count: int, seed: int = 5, **settings: Any) -> tuple[Organization, list[Post]]:
    organization = Organization(seed, START)
    return organization, list(traffic(organization, count, **settings))


@pytest.fixture(scope="module")
def day() -> tuple[Organization, list[Post]]:
    return _posts(2500, poison=0.01, asides=0.01)


def test_the_same_day_twice_is_the_same_to_the_byte() -> None:
    assert _posts(400, poison=0.05, asides=0.05)[1] == _posts(400, poison=0.05, asides=0.05)[1]


def test_another_seed_is_another_day() -> None:
    assert _posts(10, seed=6)[1] != _posts(10)[1]


def test_sizes_are_those_of_real_messages(day: tuple[Organization, list[Post]]) -> None:
    sizes = [len(post.body) for post in day[1] if post.event]
    assert 5000 < statistics.mean(sizes) < 6000
    assert 3500 < statistics.median(sizes) < 5500
    assert 20_000 < max(sizes) < 192 * 1024


def test_three_in_ten_carry_a_parent(day: tuple[Organization, list[Post]]) -> None:
    contexts = [json.loads(post.body) for post in day[1] if post.event]
    parents = [context["ParentContext"] for context in contexts if context["ParentContext"]]
    assert 0.26 < len(parents) / len(contexts) < 0.34
    assert any(parent["ParentContext"] for parent in parents)
    sent = [{item["key"]: item["value"] for item in parent["InputParameters"]} for parent in parents]
    assert all(names.get("SuppressDuplicateDetection", False) is False for names in sent)
    assert all(parent["Stage"] == 30 and not parent["PostEntityImages"] for parent in parents)


_DATE = re.compile(r"/Date\((-?\d+)(?:([+-])(\d\d)(\d\d))?\)/")


def _instant(text: str) -> datetime:
    found = _DATE.fullmatch(text)
    assert found, text
    offset = timedelta(hours=int(found[3] or 0), minutes=int(found[4] or 0))
    shift = -offset if found[2] == "-" else offset
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(found[1])) + shift


def _value(column: Mapping[str, object], value: Any) -> Any:
    if value is None:
        return None
    match column["type"]:
        case "OptionSetValue":
            return int(value["Value"])
        case "Money":
            return Decimal(value["Value"])
        case "OptionSetValueCollection":
            return tuple(int(option["Value"]) for option in value)
        case "EntityReference":
            return value["Id"], value["LogicalName"], value["Name"]
        case "DateTime":
            instant = _instant(value)
            return instant.date() if column["date_time_behavior"] == "DateOnly" else instant
        case "Int32" | "Int64":
            return int(value)
        case "Decimal":
            return Decimal(value)
        case "Double":
            return float(value)
        case _:
            return value


def _rows(context: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the sources of a row, the one that counts last at the end."""
    parameters = {item["key"]: item["value"] for item in context["InputParameters"]}
    if context["MessageName"] == "Delete":
        yield from _images(context["PreEntityImages"])
    if "Attributes" in parameters.get("Target", {}):
        yield parameters["Target"]
    elif "Assignee" in parameters:
        yield _made({"ownerid": parameters["Assignee"]})
    elif "State" in parameters:
        yield _made({"statecode": parameters["State"], "statuscode": parameters["Status"]})
    yield from _images(context["PostEntityImages"])


def _images(images: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (image["value"] for image in images if image["key"] != "AsynchronousStepPrimaryName")


def _made(values: dict[str, Any]) -> dict[str, Any]:
    return {"Attributes": [{"key": k, "value": v} for k, v in values.items()], "FormattedValues": []}


def test_the_bytes_tell_exactly_what_the_history_says(day: tuple[Organization, list[Post]]) -> None:
    for post in day[1]:
        if post.event is None or post.event.operation == "event":
            continue
        context = json.loads(post.body, parse_float=str, parse_int=str)
        columns: dict[str, Any] = {}
        labels: dict[str, str] = {}
        for row in _rows(context):
            for item in row["Attributes"]:
                columns[item["key"]] = _value(TABLES[post.event.table][item["key"]], item["value"])
                labels.pop(item["key"], None)
            labels |= {item["key"]: item["value"] for item in row["FormattedValues"]}
        assert columns == post.event.columns
        assert {type(value) for value in columns.values()} <= {
            bool, int, float, str, Decimal, date, datetime, tuple, type(None),
        }  # fmt: skip
        assert labels == post.event.labels
        assert context["OperationId"] == post.event.operation_id
        assert _instant(context["OperationCreatedOn"]) == post.event.operation_created_on
        assert context["OperationCreatedOn"].endswith("000-0700)/")
        assert (context["PrimaryEntityName"], context["PrimaryEntityId"]) == (post.event.table, post.event.id)


def _shapes(value: Any, position: str, found: dict[str, set[tuple[str, ...]]]) -> None:
    """Collect the members of each kind of object, by its mark or the member it stands in."""
    if isinstance(value, list):
        for item in value:
            _shapes(item, f"{position.replace('Pre', 'Post')}[]", found)
    elif isinstance(value, dict):
        kind = value["__type"].partition(":")[0] if "__type" in value else position
        if "Stage" in value:
            kind = "context"
        if kind not in ("QueryExpression", "context"):
            found.setdefault(kind, set()).add(tuple(value))
        for name, item in value.items():
            if kind != "QueryExpression":
                _shapes(item, name, found)


def test_objects_have_the_members_of_published_messages(day: tuple[Organization, list[Post]]) -> None:
    if not PUBLISHED.exists():
        pytest.skip(f"NO PUBLISHED MESSAGES at {PUBLISHED}: the shape is not compared")
    real: dict[str, set[tuple[str, ...]]] = {}
    ours: dict[str, set[tuple[str, ...]]] = {}
    for path in PUBLISHED.glob("*.json"):
        _shapes(json.loads(path.read_text("utf-8-sig")), "", real)
    for post in day[1]:
        if post.event and post.event.operation != "event":
            _shapes(json.loads(post.body), "", ours)
    unpublished = {kind: shapes for kind, shapes in ours.items() if not shapes <= real.get(kind, set())}
    assert unpublished == {}


def _members(context: dict[str, Any], found: dict[str, set[str]]) -> None:
    for name, value in context.items():
        found.setdefault(name, set()).add(type(value).__name__)
    if context["ParentContext"]:
        _members(context["ParentContext"], found)


def test_contexts_have_the_members_and_types_of_published_ones(day: tuple[Organization, list[Post]]) -> None:
    if not PUBLISHED.exists():
        pytest.skip(f"NO PUBLISHED MESSAGES at {PUBLISHED}: the members are not compared")
    real: dict[str, set[str]] = {}
    ours: dict[str, set[str]] = {}
    for path in PUBLISHED.glob("*.json"):
        _members(json.loads(path.read_text("utf-8-sig")), real)
    for post in day[1]:
        if post.event:
            context = json.loads(post.body)
            assert list(context) == sorted(context)
            _members(context, ours)
    assert ours.keys() == real.keys()
    assert {name: types for name, types in ours.items() if not types <= real[name]} == {}


def test_a_retry_is_the_same_body_under_another_message_id() -> None:
    organization, posts = _posts(1000, duplicates=0.2, poison=0)
    by_operation: dict[str, list[Post]] = {}
    for post in posts:
        assert post.event
        by_operation.setdefault(post.event.operation_id, []).append(post)
    assert len(by_operation) == len(organization.history) == 1000
    assert 1150 < len(posts) < 1250
    assert len({post.message_id for post in posts}) == len(posts)
    assert all(len({post.body for post in group}) == 1 for group in by_operation.values())


def test_without_reordering_posts_come_as_things_happened() -> None:
    organization, posts = _posts(500, duplicates=0, reorder=0, poison=0)
    assert [post.event for post in posts] == organization.history


def test_posts_change_places_with_neighbours_and_a_few_come_very_late() -> None:
    organization, posts = _posts(3000, duplicates=0, poison=0, late=0.005)
    place = {event.operation_id: number for number, event in enumerate(organization.history)}
    delays = [at - place[post.event.operation_id] for at, post in enumerate(posts) if post.event]
    assert 3 < statistics.median(abs(delay) for delay in delays) < 20
    assert sum(abs(delay) > 40 for delay in delays) < 30
    assert max(delays) > 150


def test_poison_of_every_kind_is_spread_and_named() -> None:
    organization, posts = _posts(500, poison=0.04)
    kinds = Counter(post.poison for post in posts if post.poison)
    assert kinds == dict.fromkeys(Poison, 2)
    assert set(EXPECTED) == set(Poison)
    assert all((post.event is None) == (post.poison is not None) for post in posts)
    assert len(organization.history) == 500


def test_poison_is_as_bad_as_it_says() -> None:
    bodies = {post.poison: post.body for post in _posts(100, poison=0.1)[1] if post.poison}
    unreadable = {Poison.TRUNCATED, Poison.EMPTY, Poison.NOT_JSON, Poison.HTML, Poison.NOT_UTF8}
    for kind in unreadable:
        with pytest.raises(ValueError, match=r"Expecting|Unterminated|decode"):
            json.loads(bodies[kind].decode())
    read = {kind: json.loads(body) for kind, body in bodies.items() if kind not in unreadable}
    assert "MessageName" not in read[Poison.NOT_A_CONTEXT]
    assert not read[Poison.NO_TABLE]["PrimaryEntityName"]
    assert not read[Poison.NO_KEY]["PrimaryEntityId"].strip("0-")
    assert "soon" in read[Poison.BAD_DATE]["OperationCreatedOn"]
    assert '"Value":"a lot"' in bodies[Poison.BAD_MONEY].decode()


def test_properties_name_what_the_body_says(day: tuple[Organization, list[Post]]) -> None:
    for post in day[1]:
        names = {name.removeprefix(CLAIMS) for name in post.properties}
        assert names == {"Organization", "User", "InitiatingUser", "EntityLogicalName", "RequestName"}
        if post.event:
            assert post.properties[f"{CLAIMS}EntityLogicalName"] == post.event.table
            assert post.properties[f"{CLAIMS}RequestName"] == post.event.message
            assert post.properties[f"{CLAIMS}User"] == post.event.user_id
            assert post.correlation_id == post.event.correlation_id


def test_asides_stay_out_of_history_and_truth(day: tuple[Organization, list[Post]]) -> None:
    organization, posts = day
    messages = {post.event.message for post in posts if post.event and post.event.operation == "event"}
    assert messages == {"Associate", "cr1_Recalculate"}
    assert organization.others
    assert {event.operation for event in organization.history} == {"create", "update", "delete"}
    assert set(organization.truth()) == set(TABLES)


def test_a_second_day_goes_on_where_the_first_ended() -> None:
    organization, first = _posts(200)
    second = list(traffic(organization, 200))
    assert len(organization.history) == 400
    assert organization.history[200].instant > organization.history[199].instant
    assert not {post.message_id for post in first} & {post.message_id for post in second}
