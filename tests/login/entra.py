"""A token service over loopback TLS that answers as the documentation says Microsoft Entra ID does.

It is our own, made from the pages on the client credentials flow, on certificate credentials and
on managed identities.  What passes here was never tried against Entra itself.
"""

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

TENANT = "00000000-0000-0000-0000-000000000001"
CLIENT = "00000000-0000-0000-0000-000000000002"
SECRET = "hunter2~with-a-tail"
HEADER = "the header of App Service"
ISSUER = f"https://sts.windows.net/{TENANT}/"

_BEARER_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Asked(NamedTuple):
    """A request for a token, whatever came of it.

    Attributes:
        way: What the client showed: secret, certificate, federated, imds or app service.
        scope: Scope or resource.
        client: Client id; empty of an identity that is the system's.
    """

    way: str
    scope: str
    client: str


class Reply(NamedTuple):
    status: int
    tree: Mapping[str, Any]


class Refused:
    """A refusal of Entra."""

    def __init__(self, status: int, error: str, code: int, sentence: str) -> None:
        self.reply = Reply(
            status,
            {
                "error": error,
                "error_description": f"AADSTS{code}: {sentence} Trace ID: 1 Correlation ID: 2",
                "error_codes": [code],
                "trace_id": "1",
                "correlation_id": "2",
            },
        )


@dataclass
class Entra:
    """What the service knows, and what it was asked.

    Attributes:
        certificate: PEM file of its own certificate.
        secret: Of the application.
        registered: Certificate of the application, if there is one.
        federated: The token of the pod that the application trusts.
        lifetime: Seconds a token lives.
        audience: What tokens are for, if not for what was asked.
        asked: Every request for a token.
    """

    certificate: Path
    url: str = ""
    secret: str = SECRET
    registered: x509.Certificate | None = None
    federated: str = ""
    lifetime: int = 3600
    audience: str | None = None
    asked: list[Asked] = field(default_factory=list)
    _key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def public_key(self) -> str:
        """What its signatures are checked with, PEM."""
        return (
            self._key.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )

    def wait_for(self, requests: int) -> None:
        """Return when so many requests have come."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.asked) >= requests, 60)

    def token(self, audience: str, client: str = CLIENT, **claims: Any) -> str:
        now = int(time.time())
        given = {"aud": audience, "iss": ISSUER, "iat": now, "nbf": now, "exp": now + self.lifetime}
        given |= {"appid": client, "tid": TENANT, "ver": "1.0", **claims}
        return jwt.encode(given, self._key, algorithm="RS256")

    def get(self, target: str, headers: Mapping[str, str]) -> Reply:
        """Answer the discovery of a tenant, or a machine that asks for its identity."""
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query))
        if parts.path == "/metadata/identity/oauth2/token":
            return self._identity("imds", query, allowed=headers.get("metadata") == "true")
        if parts.path == "/msi/token":
            return self._identity("app service", query, allowed=headers.get("x-identity-header") == HEADER)
        if parts.path == f"/{TENANT}/v2.0/.well-known/openid-configuration":
            root = f"{self.url}/{TENANT}"
            return Reply(
                200,
                {
                    "issuer": f"{root}/v2.0",
                    "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{root}/oauth2/v2.0/token",
                },
            )
        return Refused(400, "invalid_tenant", 90002, f"Tenant '{parts.path.split('/')[1]}' not found.").reply

    def post(self, target: str, body: str) -> Reply:
        """Answer the token endpoint."""
        form = dict(parse_qsl(body))
        scope, client = form["scope"].split(" ")[0], form["client_id"]
        assertion = form.get("client_assertion", "")
        way = "secret" if not assertion else "federated" if assertion == self.federated else "certificate"
        self._note(Asked(way, scope, client))
        refusal = self._refusal(target, form, way)
        if refusal is not None:
            return refusal.reply
        token = self.token(self.audience or scope.removesuffix("/.default"))
        lives = {"expires_in": self.lifetime, "ext_expires_in": self.lifetime}
        return Reply(200, {"token_type": "Bearer", **lives, "access_token": token})

    def _refusal(self, target: str, form: Mapping[str, str], way: str) -> Refused | None:
        """What is wrong with a request for a token, if something is."""
        client = form["client_id"]
        if target != f"/{TENANT}/oauth2/v2.0/token":
            return Refused(400, "invalid_tenant", 90002, "Tenant not found.")
        if form["grant_type"] != "client_credentials":
            return Refused(400, "unsupported_grant_type", 70003, "The grant type is not supported.")
        if client != CLIENT:
            return Refused(400, "unauthorized_client", 700016, f"Application '{client}' was not found.")
        if way == "secret" and form.get("client_secret") != self.secret:
            return Refused(401, "invalid_client", 7000215, "Invalid client secret provided.")
        if way != "secret" and form.get("client_assertion_type") != _BEARER_ASSERTION:
            return Refused(401, "invalid_client", 50027, "The type of the assertion is not known.")
        if way == "certificate" and self.registered is None:
            return Refused(401, "invalid_client", 700213, "No matching federated identity record found.")
        if way == "certificate" and not self._is_signed(form["client_assertion"]):
            return Refused(401, "invalid_client", 700027, "The certificate is not registered.")
        return None

    def _is_signed(self, assertion: str) -> bool:
        """Whether an assertion is signed by the application's certificate, for this service."""
        certificate = self.registered
        assert certificate is not None
        digests = {"x5t": hashes.SHA1(), "x5t#S256": hashes.SHA256()}
        try:
            header = jwt.get_unverified_header(assertion)
            claims = jwt.decode(
                assertion,
                certificate.public_key(),  # type: ignore[arg-type]
                algorithms=["RS256", "PS256"],
                audience=f"{self.url}/{TENANT}/oauth2/v2.0/token",
                issuer=CLIENT,
                options={"require": ["exp", "iss", "sub", "aud", "jti"]},
            )
        except jwt.InvalidTokenError:
            return False
        shown = {name: header[name].rstrip("=") for name in digests if name in header}
        own = {name: _encoded(certificate.fingerprint(digests[name])) for name in shown}
        return bool(shown) and shown == own and claims["sub"] == CLIENT

    def _identity(self, way: str, query: Mapping[str, str], *, allowed: bool) -> Reply:
        client = query.get("client_id", "")
        self._note(Asked(way, query["resource"], client))
        if not allowed:
            return Reply(400, {"error": "invalid_request", "error_description": "Required header missing"})
        if client not in {"", CLIENT}:
            return Reply(400, {"error": "invalid_request", "error_description": "Identity not found"})
        return Reply(
            200,
            {
                "access_token": self.token(self.audience or query["resource"]),
                "expires_in": str(self.lifetime),
                "expires_on": str(int(time.time()) + self.lifetime),
                "resource": query["resource"],
                "token_type": "Bearer",
                "client_id": CLIENT,
            },
        )

    def _note(self, asked: Asked) -> None:
        with self._changed:
            self.asked.append(asked)
            self._changed.notify_all()


def _encoded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    entra: Entra

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._reply(self.entra.get(self.path, headers))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self._reply(self.entra.post(self.path, body))

    def log_message(self, *_: object) -> None:
        pass

    def _reply(self, reply: Reply) -> None:
        body = json.dumps(reply.tree).encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running(certificate: Path) -> Iterator[Entra]:
    """Run a service for the length of a block.

    Args:
        certificate: PEM file with its certificate and key.
    """
    entra = Entra(certificate)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"entra": entra}))
    server.daemon_threads = True
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    entra.url = f"https://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield entra
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
