"""The token node ``$cbs``: what the tokens that one connection has put allow."""

from collections.abc import Callable

from ..amqp.requests import Request, encode_response
from ..amqp.types import Int
from ..entities.errors import EntityError
from .access import Access, Grant, Right
from .addresses import parse_address
from .conditions import UNAUTHORIZED, status_of


def refuse_token(request: Request, refusal: EntityError) -> bytes:
    """Return the response to a token that is refused."""
    return _response(request, status_of(refusal), refusal.description)


class Tokens:
    """The tokens one connection has put.

    Args:
        access: Who may do what.
        clock: The time in seconds since 1970, for expiry.
        find: Finds an entity by its path, or raises an ``EntityError``.
    """

    def __init__(self, access: Access, clock: Callable[[], float], find: Callable[[str], object]) -> None:
        self._access = access
        self._find = find
        self._clock = clock
        self._granted: dict[tuple[str, frozenset[Right]], Grant] = {}

    def login(self, response: bytes | None) -> bool:
        """Check what SASL PLAIN gives: policy and key.

        Args:
            response: Identity, name and password, parted by zero bytes.
        """
        if self._access.is_open:
            return True
        _, name, key = ([b"", b"", *(response or b"").split(b"\0")])[-3:]
        try:
            self._keep(self._access.login(name.decode(errors="replace"), key.decode(errors="replace")))
        except EntityError:
            return False
        return True

    def answer(self, request: Request) -> bytes:
        """Answer a ``put-token`` request."""
        if request.properties.get("operation") != "put-token":
            return _response(request, 400, "The token node knows the operation put-token only.")
        if not self._access.is_open:
            try:
                self._keep(self._read(request))
            except EntityError as refusal:
                return refuse_token(request, refusal)
        return _response(request, 202, "Accepted")

    def _read(self, request: Request) -> Grant:
        """Check a token; one of Entra also for whether its entity is there, as the service does."""
        token = request.body if isinstance(request.body, str) else ""
        grant, audience = self._access.read(token), parse_address(request.properties.get("name"))
        if self._access.is_other(token) and audience is not None:
            self._find(audience.entity)
        return grant

    def _keep(self, grant: Grant) -> None:
        self._granted[grant.entity, grant.rights] = grant

    def demand(self, entity: str, right: Right | None) -> None:
        """Insist on a token for an entity.

        Args:
            entity: Its path.
            right: What is to be done; ``None``: anything.

        Raises:
            EntityError: There is none, it expired, or it does not allow that.
        """
        now = self._clock()
        if self._access.is_open or any(grant.allows(right, entity, now) for grant in self._granted.values()):
            return
        claim = "any" if right is None else right.value
        raise EntityError(
            UNAUTHORIZED,
            f"Unauthorized access. '{claim}' claim(s) are required to perform this operation on {entity!r}: "
            "no valid token with it was given; check the credential, and what its policy or role allows.",
        )


def _response(request: Request, status: int, description: str) -> bytes:
    return encode_response(
        request.message_id, {"status-code": Int(status), "status-description": description}, None
    )
