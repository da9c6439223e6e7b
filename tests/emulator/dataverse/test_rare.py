"""The rarer messages: their parameters, and that history, truth and pairs tell the same."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from cdsbridge.emulator.dataverse import TRUNCATED, Organization, Post, Rare, metadata, pairs, traffic
from cdsbridge.emulator.dataverse.event import Event
from cdsbridge.emulator.dataverse.plain import plain
from cdsbridge.emulator.dataverse.scalars import EMPTY_GUID, Guid
from cdsbridge.emulator.dataverse.values import Array, Entities

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
Day = tuple[Organization, list[Post]]


@pytest.fixture(scope="module")
def day() -> Day:
    organization = Organization(5, START)
    return organization, list(traffic(organization, 800, rare=0.4, poison=0, duplicates=0, reorder=0))


def _told(day: Day, message: str) -> list[tuple[Event, dict[str, Any], dict[str, Any]]]:
    """Return event, body and input parameters of each post of a message."""
    found = []
    for post in day[1]:
        if post.event and post.event.message == message:
            body = json.loads(post.body)
            found.append((post.event, body, {each["key"]: each["value"] for each in body["InputParameters"]}))
    assert len(found) >= 10, message
    return found


def test_without_them_the_day_is_the_same() -> None:
    plain_day = list(traffic(Organization(5, START), 300))
    assert plain_day == list(traffic(Organization(5, START), 300, rare=0.0))


def test_the_same_seed_gives_the_same_rarities(day: Day) -> None:
    again = list(traffic(Organization(5, START), 800, rare=0.4, poison=0, duplicates=0, reorder=0))
    assert again == day[1]


def test_every_kind_happens(day: Day) -> None:
    messages = {post.event.message for post in day[1] if post.event}
    assert messages >= {
        "Associate", "Disassociate", "CreateMultiple", "UpdateMultiple", "Merge", "SetState", "Assign",
    }  # fmt: skip
    assert any(post.event.truncated for post in day[1] if post.event)
    assert len(day[1]) == 800 + 320


@pytest.mark.parametrize("message", ["CreateMultiple", "UpdateMultiple"])
def test_a_bulk_message_tells_of_several_rows_and_names_none(day: Day, message: str) -> None:
    for event, body, inputs in _told(day, message):
        targets = inputs["Targets"]["Entities"]
        events = (event, *event.also)
        assert [target["Id"] for target in targets] == [each.id for each in events]
        assert len({each.id for each in events}) == len(events)
        for target, each in zip(targets, events, strict=True):
            assert {item["key"] for item in target["Attributes"]} == set(each.columns)
            assert {item["key"] for item in target["FormattedValues"]} == set(each.labels)
        assert body["PrimaryEntityId"] == EMPTY_GUID
        assert body["PrimaryEntityName"] == event.table
        if message == "CreateMultiple":
            assert body["OutputParameters"] == [{"key": "Ids", "value": [each.id for each in events]}]


def test_all_rows_of_a_message_are_in_the_history(day: Day) -> None:
    told = [post.event for post in day[1] if post.event and post.event.operation != "event"]
    assert [each for event in told for each in (event, *event.also)] == day[0].history


def test_a_merge_tells_of_the_winner_and_of_the_loser(day: Day) -> None:
    for event, body, inputs in _told(day, "Merge"):
        (lost,) = event.also
        content = {item["key"] for item in inputs["UpdateContent"]["Attributes"]}
        assert (inputs["Target"]["Id"], inputs["SubordinateId"]) == (event.id, lost.id)
        assert body["PrimaryEntityId"] == event.id != lost.id
        assert set(event.columns) == content
        assert lost.columns == {"masterid": (event.id, event.table, None), "merged": True}


def test_a_state_is_told_by_name_too(day: Day) -> None:
    for event, _, inputs in _told(day, "SetState"):
        assert inputs["EntityMoniker"]["Id"] == event.id
        assert event.columns["statecode"] == inputs["State"]["Value"]
        assert event.columns["statuscode"] == inputs["Status"]["Value"]


def test_a_party_list_comes_in_both_forms(day: Day) -> None:
    forms = set()
    for event, _, inputs in _told(day, "Create"):
        if event.table != "email":
            continue
        told = {item["key"]: item["value"] for item in inputs["Target"]["Attributes"]}
        for name in ("from", "to", "cc"):
            forms.add(type(told[name]))
            parties = told[name] if isinstance(told[name], list) else told[name]["Entities"]
            columns = event.columns[name]
            assert isinstance(columns, tuple)
            assert len(columns) == len(parties)
            for party, column in zip(parties, columns, strict=True):
                values = {item["key"]: item["value"] for item in party["Attributes"]}
                assert isinstance(column, dict)
                assert column["partyid"][0] == values["partyid"]["Id"]
                assert values["activityid"]["Id"] == event.id
    assert forms == {list, dict}
    described = metadata(rare=True)
    assert described.keys() - metadata().keys() == {"email"}
    assert described["email"]["to"]["attribute_type"] == "PartyList"


def test_a_truncated_message_says_only_that_something_changed(day: Day) -> None:
    posts = [post for post in day[1] if TRUNCATED in post.properties]
    assert len(posts) >= 10
    for post in posts:
        body = json.loads(post.body)
        assert post.event
        assert post.event.truncated
        assert not body["InputParameters"]
        assert not body["PreEntityImages"]
        assert not body["PostEntityImages"]
        assert body["ParentContext"] is None
        assert (body["PrimaryEntityId"], body["PrimaryEntityName"]) == (post.event.id, post.event.table)
        assert post.event.columns == {}
        assert post.event.occurred_at == post.event.operation_created_on


def test_pairs_are_what_associations_leave(day: Day) -> None:
    left: set[tuple[str, str]] = set()
    for post in day[1]:
        if post.event is None or post.event.operation != "event":
            continue
        body = json.loads(post.body)
        inputs = {each["key"]: each["value"] for each in body["InputParameters"]}
        told = {(inputs["Target"]["Id"], each["Id"]) for each in inputs["RelatedEntities"]}
        assert inputs["Relationship"]["SchemaName"] == "cr1_project_contact"
        if body["MessageName"] == "Associate":
            assert not left & told
            left |= told
        else:
            assert told <= left
            left -= told
    assert {pair[1:] for pair in day[0].pairs()} == left
    assert left
    assert pairs(day[0].history) == set()


def test_what_cannot_happen_is_a_creation_instead() -> None:
    organization = Organization(5, START, existing=0)
    for kind in (Rare.ASSOCIATE, Rare.DISASSOCIATE, Rare.MERGE, Rare.UPDATE_MULTIPLE, Rare.TRUNCATED):
        event = organization.rarity(kind, organization.now)
        assert (event.message, event.table) == ("Create", "contact")


def test_a_party_list_is_a_column_and_a_lone_row_is_not() -> None:
    event = Organization(5, START).rarity(Rare.PARTIES, START)
    target = event.target
    assert target
    assert all(isinstance(event.target.attributes[name], Entities | Array) for name in ("from", "to", "cc"))  # type: ignore[union-attr]
    assert plain(Entities(())) == ()
    assert plain(Guid(event.id)) == event.id
    with pytest.raises(TypeError, match="Entity is not the value of a column"):
        plain(target)
