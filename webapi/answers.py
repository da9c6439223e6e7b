"""What the Web API answers, and what an answer means for the person who runs the bridge."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from ..model.errors import BridgeError, ConfigError, NotPermitted, ServiceUnreachable

LATER: Final = frozenset({429, 502, 503, 504})
"""Statuses after which the same request may succeed; 429 is a service protection limit
(https://learn.microsoft.com/power-apps/developer/data-platform/api-limits)."""

_LONGEST: Final = 200


class RequestRefused(BridgeError):
    """The Web API does not do what one request asks.

    Attributes:
        status: HTTP status.
        code: Dataverse's error code (``0x80040217``), or the empty string.
    """

    def __init__(self, sentence: str, status: int, code: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response, or one part of a batch of them.

    Attributes:
        status: HTTP status.
        body: All of it.
        headers: Names in lower case.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def fault(self) -> tuple[str, str]:
        """Return the error code and message, each empty where there is none.

        The message is one line of 200 characters at most.
        """
        try:
            told = json.loads(self.body)["error"]
            code, message = str(told.get("code") or ""), str(told.get("message") or "")
        except (ValueError, LookupError, TypeError, AttributeError):
            return "", ""
        line = re.sub(r"\s+", " ", message).strip()
        return code, line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."

    def retry_after(self, now: datetime | None = None) -> float:
        """Return the seconds to wait before trying again; 0 where the answer does not say.

        >>> Answer(429, headers={"retry-after": "7"}).retry_after()
        7.0
        """
        text = self.headers.get("retry-after", "").strip()
        try:
            return max(0.0, float(text)) if re.fullmatch(r"[0-9.]+", text) else _until(text, now)
        except (ValueError, TypeError):
            return 0.0

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object.

        Raises:
            ServiceUnreachable: It is none, so what answers is no Web API.
        """
        try:
            tree = json.loads(self.body)
        except ValueError:
            tree = None
        if not isinstance(tree, dict):
            raise ServiceUnreachable("Dataverse answered with what is no JSON object; check dataverse.url")
        return tree


def _until(date: str, now: datetime | None) -> float:
    if not date:
        return 0.0
    return max(0.0, (parsedate_to_datetime(date) - (now or datetime.now(UTC))).total_seconds())


def judged(answer: Answer, url: str, what: str) -> Answer:
    """Return an answer that is a success.

    Args:
        answer: The answer.
        url: Of the organization, for the sentence.
        what: What was asked for, for the sentence.

    Raises:
        NotPermitted: 401 or 403.
        ConfigError: A redirection, which is never followed: a token would go along.
        ServiceUnreachable: 429 or 5xx.
        RequestRefused: Another 4xx.
    """
    status = answer.status
    if 200 <= status < 300:
        return answer
    code, message = answer.fault()
    told = f" ({' '.join(part for part in (code, message) if part)})" if code or message else ""
    if status in {401, 403}:
        raise NotPermitted(
            f"{url} refuses {what} with {status}{told}; the identity needs an application user in this "
            "organization with a role that may read"
        )
    if 300 <= status < 400:
        raise ConfigError(
            f"{url} redirects {what} to another place, which is not followed; correct dataverse.url"
        )
    if status in LATER or status >= 500:
        raise ServiceUnreachable(f"{url} answers {what} with {status}{told}; try again later")
    raise RequestRefused(f"{url} refuses {what} with {status}{told}", status, code)
