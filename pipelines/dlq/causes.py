"""Why messages are dead letters, and what a person can do about it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ...model.envelope import Envelope
from ...model.verdict import Reason
from ...sources.plan import DESCRIPTION, reason_of, table_of
from ...sources.staying import REASON_NOW

_CODE: Final = re.compile(r"\b(0x[0-9A-Fa-f]{8}|-2147\d{6}|[A-Z]\w*(?:Exception|Error)|[A-Z]{2}\d{5})\b")
"""Codes that descriptions quote: of Dataverse, of .NET, and states of SQL that have letters."""


@dataclass(frozen=True, slots=True, order=True)
class Cause:
    """What dead letters have in common.

    Attributes:
        reason: Their ``DeadLetterReason``, or the empty string.
        code: An error code in their description, or the empty string.
        table: The Dataverse table they are about, or the empty string.
    """

    reason: str
    code: str = ""
    table: str = ""


def cause_of(envelope: Envelope) -> Cause:
    """Return why a message is a dead letter.

    >>> cause_of(Envelope(b"", "q", 1, properties={"DeadLetterReason": "PluginFault",
    ...     "DeadLetterErrorDescription": "refused: 0x80040216, try again"}))
    Cause(reason='PluginFault', code='0x80040216', table='')
    """
    found = _CODE.search(description_of(envelope))
    return Cause(reason_of(envelope), found[1] if found else "", table_of(envelope))


def description_of(envelope: Envelope) -> str:
    """Return the sentence to the reason, or the empty string."""
    return str(envelope.properties.get(DESCRIPTION) or "")


def now_of(envelope: Envelope) -> str:
    """Return why a replay rejected a message again, or the empty string."""
    return str(envelope.properties.get(REASON_NOW) or "")


def advice(reason: str) -> str:
    """Return what dead letters of a reason mean and what to do, in a sentence or two.

    >>> advice("no-such-reason")[:40]
    'Another program dead-lettered these, and'
    """
    return _ADVICE.get(reason, _OF_OTHERS)


_OF_OTHERS: Final = (
    "Another program dead-lettered these, and says why in the description: ask its people, then replay or"
    " purge."
)

_ADVICE: Final[Mapping[str, str]] = {
    Reason.UNDECODABLE: (
        "The body breaks off or is spoilt. Look at one with cdsbridge decode --peek; if a newer version "
        "of cdsbridge reads it, replay, else export and purge."
    ),
    Reason.UNKNOWN_ENCODING: (
        "The body is neither JSON nor XML nor .NET binary XML, so Dataverse did not write it. Find who "
        "else sends to this entity; export and purge."
    ),
    Reason.NOT_A_CONTEXT: (
        "The body can be read and is no context of Dataverse. Find who else sends to this entity; export "
        "and purge."
    ),
    Reason.NO_TABLE: "The message names no table, so there is nowhere to put it. Export and purge.",
    Reason.NO_KEY: (
        "The row has no key. Where the step posts only a Target without an id, add an image, or pull the "
        "metadata (cdsbridge schema pull), then replay."
    ),
    Reason.BAD_VALUE: (
        "A value is not what its type says, and the description tells which. Correct the sender, then "
        "replay; or export and purge."
    ),
    Reason.TYPE_CONFLICT: (
        "A value has another type than its column. Let the table evolve (contracts: other_type), or pull "
        "the metadata, then replay."
    ),
    Reason.TOO_LARGE: (
        "The body is larger or deeper than flatten.limits allow. Raise the limit that the description "
        "names, then replay."
    ),
    Reason.CONTRACT: (
        "The contract of the table keeps new tables, columns or types out. Change the contract or accept "
        "it, then replay or purge."
    ),
    Reason.REFUSED: (
        "A sink can never write these rows, and the description says which column. Correct the table in "
        "the sink, then replay."
    ),
    "MaxDeliveryCountExceeded": (
        "These were received and given back until Service Bus gave up: a consumer crashed or was too slow"
        " for its lock. They are good messages as a rule: see that the bridge runs, then replay."
    ),
    "TTLExpiredException": (
        "These were older than their time to live before anything received them. Raise the time to live "
        "of the entity or run the bridge more often, then replay."
    ),
    "HeaderSizeExceeded": (
        "The properties of these are larger than Service Bus allows. Make them smaller where they are "
        "sent; export and purge these."
    ),
    "MaxTransferHopCountExceeded": (
        "These were forwarded from entity to entity more than four times. Correct the forwarding, then "
        "replay."
    ),
    "Session id is null.": (
        "These have no session id and came to an entity that requires sessions. Correct the sender, then "
        "replay."
    ),
    "": (
        "These say no reason. Look at some with cdsbridge dlq peek, then replay: what fails again will "
        "say why."
    ),
}
