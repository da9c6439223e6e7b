"""An activity with party lists, which only rare messages tell of."""

from typing import Final

from .metadata import Column, Table, build, lookup, plain_columns, two_options

EMAIL: Final[Table] = build(
    "email",
    plain_columns("String", "subject", fill=1),
    plain_columns("Memo", "description", fill=0.7),
    two_options("directioncode", yes="Outgoing", no="Incoming"),
    lookup("regardingobjectid", "account", "contact", fill=0.6),
    (Column("regardingobjecttypecode", "EntityName", entered=False),),
    (Column(name, "PartyList", entered=False) for name in ("from", "to", "cc")),
    primary_id="activityid",
    primary_name="subject",
    states={0: "Open", 1: "Completed"},
    statuses={0: {1: "Draft"}, 1: {3: "Sent"}},
)
"""Emails."""
