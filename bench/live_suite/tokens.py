"""Credentials that get a token of the shape Microsoft Entra ID gives."""

import time
from types import TracebackType
from typing import Any, Self

from azure.core.credentials import AccessToken


class AnyToken:
    """A credential."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        """Return a token that holds an hour."""
        return AccessToken("eyJhbGciOiJub25lIn0.e30.", int(time.time()) + 3600)


class AnyTokenAsync:
    """The same for asynchronous clients."""

    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        """Return a token that holds an hour."""
        return AnyToken().get_token()

    async def close(self) -> None:
        """Hold nothing."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass
