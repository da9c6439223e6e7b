"""HTTP/1.1 as bytes: requests out of a stream, responses into one (RFC 9112)."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

MAX_HEAD: Final = 16 * 1024
"""Longest request line and headers together, bytes."""

MAX_BODY: Final = 1024 * 1024
"""Longest body, bytes."""

_MAX_FIELDS: Final = 100


class HttpError(Exception):
    """Bytes that are no request this server takes; the connection cannot go on.

    Attributes:
        status: The status to answer with.
        sentence: What is wrong.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(status, sentence)
        self.status = status
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request.

    Attributes:
        method: In upper case.
        target: Path and query, as sent.
        headers: By name in lower case.
        body: The body, empty without one.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = b""

    @property
    def segments(self) -> list[str]:
        """The parts of the path, decoded: an encoded slash does not part them."""
        path = urlsplit(self.target).path
        return [unquote(part) for part in path.split("/") if part]

    @property
    def query(self) -> Mapping[str, str]:
        """The query, the last of each name."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def stays(self) -> bool:
        """Whether the client wants the connection kept."""
        return "close" not in self.headers.get("connection", "").lower()


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response.

    Attributes:
        status: The status code.
        body: The body.
        content_type: What the body is.
        headers: Further headers.
        protocol: What the connection goes on as, after a status of 101.
    """

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    protocol: Callable[[], asyncio.Protocol] | None = None

    def encode(self, *, stays: bool, with_body: bool = True) -> bytes:
        """The bytes of the response.

        Args:
            stays: Whether the connection is kept.
            with_body: False in answer to ``HEAD``.
        """
        if self.protocol is not None:
            return self._head({"Connection": "Upgrade", **self.headers})
        fields = {
            "Content-Length": str(len(self.body)),
            "Content-Type": self.content_type,
            "Connection": "keep-alive" if stays else "close",
            "Server": "cdsbridge-emulator",
            **self.headers,
        }
        return self._head(fields) + (self.body if with_body else b"")

    def _head(self, fields: Mapping[str, str]) -> bytes:
        head = f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return head.encode("latin-1") + b"\r\n"


class RequestReader:
    """Cuts requests out of a stream of bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def rest(self) -> bytes:
        """What has come after the last request that was read."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take bytes from the stream."""
        self._buffer += data

    def requests(self) -> Iterator[HttpRequest]:
        """The requests that are complete.

        Raises:
            HttpError: What came is no request, or too large.
        """
        while (request := self._next()) is not None:
            yield request

    def _next(self) -> HttpRequest | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or end > MAX_HEAD:
            if len(self._buffer) > MAX_HEAD:
                raise HttpError(431, f"The head of the request is longer than {MAX_HEAD} bytes.")
            return None
        method, target, headers = _head(self._buffer[:end])
        length = _length(headers)
        if len(self._buffer) < end + 4 + length:
            return None
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        del self._buffer[: end + 4 + length]
        return HttpRequest(method, target, headers, body)


def _head(head: bytearray) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or not parts[1].startswith("/"):
        raise HttpError(400, "This is no HTTP/1.1 request.")
    if len(lines) > _MAX_FIELDS:
        raise HttpError(431, f"The request has more than {_MAX_FIELDS} headers.")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise HttpError(400, "A header of the request is malformed.")
        if name.lower() in headers and name.lower() == "content-length":
            raise HttpError(400, "The request has two lengths.")
        headers[name.lower()] = value.strip()
    return parts[0].upper(), parts[1], headers


def _length(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise HttpError(501, "Bodies in chunks are not supported; send a Content-Length.")
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit()):
        raise HttpError(400, "The length of the body is no number.")
    if int(text) > MAX_BODY:
        raise HttpError(413, f"The body of the request is longer than {MAX_BODY} bytes.")
    return int(text)
