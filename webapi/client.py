"""A live connection to the Web API: pipeline of azure-core, and the waiting.

The order of the policies matters: retries come first, so that every try
passes the check of its host and carries a token that is still good.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urljoin, urlsplit
from uuid import uuid4

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import (
    BearerTokenCredentialPolicy,
    RetryPolicy,
    SansIOHTTPPolicy,
    UserAgentPolicy,
)
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest, HttpResponse

from ..login.credential import open_credential
from ..login.refusal import cause_of, is_refusal, told
from ..model.errors import BridgeError, ConfigError, NotPermitted, ServiceUnreachable
from .answers import LATER, Answer, judged
from .config import DataverseApi
from .multipart import decoded, encoded

Sleep = Callable[[float], object]
"""Waits that many seconds."""

HEADERS: Final = {
    "Accept": "application/json",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
    "Prefer": 'odata.include-annotations="*"',
}
"""What every request for rows or metadata says of itself
(https://learn.microsoft.com/power-apps/developer/data-platform/webapi/compose-http-requests-handle-errors)."""

_OF_BATCH: Final = {**HEADERS, "Prefer": "odata.continue-on-error"}
_FIRST_WAIT: Final = 1.0


class WebClient:
    """Asks the Web API of one organization.  Used by one thread at a time.

    Args:
        api: Which, as whom, how hard.
        credential: Instead of the one the configuration names.
        sleep: Waits.
    """

    def __init__(
        self, api: DataverseApi, *, credential: TokenCredential | None = None, sleep: Sleep = time.sleep
    ) -> None:
        self.api = api
        self._sleep = sleep
        self._left = api.patience
        self._client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            api.url,
            policies=[
                UserAgentPolicy("cdsbridge"),
                RetryPolicy(
                    retry_total=api.retries,
                    retry_connect=api.retries,
                    retry_read=api.retries,
                    retry_status=api.retries,
                ),
                _OurHostsOnly(api),
                BearerTokenCredentialPolicy(
                    credential or open_credential(api.credential, "dataverse.credential"),
                    f"{api.url}/.default",
                ),
            ],
            transport=_Transport(self._pause, api.timeout),
        )

    def get(self, path: str) -> Answer:
        """Return the answer to one GET, a success.

        Args:
            path: Below the root of the Web API, or the whole URL of a next page.

        Raises:
            NotPermitted: Dataverse, or Microsoft Entra ID, refuses our credential.
            ServiceUnreachable: It is away, or throttles us beyond our patience.
            ConfigError: The URL is not one a token may go to.
            RequestRefused: There is no such thing, or the request is wrong.
        """
        self._left = self.api.patience
        url = urljoin(self.api.root, path)
        return judged(self._sent(HttpRequest("GET", url, headers=HEADERS)), self.api.url, _shown(path))

    def pages(self, path: str) -> Iterator[Mapping[str, Any]]:
        """Yield the members of a collection, following its next pages; raises as :meth:`get` does."""
        link: str | None = path
        while link:
            page = self.get(link).json()
            yield from page.get("value", ())
            link = page.get("@odata.nextLink")

    def batch(self, paths: Sequence[str]) -> list[Answer]:
        """Return the answer to each of many GETs, whatever its status.

        They go in as few requests as the batch size allows.  Those that are
        throttled are sent again when they may be.

        Raises:
            NotPermitted: As in :meth:`get`, of a batch as a whole; so are the others.
        """
        size = self.api.batch
        chunks = [paths[start : start + size] for start in range(0, len(paths), size)]
        return [answer for chunk in chunks for answer in self._whole(chunk)]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _whole(self, paths: Sequence[str]) -> list[Answer]:
        self._left = self.api.patience
        answers: dict[int, Answer] = {}
        todo = list(range(len(paths)))
        for attempt in range(self.api.retries + 1):
            found = self._posted([paths[index] for index in todo])
            answers.update(zip(todo, found, strict=False))
            # a server that does not go on after an error leaves the rest out
            todo = [index for index in todo if index not in answers or answers[index].status in LATER]
            if not todo or attempt == self.api.retries:
                break
            asked = max((answers[index].retry_after() for index in todo if index in answers), default=0.0)
            if asked or todo[0] in answers:
                self._pause(asked or _FIRST_WAIT * 2.0**attempt)
        return [answers.get(index) or Answer(503) for index in range(len(paths))]

    def _posted(self, paths: Sequence[str]) -> list[Answer]:
        boundary = f"batch_{uuid4()}"
        root = urlsplit(self.api.root).path
        request = HttpRequest(
            "POST",
            f"{self.api.root}$batch",
            headers={**_OF_BATCH, "Content-Type": f'multipart/mixed; boundary="{boundary}"'},
            content=encoded([f"{root}{path}" for path in paths], HEADERS, boundary),
        )
        answer = judged(self._sent(request), self.api.url, "a batch")
        return decoded(answer.body, answer.headers.get("content-type", ""))

    def _sent(self, request: HttpRequest) -> Answer:
        try:
            response = self._client.send_request(
                request,
                enforce_https=not self.api.url.startswith("http://"),
                # a batch holds nothing but GETs, so it may be sent again
                retry_on_methods=frozenset({"GET", "POST"}),
            )
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, response.read(), headers)
        except ClientAuthenticationError as error:
            raise self._without_token(cause_of(error) or error) from None
        except AzureError as error:
            raise ServiceUnreachable(
                f"{self.api.url} cannot be reached ({type(error).__name__}); check the URL and the network"
            ) from None

    def _without_token(self, cause: AzureError) -> BridgeError:
        if is_refusal(cause):
            return NotPermitted(
                f"No token for {self.api.url}: {told(cause, self.api.credential)}; see dataverse.credential"
            )
        return ServiceUnreachable(
            f"No token for {self.api.url}: Microsoft Entra ID cannot be reached ({type(cause).__name__}); "
            "check the network, and the authority of dataverse.credential"
        )

    def _pause(self, seconds: float) -> None:
        if seconds > self._left:
            raise ServiceUnreachable(
                f"{self.api.url} throttles us: it asks to wait {seconds:.0f} s, which is beyond our patience "
                f"({self.api.patience:.0f} s for a request); try again later"
            )
        self._left -= seconds
        self._sleep(seconds)


class _Transport(RequestsTransport):
    """HTTP, with our way of waiting between tries.  It follows no redirection."""

    def __init__(self, pause: Callable[[float], None], timeout: float) -> None:
        super().__init__(connection_timeout=timeout, read_timeout=timeout)
        self._pause = pause

    def sleep(self, duration: float) -> None:
        """Wait before the next try."""
        self._pause(duration)


class _OurHostsOnly(SansIOHTTPPolicy[HttpRequest, HttpResponse]):
    """Stops a request to a host that is not configured before it gets a token."""

    def __init__(self, api: DataverseApi) -> None:
        self._api = api

    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        """Check where the request goes."""
        url = request.http_request.url
        if not self._api.serves(url):
            raise ConfigError(
                f"{self._api.url} sends us on to {urlsplit(url).netloc or 'nowhere'}, where no token may go; "
                "name that host under dataverse.hosts if it is the same organization's"
            )


def _shown(path: str) -> str:
    return urlsplit(path).path.rpartition("/api/data/")[2][:120]
