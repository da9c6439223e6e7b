"""The token node ``$cbs``: who may speak, by shared access signature."""

import base64
import hashlib
import hmac
import math
from collections.abc import Callable
from urllib.parse import parse_qs, unquote_plus

from ..amqp.requests import Request, encode_response
from ..amqp.types import Int
from ..entities.errors import EntityError
from .addresses import parse_address
from .conditions import UNAUTHORIZED, status_of

_SAS = "SharedAccessSignature "


def refuse_token(request: Request, refusal: EntityError) -> bytes:
    """Return the response to a token that is refused."""
    return _response(request, status_of(refusal), refusal.description)


class Tokens:
    """The tokens one connection has put.

    Args:
        key: The shared access key signatures must be made with; ``None``
            takes every token.
        clock: The time in seconds since 1970, for expiry.
    """

    def __init__(self, key: str | None, clock: Callable[[], float]) -> None:
        self._key = key
        self._clock = clock
        self._granted: dict[str, float] = {}

    def login(self, response: bytes | None) -> bool:
        """Check what SASL PLAIN gives: policy and key.

        Args:
            response: Identity, name and password, parted by zero bytes.
        """
        if self._key is None:
            return True
        password = (response or b"").rpartition(b"\0")[2]
        if not hmac.compare_digest(password, self._key.encode()):
            return False
        self._granted[""] = math.inf
        return True

    def answer(self, request: Request) -> bytes:
        """Answer a ``put-token`` request."""
        code, text = self._put(request)
        return _response(request, code, text)

    def demand(self, entity: str) -> None:
        """Insist on a token for an entity.

        Raises:
            EntityError: There is none, or it expired.
        """
        if self._key is None:
            return
        path = entity.lower()
        for audience, expires in self._granted.items():
            covers = not audience or path == audience or path.startswith(audience + "/")
            if covers and expires > self._clock():
                return
        raise EntityError(
            UNAUTHORIZED, f"No valid token was given for {entity!r}: check the shared access key."
        )

    def _put(self, request: Request) -> tuple[int, str]:
        if request.properties.get("operation") != "put-token":
            return 400, "The token node knows the operation put-token only."
        if self._key is None:
            return 202, "Accepted"
        if not isinstance(request.body, str) or not request.body.startswith(_SAS):
            return 401, "The token is not a shared access signature."
        fields = {name: values[0] for name, values in parse_qs(request.body[len(_SAS) :]).items()}
        if not self._is_signed(request.body[len(_SAS) :], fields):
            return 401, "The signature does not match the shared access key."
        expires = float(fields["se"])
        if expires <= self._clock():
            return 401, "The token has expired."
        address = parse_address(fields["sr"])
        self._granted[address.entity.lower() if address else ""] = expires
        return 202, "Accepted"

    def _is_signed(self, token: str, fields: dict[str, str]) -> bool:
        raw = dict(pair.partition("=")[::2] for pair in token.split("&"))
        if self._key is None or not {"sr", "sig", "se"} <= set(fields) or not fields["se"].isdigit():
            return False
        signed = f"{raw['sr']}\n{raw['se']}".encode()
        digest = hmac.new(self._key.encode(), signed, hashlib.sha256).digest()
        return hmac.compare_digest(
            base64.b64encode(digest).decode(), unquote_plus(raw["sig"]).replace(" ", "+")
        )


def _response(request: Request, status: int, description: str) -> bytes:
    return encode_response(
        request.message_id, {"status-code": Int(status), "status-description": description}, None
    )
