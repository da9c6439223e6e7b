"""The tables of the service side: incident, task, and a custom table; and the list of all tables."""

from collections.abc import Mapping
from typing import Final

from .email_table import EMAIL
from .metadata import Column, Table, build, choice, dates, describe, lookup, money, plain_columns, two_options
from .sales_tables import ACCOUNT, CONTACT, OPPORTUNITY, PRODUCT

INCIDENT: Final[Table] = build(
    "incident",
    plain_columns("String", "title ticketnumber", fill=1),
    plain_columns("String", "productserialnumber emailaddress", fill=0.3),
    plain_columns("Memo", "description", fill=0.7),
    plain_columns("Integer", "actualserviceunits billedserviceunits escalationlevel", fill=0.3),
    choice("prioritycode", "High", "Normal", "Low", fill=1),
    choice("severitycode", "Default Value", "Severe", fill=0.4),
    choice("caseorigincode", "Phone", "Email", "Web", fill=0.9),
    choice("casetypecode", "Question", "Problem", "Request", fill=0.6),
    choice("customersatisfactioncode", "Very Dissatisfied", "Dissatisfied", "Neutral", "Satisfied", fill=0.2),
    choice("cr1_causes", "Hardware", "Software", "Bediener", "运输", many=True, first=741_000_000, fill=0.3),
    two_options("isescalated firstresponsesent activitiescomplete followuptaskcreated"),
    lookup("customerid", "account", "contact", kind="Customer", fill=1),
    lookup("primarycontactid", "contact", fill=0.5),
    lookup("productid", "product", fill=0.5),
    lookup("parentcaseid", "incident", fill=0.1),
    dates("escalatedon responseby resolveby"),
    dates("followupby", "DateOnly"),
    dates("cr1_visitat", "TimeZoneIndependent"),
    primary_name="title",
    states={0: "Active", 1: "Resolved", 2: "Cancelled"},
    statuses={
        0: {1: "In Progress", 2: "On Hold", 3: "Waiting for Details", 4: "Researching"},
        1: {5: "Problem Solved", 1000: "Information Provided"},
        2: {6: "Cancelled", 2000: "Merged"},
    },
)
"""Cases."""

TASK: Final[Table] = build(
    "task",
    plain_columns("String", "subject", fill=1),
    plain_columns("String", "category subcategory", fill=0.3),
    plain_columns("Memo", "description", fill=0.5),
    plain_columns("Integer", "percentcomplete actualdurationminutes scheduleddurationminutes", fill=0.6),
    choice("prioritycode", "Low", "Normal", "High", first=0, fill=1),
    choice("cr1_channels", "Phone", "On site", "Überweisung", many=True, fill=0.3),
    two_options("isbilled isregularactivity isworkflowcreated"),
    lookup("regardingobjectid", "account", "contact", "opportunity", "incident", "cr1_project", fill=0.9),
    (Column("regardingobjecttypecode", "EntityName", entered=False),),
    plain_columns("Uniqueidentifier", "processid stageid", fill=0.3),
    dates("scheduledstart scheduledend", fill=0.7),
    dates("actualstart actualend", fill=0.2),
    dates("cr1_reminderat", "TimeZoneIndependent"),
    plain_columns("Decimal", "cr1_hours", scale=4, fill=0.4),
    primary_id="activityid",
    primary_name="subject",
    states={0: "Open", 1: "Completed", 2: "Canceled"},
    statuses={
        0: {2: "Not Started", 3: "In Progress", 4: "Waiting on someone else", 7: "Deferred"},
        1: {5: "Completed"},
        2: {6: "Canceled"},
    },
)
"""Things to do, regarding a row of many tables."""

PROJECT: Final[Table] = build(
    "cr1_project",
    plain_columns("String", "cr1_name", fill=1),
    plain_columns("String", "cr1_code cr1_sponsor cr1_wikiurl", fill=0.5),
    plain_columns("Memo", "cr1_scope cr1_risks", fill=0.4),
    plain_columns("Integer", "cr1_teamsize", fill=0.6),
    plain_columns("BigInt", "cr1_erpkey", fill=0.6),
    plain_columns("Decimal", "cr1_progress", scale=2, fill=0.8),
    plain_columns("Decimal", "cr1_factor", scale=10, fill=0.5),
    plain_columns("Double", "cr1_velocity cr1_confidence", fill=0.5),
    money("cr1_budget cr1_spent cr1_forecast", fill=0.6),
    choice("cr1_phase", "Idee", "Plan", "Bau", "Übergabe", first=257_760_000, fill=1),
    choice("cr1_skills", "Python", "C#", "SQL", "設計", "Стройка", many=True, first=257_760_000, fill=0.6),
    two_options("cr1_billable cr1_internal"),
    lookup("cr1_customer", "account", "contact", kind="Customer", fill=0.9),
    lookup("cr1_opportunity", "opportunity", fill=0.4),
    lookup("cr1_mainproduct", "product", fill=0.4),
    lookup("cr1_manager", "systemuser", fill=0.9),
    dates("cr1_startson cr1_endson", "DateOnly", fill=0.8),
    dates("cr1_kickoffat", "TimeZoneIndependent", fill=0.6),
    dates("cr1_lastreview"),
    plain_columns("Uniqueidentifier", "cr1_correlation", fill=0.3),
    plain_columns("EntityName", "cr1_subjecttable", fill=0.4),
    primary_name="cr1_name",
    states={0: "Active", 1: "Inactive"},
    statuses={0: {1: "Active"}, 1: {2: "Inactive"}},
)
"""A table of one's own, with a column of every kind."""

TABLES: Final[Mapping[str, Table]] = {
    table.name: table for table in (ACCOUNT, CONTACT, OPPORTUNITY, PRODUCT, INCIDENT, TASK, PROJECT)
}
"""All tables that rows are posted of; users, teams, units and currencies are only referred to."""


def metadata(*, rare: bool = False) -> dict[str, dict[str, dict[str, object]]]:
    """Return table, column and type of everything the simulator sends.

    The JSON form of a context loses types (a GUID, a date and a text are all
    strings), so a reader that wants typed columns needs this.

    Args:
        rare: Whether to tell of the table that only rare messages tell of.

    >>> metadata()["account"]["accountid"]
    {'attribute_type': 'Uniqueidentifier', 'type': 'Guid', 'primary_id': True}
    """
    told = {**TABLES, EMAIL.name: EMAIL} if rare else TABLES
    return {name: describe(table) for name, table in told.items()}
