"""A Web API over loopback HTTP: answers of the shapes Microsoft documents, and faults on demand."""

import json
import re
import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from azure.core.credentials import AccessToken

from cdsbridge.webapi.config import DataverseApi

TOKEN = "very-secret-token"
ROOT = "/api/data/v9.2/"
WHO = "RetrieveCurrentOrganization(AccessType=@p1)?@p1=Microsoft.Dynamics.CRM.EndpointAccessType'Default'"
"""How the unique name of the organization is asked for."""


class Reply(NamedTuple):
    """An answer: of a whole request, or of a part of a batch."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}


class Asked(NamedTuple):
    """A request the server has had; a part of a batch too."""

    method: str
    path: str
    headers: Mapping[str, str]


def error(status: int, code: str, message: str, **headers: str) -> Reply:
    """Return an error as the Web API words it."""
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, body, {"Content-Type": "application/json; odata.metadata=minimal", **told})


def throttled(seconds: int) -> Reply:
    return error(429, "0x80072322", "Number of requests exceeded the limit", Retry_After=str(seconds))


def as_json(tree: object) -> Reply:
    return Reply(200, json.dumps(tree).encode(), {"Content-Type": "application/json; odata.metadata=minimal"})


@dataclass
class Dataverse:
    """What the server holds, how it misbehaves, and what it was asked.

    Attributes:
        rows: (Entity set, key) to the row: JSON text, so that digits stay.
        answers: Path and query, below the root, to the answer of a GET.
        whole: Answers to the next requests, whatever they ask.
        parts: Path below the root to the next answers to it.
        asked: Every request.
        parted: Every part of a batch.
        batches: Parts of each batch that was read.
    """

    url: str = ""
    rows: dict[tuple[str, str], str] = field(default_factory=dict)
    answers: dict[str, Reply] = field(default_factory=dict)
    whole: deque[Reply] = field(default_factory=deque)
    parts: dict[str, deque[Reply]] = field(default_factory=lambda: defaultdict(deque))
    asked: list[Asked] = field(default_factory=list)
    parted: list[Asked] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    def api(self, **settings: Any) -> DataverseApi:
        return DataverseApi.model_validate({"url": self.url, **settings})

    def answer(self, path: str) -> Reply:
        """Answer a GET of a path below the root."""
        if self.parts[path]:
            return self.parts[path].popleft()
        if path in self.answers:
            return self.answers[path]
        found = re.fullmatch(r"(\w+)\(([0-9a-f-]{36})\)", path)
        if found is None or found[1] not in {entity_set for entity_set, _ in self.rows}:
            return error(404, "0x80060888", f"Resource not found for the segment '{path[:20]}'.")
        row = self.rows.get((found[1], found[2]))
        if row is None:
            return error(404, "0x80040217", f"Entity '{found[1]}' With Id = {found[2]} Does Not Exist")
        return Reply(200, row.encode(), {"Content-Type": "application/json; odata.metadata=minimal"})

    def batch(self, body: bytes, asked: Asked) -> Reply:
        """Answer a batch; it ends at the first error unless asked to go on."""
        boundary = re.search(r'boundary="?([^";]+)', asked.headers["content-type"])
        assert boundary is not None
        *parts, last = body.split(b"--" + boundary[1].encode())[1:]
        assert last == b"--\r\n"
        goes_on = "odata.continue-on-error" in asked.headers.get("prefer", "")
        replies: list[Reply] = []
        for part in parts:
            request = part.partition(b"\r\n\r\n")[2]
            line, _, rest = request.partition(b"\r\n")
            method, target, _ = line.decode("ascii").split(" ")
            headers = {k.lower(): str(v) for k, v in BytesParser().parsebytes(rest).items()}
            self.parted.append(Asked(method, below_root(target), headers))
            replies.append(self.answer(below_root(target)))
            if replies[-1].status >= 400 and not goes_on:
                break
        self.batches.append(len(parts))
        mark = f"batchresponse_{uuid4()}"
        return Reply(200, multipart(replies, mark), {"Content-Type": f"multipart/mixed; boundary={mark}"})


def multipart(replies: list[Reply], mark: str) -> bytes:
    """Return the body of a batch response."""
    lines = b""
    for reply in replies:
        headers = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
        lines += (
            f"--{mark}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
            f"HTTP/1.1 {reply.status} Reason\r\n{headers}OData-Version: 4.0\r\n\r\n"
        ).encode() + reply.body
        lines += b"\r\n"
    return lines + f"--{mark}--\r\n".encode()


def below_root(target: str) -> str:
    assert target.startswith(ROOT), target
    return unquote(target.removeprefix(ROOT))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    dataverse: Dataverse

    def do_GET(self) -> None:
        self._note()
        parts = urlsplit(self.path)
        if parts.path == "/msi/token":
            self._reply(
                as_json(
                    {
                        "access_token": TOKEN,
                        "expires_on": "4102444800",
                        "token_type": "Bearer",
                        "resource": "r",
                    }
                )
            )
        elif self.dataverse.whole:
            self._reply(self.dataverse.whole.popleft())
        else:
            self._reply(self.dataverse.answer(below_root(self.path)))

    def do_POST(self) -> None:
        asked = self._note()
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.dataverse.whole:
            self._reply(self.dataverse.whole.popleft())
        else:
            assert asked.path == f"{ROOT}$batch"
            self._reply(self.dataverse.batch(body, asked))

    def log_message(self, *_: object) -> None:
        pass

    def _note(self) -> Asked:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.dataverse.asked.append(asked := Asked(self.command, self.path, headers))
        return asked

    def _reply(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)


@contextmanager
def running() -> Iterator[Dataverse]:
    """Run a server for the length of a block."""
    dataverse = Dataverse()
    handler = type("Handler", (_Handler,), {"dataverse": dataverse})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    dataverse.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield dataverse
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class RecordingCredential:
    """Gives one token, and remembers for which scopes it was asked."""

    def __init__(self) -> None:
        self.scopes: list[str] = []

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes.extend(scopes)
        return AccessToken(TOKEN, 4102444800)


class Sleeper:
    """Waits no time, and remembers for how long it was asked to."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
