"""Who may do what: policies with keys, and the tokens signed with them.

The rules are those of "Service Bus access control with shared access
signatures" in the Azure documentation.
"""

import base64
import hashlib
import hmac
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal, Protocol, TypeAlias
from urllib.parse import parse_qs, unquote_plus

from ..entities.errors import EntityError
from .addresses import parse_address
from .conditions import UNAUTHORIZED

ROOT_POLICY: Final = "RootManageSharedAccessKey"
"""The policy every namespace is created with."""

_SAS: Final = "SharedAccessSignature "
_BEARER: Final = "Bearer "
_JWT: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*\Z", re.ASCII)

OtherTokens: TypeAlias = Literal["jwt", "any", "none"]
"""Which tokens are taken, unread, that are no signatures: those of the shape of a JWT, any, or none."""


class Right(Enum):
    """What a policy can allow.  ``MANAGE`` includes the others."""

    LISTEN = "Listen"
    SEND = "Send"
    MANAGE = "Manage"


@dataclass(frozen=True, slots=True)
class Policy:
    """A shared access policy.

    Attributes:
        name: The key name of a connection string.
        key: The key; never shown.
        rights: What it allows.
        entity: The entity it is of, by its path; empty: the whole namespace.
    """

    name: str
    key: str = field(repr=False)
    rights: frozenset[Right] = frozenset(Right)
    entity: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows.

    Attributes:
        entity: Where: a path in lower case, with all below it; empty: everywhere.
        rights: What.
        expires: Until when, epoch seconds.
    """

    entity: str
    rights: frozenset[Right]
    expires: float

    def allows(self, right: Right | None, path: str, now: float) -> bool:
        """Whether it allows something at a path now; ``None``: whether it allows anything there."""
        if self.expires <= now or not _covers(self.entity, path.casefold()):
            return False
        return right is None or right in self.rights or Right.MANAGE in self.rights


class BearerReader(Protocol):
    """Reads bearer tokens."""

    def read(self, token: str, now: float) -> Grant:
        """Check a token at a time, epoch seconds; raises an ``EntityError`` where it is not good."""


class Access:
    """The policies of a namespace.

    Args:
        clock: The time in seconds since 1970, for expiry.
        policies: To begin with.  Without any, and without an issuer, everyone may do everything.
        others: Which tokens that are no signatures are taken, without an issuer; they allow everything.
        issuer: Reads the tokens that are no signatures.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        policies: Iterable[Policy] = (),
        others: OtherTokens = "jwt",
        issuer: BearerReader | None = None,
    ) -> None:
        self._clock = clock
        self._policies = list(policies)
        self._others = others
        self._issuer = issuer

    @property
    def is_open(self) -> bool:
        """Whether everyone may do everything."""
        return not self._policies and self._issuer is None

    def add(self, policy: Policy) -> None:
        """Let a policy hold from now on; one of the same name and entity gives way."""
        self._policies = [
            each for each in self._policies if (each.name, each.entity) != (policy.name, policy.entity)
        ]
        self._policies.append(policy)

    def login(self, name: str, key: str) -> Grant:
        """Check a name and a key, as SASL PLAIN gives them.

        Raises:
            EntityError: There is no such policy, or its key is another.
        """
        for policy in self._policies:
            if policy.name == name and hmac.compare_digest(policy.key.encode(), key.encode()):
                return Grant(policy.entity.casefold(), policy.rights, math.inf)
        raise _refused(f"The key is not that of the policy {name!r}.")

    def is_other(self, token: str) -> bool:
        """Whether a token that is taken is no signature: one of Microsoft Entra ID, as a rule."""
        return not token.startswith(_SAS)

    def read(self, token: str) -> Grant:
        """Check a token.

        Raises:
            EntityError: It is not signed with the key of a policy of the entity, or by the
                issuer; it has expired, or tokens of its kind are not taken.
        """
        if token.startswith(_SAS):
            return self._read_signature(token[len(_SAS) :])
        if self._issuer is not None:
            return self._issuer.read(token, self._clock())
        if self._others == "any" or (self._others == "jwt" and _JWT.match(token)):
            return Grant("", frozenset(Right), math.inf)
        raise _refused("The token is not a shared access signature.")

    def _read_signature(self, token: str) -> Grant:
        fields = {name: values[0] for name, values in parse_qs(token).items()}
        if not {"sr", "sig", "se"} <= set(fields) or not fields["se"].isdigit():
            raise _refused("The token lacks its audience, its signature or its expiry.")
        address = parse_address(fields["sr"])
        entity = "" if address is None else address.entity.casefold()
        for policy in self._policies:
            known = policy.name == fields.get("skn") and _covers(policy.entity.casefold(), entity)
            if not known or not _is_signed(token, policy.key):
                continue
            if float(fields["se"]) <= self._clock():
                raise _refused("The token has expired.")
            return Grant(entity, policy.rights, float(fields["se"]))
        raise _refused("The signature does not match the key of a policy of that name.")

    def permits(self, authorization: str, right: Right, path: str) -> bool:
        """Whether the ``Authorization`` header of a request over HTTP allows something at a path."""
        if self.is_open:
            return True
        try:
            grant = self.read(authorization.removeprefix(_BEARER))
        except EntityError:
            return False
        return grant.allows(right, path, self._clock())


def _covers(entity: str, path: str) -> bool:
    return not entity or path == entity or path.startswith(entity + "/")


def _is_signed(token: str, key: str) -> bool:
    raw = dict(pair.partition("=")[::2] for pair in token.split("&"))
    digest = hmac.new(key.encode(), f"{raw['sr']}\n{raw['se']}".encode(), hashlib.sha256).digest()
    given = unquote_plus(raw["sig"]).replace(" ", "+")
    return hmac.compare_digest(base64.b64encode(digest).decode().encode(), given.encode())


def _refused(sentence: str) -> EntityError:
    return EntityError(UNAUTHORIZED, sentence)
