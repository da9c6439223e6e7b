"""Which columns a registered step asks to see before and after a change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

AUTOMATIC: Final = "AsynchronousStepPrimaryName"
"""The image every asynchronous step gets unasked: the row's key and name."""

ASSIGN: Final = "Assign"
SET_STATE: Final = "SetStateDynamicEntity"
STATE_BY_NAME: Final = "SetState"
STATES: Final = frozenset({SET_STATE, STATE_BY_NAME})
"""The two messages that only change a state."""


@dataclass(frozen=True, slots=True)
class Images:
    """The images configured on one step.

    The key column is always in an image; a column that is null is not.

    Attributes:
        pre: Columns as they were before the change; none, no image.
        post: Columns as they are after it; none, no image.
        pre_alias: Name of the pre image.
        post_alias: Name of the post image.
    """

    pre: tuple[str, ...] = ()
    post: tuple[str, ...] = ()
    pre_alias: str = "PreImage"
    post_alias: str = "PostImage"


Registrations: TypeAlias = Mapping[tuple[str, str], Images]
"""(table, message) to the images of the step registered for it; what is not listed has none."""

_OWNERSHIP = "ownerid owninguser owningteam owningbusinessunit statecode statuscode modifiedon modifiedby"
_ACCOUNT = (
    "name accountnumber revenue revenue_base industrycode primarycontactid cr1_markets creditonhold"
    f" versionnumber {_OWNERSHIP}"
)
_OPPORTUNITY = "name estimatedvalue closeprobability customerid estimatedclosedate salesstage modifiedon"
_INCIDENT = "title ticketnumber prioritycode customerid statecode statuscode ownerid modifiedon"
_PROJECT = "cr1_name cr1_budget cr1_progress cr1_skills cr1_startson cr1_kickoffat cr1_customer modifiedon"
_BEFORE_DELETE: Final[Mapping[str, str]] = {
    "account": _ACCOUNT,
    "contact": "fullname emailaddress1 parentcustomerid birthdate modifiedon ownerid",
    "opportunity": f"{_OPPORTUNITY} createdon ownerid",
    "product": "name productnumber price statecode",
    "incident": f"{_INCIDENT} description",
    "task": "subject regardingobjectid scheduledend prioritycode modifiedon",
    "cr1_project": f"{_PROJECT} cr1_erpkey",
}


def _post(columns: str, alias: str = "PostImage") -> Images:
    return Images(post=tuple(columns.split()), post_alias=alias)


def default_images() -> Registrations:
    """Return the images of an ordinary installation.

    Every table: a pre image on Delete, and a post image on Assign and state
    changes, whose messages carry too little alone.  ``account``: a post image
    with ``versionnumber`` on everything.  ``opportunity``: both images on
    Update, of which the pre image is no news.  ``incident`` and
    ``cr1_project``: a post image on Update.  The others: none.
    """
    found: dict[tuple[str, str], Images] = {}
    for table, columns in _BEFORE_DELETE.items():
        found[table, "Delete"] = Images(pre=tuple(columns.split()))
        found[table, ASSIGN] = found[table, SET_STATE] = _post(_OWNERSHIP)
    for message in ("Create", "Update", ASSIGN, SET_STATE):
        found["account", message] = _post(_ACCOUNT, "Account")
    opportunity = tuple(_OPPORTUNITY.split())
    found["opportunity", "Update"] = Images(pre=opportunity, post=opportunity)
    found["incident", "Update"] = _post(_INCIDENT, "post")
    found["cr1_project", "Update"] = _post(_PROJECT)
    return found
