"""What the Delta library's errors mean for us, and how they are told."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from deltalake.exceptions import CommitFailedError

from ...model.errors import BridgeError, NotPermitted, SinkUnavailable

_SIGNATURE: Final = re.compile(r"([?&](?:sig|X-(?:Amz|Goog)-(?:Signature|Security-Token))=)[^&\s\"]+")
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_REFUSED: Final = re.compile(r"\b40[13] |necessary privileges|not authenticated|token request", re.IGNORECASE)
_LONGEST: Final = 500


class Raced(SinkUnavailable):
    """Another commit came first: look at the table again and decide anew."""


@dataclass(frozen=True, slots=True)
class Teller:
    """Turns what the Delta library raises into our errors.

    Attributes:
        name: What people know the sink by.
        secrets: Texts that must not stand in errors.
    """

    name: str
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @contextlib.contextmanager
    def told(self, table: str) -> Iterator[None]:
        """Raise :class:`Raced` or :class:`SinkUnavailable` for whatever goes wrong inside.

        Args:
            table: Name in the sink; stands in the error.
        """
        try:
            yield
        except BridgeError:
            raise
        except CommitFailedError as error:
            raise Raced(self.sentence(table, error)) from None
        except Exception as error:  # noqa: BLE001 - deltalake raises Exception itself for much of what its engine says
            # the library's own error may quote a signed URL, so it is not chained
            raise SinkUnavailable(self.sentence(table, error)) from None

    def sentence(self, table: str, error: Exception) -> str:
        """Return an error as one line without secrets."""
        text = _COLOUR.sub("", str(error)) or type(error).__name__
        text = " ".join(text.split())
        for secret in self.secrets:
            text = text.replace(secret, "***")
        text = _SIGNATURE.sub(r"\1***", text)
        return f"{self.name}: {table}: {text[:_LONGEST]}"


@contextlib.contextmanager
def first_contact() -> Iterator[None]:
    """Tell a store that refuses us from one that is away.

    Raises:
        NotPermitted: The store answered that we may not, or no credential was found.
    """
    try:
        yield
    except SinkUnavailable as error:
        if _REFUSED.search(str(error)):
            raise NotPermitted(
                f"{error}. Check the credential under options, or the roles of the bridge's identity"
            ) from None
        raise
