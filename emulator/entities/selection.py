"""Which copies of a message a subscription takes, by its rules.

"Topic filters and actions" in the Azure documentation: all rules without an
action together make one copy, each rule with an action one of its own.
"""

from collections.abc import Collection
from typing import NamedTuple

from ..filters.errors import FilterError
from ..filters.rules import Rule, TrueFilter
from .message import Content, StoredMessage
from .properties import MessageProperties


class Selection(NamedTuple):
    """What becomes of one message.

    Attributes:
        copies: The contents the subscription takes, none if no rule matches.
        failure: What kept a rule from being applied, ``""`` if nothing did.
    """

    copies: tuple[Content, ...]
    failure: str


def takes_all(rules: Collection[Rule]) -> bool:
    """Whether rules take every message as it is, so that none need be looked at."""
    return any(isinstance(rule.filter, TrueFilter) for rule in rules) and not any(
        rule.action is not None or not isinstance(rule.filter, TrueFilter) for rule in rules
    )


def select(rules: Collection[Rule], message: StoredMessage) -> Selection:
    """Apply rules to a message, every one of them, so that their order does not count."""
    properties, failures = MessageProperties(message), list[str]()
    plain, annotated = False, list[Content]()
    for rule in rules:
        view = properties.view()
        try:
            if not rule.filter.matches(view):
                continue
            if rule.action is None:
                plain = True
                continue
            rule.action.apply(view)
        except FilterError as error:
            failures.append(f"Rule {rule.name!r}: {error}")
        else:
            annotated.append(properties.changed(view, rule.name))
    copies = (message.content, *annotated) if plain else tuple(annotated)
    return Selection(copies, " ".join(failures))
