"""The organisation: what it does, and that its truth is what it holds."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from cdsbridge.emulator.dataverse import Images, Organization, TrueRow, metadata, replay
from cdsbridge.emulator.dataverse.event import Event
from cdsbridge.emulator.dataverse.plain import Plain, plain
from cdsbridge.emulator.dataverse.scalars import Guid
from cdsbridge.emulator.dataverse.values import Entity, Reference

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


def _worked(count: int = 3000, **settings: object) -> Organization:
    organization = Organization(11, START, **settings)  # type: ignore[arg-type]
    for number in range(count):
        organization.operate(START + timedelta(seconds=number * 10))
    return organization


@pytest.fixture(scope="module")
def worked() -> Organization:
    return _worked()


def test_the_same_seed_gives_the_same_history() -> None:
    assert _worked(300).history == _worked(300).history


def test_another_seed_gives_another_history() -> None:
    other = Organization(12, START).operate(START)
    assert other != _worked(1).history[0]


def test_a_start_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Organization(1, datetime(2026, 3, 2, 8))


def test_the_mix_is_that_of_an_ordinary_day(worked: Organization) -> None:
    share = Counter(event.message for event in worked.history)
    share_of = {name: share[name] / len(worked.history) for name in share}
    assert 0.69 < share_of["Update"] < 0.76
    assert 0.13 < share_of["Create"] < 0.19
    assert 0.05 < share_of["Delete"] < 0.09
    assert 0.03 < share_of["Assign"] + share_of["SetStateDynamicEntity"] < 0.07
    assert len({event.table for event in worked.history}) == 7


def _same(told: Plain, held: Plain) -> bool:
    if isinstance(told, tuple) and isinstance(held, tuple):
        return told[:2] == held[:2] if isinstance(held[0], str) else told == held
    return told == held


def test_what_messages_told_is_what_the_organisation_holds(worked: Organization) -> None:
    compared = 0
    for table, rows in worked.truth().items():
        for key, row in rows.items():
            held = worked.rows.by_id(Guid(key))
            for name, told in row.values.items():
                assert _same(told, plain(held.values.get(name))), (table, key, name)
                compared += 1
    assert compared > 20_000


def test_a_row_that_was_created_under_our_eyes_is_told_in_full(worked: Organization) -> None:
    created = {event.id for event in worked.history if event.operation == "create"}
    for rows in worked.truth().values():
        for key, row in rows.items():
            if key in created:
                held = set(worked.rows.by_id(Guid(key)).values)
                assert held - set(row.values) <= {"versionnumber"}


def test_the_truth_is_the_history_replayed(worked: Organization) -> None:
    ranks = {"create": 1, "update": 2, "delete": 3}
    ordered = sorted(worked.history, key=lambda event: (event.occurred_at, ranks[event.operation]))
    assert replay(ordered) == worked.truth()


def test_no_row_changes_twice_in_one_second_nor_after_its_end() -> None:
    organization = Organization(3, START)
    for number in range(3000):
        organization.operate(START + timedelta(seconds=number // 20))
    last: dict[str, Event] = {}
    for event in organization.history:
        before = last.get(event.id)
        if before:
            assert before.instant < event.instant
            assert before.operation != "delete"
            assert event.operation != "create"
        last[event.id] = event


def test_lookups_of_live_rows_lead_to_live_rows(worked: Organization) -> None:
    deleted = {event.id for event in worked.history if event.operation == "delete"}
    tables = metadata()
    for table in tables:
        for row in worked.rows.live(table):
            references = {v.id: v for v in row.values.values() if isinstance(v, Reference)}
            assert not references.keys() & deleted
            assert row.id not in references


def test_the_organisation_knows_how_many_lookups_lead_to_a_row(worked: Organization) -> None:
    counted: Counter[str] = Counter()
    for table in metadata():
        for row in worked.rows.live(table):
            counted.update(value.id for value in row.values.values() if isinstance(value, Reference))
    for table in metadata():
        assert all(row.referrers == counted[row.id] for row in worked.rows.live(table))


def test_no_row_refers_to_itself_however_few_there_are() -> None:
    organization = Organization(4, START, existing=1)
    for number in range(400):
        event = organization.operate(START + timedelta(minutes=number))
        references = [value for value in event.columns.values() if isinstance(value, tuple)]
        assert all(reference[0] != event.id for reference in references if reference)


def test_without_memory_there_is_the_same_day_and_no_history() -> None:
    forgetful, other = Organization(4, START, remember=False), Organization(4, START)
    assert forgetful.operate(START) == other.operate(START)
    assert forgetful.now == other.now == START + timedelta(seconds=1)
    assert not forgetful.history
    assert not forgetful.truth()


def test_an_update_sends_what_changed_and_the_stamps(worked: Organization) -> None:
    nulls = 0
    for event in worked.history:
        if event.message != "Update":
            continue
        target = event.target
        assert isinstance(target, Entity)
        assert not target.formatted_values
        stamps = {"modifiedon", "modifiedby", "modifiedonbehalfby"}
        assert stamps < set(target.attributes)
        assert len(target.attributes) < 40
        assert target.attributes["modifiedon"] == event.instant == event.instant.replace(microsecond=0)
        references = [value for value in target.attributes.values() if isinstance(value, Reference)]
        assert all(reference.name is None for reference in references)
        nulls += sum(value is None for name, value in target.attributes.items() if name not in stamps)
    assert nulls > 100


def test_the_order_of_a_delete_is_not_taken_from_the_old_row(worked: Organization) -> None:
    deletes = [event for event in worked.history if event.operation == "delete"]
    stale = [event for event in deletes if event.columns.get("modifiedon", event.instant) != event.instant]
    assert stale
    assert all(event.occurred_at == event.operation_created_on for event in deletes)


def test_the_job_to_post_is_made_in_the_same_second_or_the_next(worked: Organization) -> None:
    delays = {event.operation_created_on - event.instant for event in worked.history}
    assert delays == {timedelta(0), timedelta(seconds=1)}


def test_a_configured_post_image_counts_after_the_target() -> None:
    images = {("account", "Update"): Images(pre=("name",), post=("name", "primarycontactid"))}
    organization = Organization(11, START, images=images)
    named = 0
    for number in range(600):
        event = organization.operate(START + timedelta(minutes=number))
        if event.table == "account" and event.message == "Update":
            assert set(event.post_images) == {"PostImage", "AsynchronousStepPrimaryName"}
            assert set(event.pre_images) == {"PreImage"}
            contact = event.columns.get("primarycontactid")
            if isinstance(contact, tuple):
                assert event.labels["primarycontactid"] == contact[2]
                named += 1
        else:
            assert set(event.post_images) <= {"AsynchronousStepPrimaryName"}
    assert named > 5


def test_every_kind_of_column_gets_values(worked: Organization) -> None:
    filled: Counter[str] = Counter()
    tables = metadata()
    for table, rows in worked.truth().items():
        for row in rows.values():
            filled.update(
                str(tables[table][n]["attribute_type"]) for n, v in row.values.items() if v is not None
            )
    kinds = {str(column["attribute_type"]) for table in tables.values() for column in table.values()}
    assert kinds - set(filled) == {"Image"}
    assert len(kinds) == 19


def test_the_values_are_hard_to_hold(worked: Organization) -> None:
    values = [v for rows in worked.truth().values() for row in rows.values() for v in row.values.values()]
    decimals = [value for value in values if isinstance(value, Decimal)]
    assert any(abs(value) > 10**14 and Decimal(float(value)) != value for value in decimals)
    assert any(str(value).endswith("0") and "." in str(value) for value in decimals)
    assert any(isinstance(value, int) and abs(value) > 2**53 for value in values)
    texts = "".join(value for value in values if isinstance(value, str))
    assert {"\\", '"', "/", "\t", "\n"} <= set(texts)
    assert any("一" <= character <= "鿿" for character in texts)
    assert any(character > "\uffff" for character in texts)
    dates = [value for value in values if type(value) is date]
    assert min(dates) < date(1970, 1, 1)


def test_a_start_in_another_zone_is_the_same_instant() -> None:
    elsewhere = START.astimezone(timezone(timedelta(hours=5)))
    assert Organization(1, elsewhere).operate(elsewhere) == Organization(1, START).operate(START)


def test_a_deleted_row_keeps_its_last_values(worked: Organization) -> None:
    gone = [row for rows in worked.truth().values() for row in rows.values() if row.deleted]
    assert gone
    assert all(isinstance(row, TrueRow) and row.values for row in gone)
