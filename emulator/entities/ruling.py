"""The rules of the subscriptions of a namespace, durable at once."""

from dataclasses import replace

from ..filters.rules import Rule
from . import errors
from .directory import Place, check_rule_name
from .registry import Registry
from .topic import Subscription


class Ruling(Registry):
    """A registry whose subscriptions get, change and lose rules.

    The arguments are those of :class:`Registry`.
    """

    def subscription(self, address: str) -> Subscription:
        """The subscription at an address.

        Raises:
            EntityError: There is none.
        """
        return self._subscription_place(address)[1]

    def _subscription_place(self, address: str) -> tuple[Place, Subscription]:
        place = self._directory.place(address)
        if not isinstance(place.queue, Subscription):
            sentence = f"{address!r} is a queue: only subscriptions have rules."
            raise errors.EntityError(errors.NOT_ALLOWED, sentence)
        return place, place.queue

    def add_rule(self, address: str, rule: Rule) -> None:
        """Add a rule to the subscription at an address; when it was added is noted.

        Raises:
            EntityError: There is no such subscription, the name is not allowed, or
                there is a rule of that name already.
        """
        place, subscription = self._subscription_place(address)
        check_rule_name(rule.name)
        if any(rule.name.casefold() == known.name.casefold() for known in subscription.rules):
            sentence = (
                f"There is a rule {rule.name!r} in {address!r} already: remove it, or take another name."
            )
            raise errors.EntityError(errors.ALREADY_EXISTS, sentence)
        self._put_rule(place, replace(rule, created_at=self._clock()))

    def replace_rule(self, address: str, rule: Rule) -> None:
        """Replace the rule of that name of the subscription at an address.

        Raises:
            EntityError: There is no such subscription or rule.
        """
        place, subscription = self._subscription_place(address)
        known = subscription.rule(rule.name)
        self._put_rule(place, replace(rule, name=known.name, created_at=known.created_at))

    def _put_rule(self, place: Place, rule: Rule) -> None:
        if self._store is not None:
            self._store.put_rule(place.stored_as, rule)
        if isinstance(place.queue, Subscription):
            place.queue.put_rule(rule)

    def remove_rule(self, address: str, name: str) -> None:
        """Remove a rule of the subscription at an address; without any it takes no message.

        Raises:
            EntityError: There is no such subscription or rule.
        """
        place, subscription = self._subscription_place(address)
        known = subscription.rule(name)
        if self._store is not None:
            self._store.drop_rule(place.stored_as, known.name)
        subscription.drop_rule(known.name)
