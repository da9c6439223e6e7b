"""Many GET requests in one, and their answers.

Source: https://learn.microsoft.com/power-apps/developer/data-platform/webapi/execute-batch-operations-using-web-api
and OData 4.0 part 1, section 11.7.
"""

from collections.abc import Mapping, Sequence
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Final

from ..model.errors import ServiceUnreachable
from .answers import Answer

_STATUS_LINE: Final = b"HTTP/1."


def encoded(paths: Sequence[str], headers: Mapping[str, str], boundary: str) -> bytes:
    """Return the body of a batch of GET requests.

    Args:
        paths: From the root of the host on, percent-encoded.
        headers: Of every request.
        boundary: What divides the parts.
    """
    told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    parts = [
        f"--{boundary}\r\n"
        "Content-Type: application/http\r\n"
        "Content-Transfer-Encoding: binary\r\n\r\n"
        f"GET {path} HTTP/1.1\r\n{told}\r\n"
        for path in paths
    ]
    return f"{''.join(parts)}--{boundary}--\r\n".encode("ascii")


def decoded(body: bytes, content_type: str) -> list[Answer]:
    """Return the answers in the body of a batch response, in their order.

    Raises:
        ServiceUnreachable: The body is no batch response, or is cut short.
    """
    kind = Message()
    kind["Content-Type"] = content_type
    boundary = kind.get_param("boundary")
    if kind.get_content_type() != "multipart/mixed" or not isinstance(boundary, str) or not boundary:
        raise _unreadable("it is no multipart/mixed")
    divider = b"\r\n--" + boundary.encode("ascii", "replace")
    _, *parts = (b"\r\n" + body).split(divider)
    if not parts or not parts[-1].startswith(b"--"):
        raise _unreadable("it ends too early")
    return [_answer(part) for part in parts[:-1]]


def _answer(part: bytes) -> Answer:
    _, _, inner = part.partition(b"\r\n\r\n")
    head, _, body = inner.partition(b"\r\n\r\n")
    status_line, _, header_lines = head.partition(b"\r\n")
    try:
        version, status, *_ = status_line.split(b" ")
        number = int(status)
    except ValueError:
        raise _unreadable("a part has no status") from None
    if not version.startswith(_STATUS_LINE):
        raise _unreadable("a part is no HTTP response")
    headers = BytesParser(policy=HTTP).parsebytes(header_lines, headersonly=True)
    return Answer(number, body, {name.lower(): str(value) for name, value in headers.items()})


def _unreadable(clause: str) -> ServiceUnreachable:
    return ServiceUnreachable(f"The answer to a batch cannot be read: {clause}; check dataverse.url")
