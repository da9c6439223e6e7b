"""Bearer tokens, as Microsoft Entra ID issues them: who may issue them, and what one allows.

The claims are those of "Access token claims reference" in the documentation of the
Microsoft identity platform; tokens of both its versions are read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..entities.errors import EntityError
from .access import Grant, Right
from .conditions import UNAUTHORIZED

AUDIENCE: Final = "https://servicebus.azure.net"
"""What a token for Service Bus is issued for, in every cloud."""

_ALGORITHMS: Final = ["RS256", "PS256"]


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues the bearer tokens that are taken.

    Attributes:
        name: The claim ``iss`` of its tokens.
        key: Its public RSA key, PEM.
        applications: What each application may do, by client id, as role assignments have it:
            one that is not named may do nothing.  ``None``: all may do everything.
    """

    name: str
    key: str
    applications: Mapping[str, frozenset[Right]] | None = None

    def read(self, token: str, now: float) -> Grant:
        """Check a token.

        Args:
            token: Header, claims and signature, as JWT has them.
            now: The time, epoch seconds.

        Raises:
            EntityError: It is not signed by this issuer, is for another audience, is not
                valid at this time, or its application has no role.
        """
        claims = self._claims(token)
        if str(claims["aud"]).rstrip("/") != AUDIENCE:
            raise _refused(f"InvalidAudience: the token is for {claims['aud']!r}, not for {AUDIENCE!r}.")
        if claims["exp"] <= now:
            raise _refused("ExpiredToken: the token has expired.")
        if claims.get("nbf", now) > now:
            raise _refused("InvalidToken: the token is not valid yet.")
        return Grant("", self._rights(claims), float(claims["exp"]))

    def _claims(self, token: str) -> dict[str, Any]:
        import jwt  # noqa: PLC0415 - few brokers read tokens

        # time is judged by the broker's clock, audience with and without a slash
        try:
            claims = jwt.decode(
                token,
                self.key,
                algorithms=_ALGORITHMS,
                issuer=self.name,
                options={
                    "require": ["aud", "exp", "iss"],
                    "verify_aud": False,
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
            float(claims["exp"]), float(claims.get("nbf", 0))
        except (jwt.InvalidTokenError, TypeError, ValueError) as error:
            raise _refused(f"InvalidToken: it is none of {self.name} ({type(error).__name__}).") from None
        return claims

    def _rights(self, claims: Mapping[str, Any]) -> frozenset[Right]:
        if self.applications is None:
            return frozenset(Right)
        application = str(claims.get("appid") or claims.get("azp"))
        if application not in self.applications:
            raise _refused(f"Unauthorized: the application {application!r} has no role.")
        return self.applications[application]


def _refused(sentence: str) -> EntityError:
    return EntityError(UNAUTHORIZED, sentence)
