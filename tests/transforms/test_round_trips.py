"""Any context, written in each encoding, gives the rows the model says, and the same from all three."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdsbridge.emulator.dataverse.binary_writer import BinaryWriter
from cdsbridge.emulator.dataverse.context import Context, Writer
from cdsbridge.emulator.dataverse.json_writer import JsonWriter
from cdsbridge.emulator.dataverse.scalars import Guid
from cdsbridge.emulator.dataverse.values import Entities, Entity, Reference, Value
from cdsbridge.emulator.dataverse.xml_writer import XmlWriter

from ..emulator.dataverse.strategies import Model, texts
from .conforming import differences
from .modelled import oracle_of
from .notation import exact
from .reference import Reference as Rules
from .telling import JsonTelling, Telling, XmlTelling

thorough = settings(
    max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None
)
WRITERS: Mapping[str, Writer] = {"json": JsonWriter(), "xml": XmlWriter(), "bin": BinaryWriter()}
KEYS = (
    *("name", "namename", "cr1_a", "cr1_b", "cr1_c", "cr1_aname", "cr1_b_entitytype", "to", "customers"),
    *("modifiedon", "isdelete", "Id", "_order", "Cr1_Mixed", "contact1.fullname", "ä", "x" * 129),
)
"""Keys of columns, and of what is no column; no two of one column."""


class Columns(Model):
    """Values of entities whose attributes can be columns."""

    def __init__(self, *, illegal: bool = False, local: bool) -> None:
        super().__init__(texts(illegal=illegal), local=local)
        self.key = st.sampled_from(KEYS)
        self.value = self._values()

    def sent(self) -> st.SearchStrategy[Context]:
        """Contexts of messages that can become rows."""
        return st.builds(
            aimed,
            self.context(0),
            st.sampled_from(["Create", "Update", "Upsert", "OnExternalUpdated", "cr1_DoIt", "Delete"]),
            self.entity(self.value),
            st.lists(self.entity(), max_size=3),
        )


def aimed(context: Context, message: str, target: Entity, parties: list[Entity]) -> Context:
    """Return the context as one of that message about the target."""
    if target.id.startswith("00000000-"):
        target = replace(target, id=Guid("00000000-0000-4000-8000-000000000001"))
    party_list = Entities(tuple(replace(each, logical_name="activityparty") for each in parties))
    whole = replace(target, attributes={**target.attributes, **({"to": party_list} if parties else {})})
    aim: Value = Reference(target.id, target.logical_name) if message == "Delete" else whole
    images = {alias: replace(each, id=target.id) for alias, each in context.post_images.items()}
    return replace(
        context,
        message_name=message,
        primary_entity_id=target.id,
        primary_entity_name=target.logical_name,
        input_parameters={**context.input_parameters, "Target": aim},
        post_images={**images, **{f"other {alias}": each for alias, each in context.post_images.items()}},
    )


def telling(encoding: str, body: bytes) -> Telling:
    if encoding == "json":
        return JsonTelling({"writer_time_zone": "UTC", "json_date_exceptions": []}, exact(body))
    return XmlTelling(signs_zero=encoding == "xml")


def told_wrong(context: Context, encoding: str) -> list[object]:
    """Return how the rows of a context in an encoding differ from what the model says."""
    oracle: dict[str, Any] = oracle_of(context)
    body = WRITERS[encoding].write(context)
    return differences(oracle, Rules(oracle, telling(encoding, body), {}).expected(), body)


@thorough
@given(Columns(local=True).sent())
@pytest.mark.parametrize("encoding", ["xml", "bin"])
def test_text_and_binary_xml_give_what_the_model_says(encoding: str, context: Context) -> None:
    assert told_wrong(context, encoding) == []


@thorough
@given(Columns(illegal=True, local=False).sent())
@pytest.mark.parametrize("encoding", ["json", "xml", "bin"])
def test_characters_that_xml_forbids_come_through(encoding: str, context: Context) -> None:
    assert told_wrong(context, encoding) == []
