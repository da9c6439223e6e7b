"""A certificate of the emulator's own making, for clients that insist on TLS.

The standard library cannot make one; ``cryptography`` comes with ``azure-identity``.
"""

import ipaddress
import os
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ...model.errors import ConfigError

_DAYS = 3650
_NAMES = ("localhost", "*.localhost", "*.servicebus.windows.net")
_ADDRESSES = ("127.0.0.1", "::1")


def write_certificate(path: Path, *names: str) -> Path:
    """Write a new self-signed certificate with its key, readable by this user alone; one that is there stays.

    Args:
        path: The PEM file; what clients give as ``connection_verify``.
        names: Host names it is for, besides this machine's.

    Raises:
        OSError: The file cannot be written.
    """
    if path.exists():
        return path
    unfinished = path.with_name(path.name + ".new")
    opened = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "wb") as file:
        file.write(_make([*_NAMES, socket.gethostname(), *names]))
    return unfinished.replace(path)


def _make(names: list[str]) -> bytes:
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cdsbridge embedded Service Bus")])
    now = datetime.now(UTC)
    hosts: list[x509.GeneralName] = [x509.DNSName(name) for name in dict.fromkeys(names)]
    hosts += [x509.IPAddress(ipaddress.ip_address(address)) for address in _ADDRESSES]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def server_context(path: Path) -> ssl.SSLContext:
    """What a server needs to speak TLS with the certificate and key of a PEM file.

    Raises:
        ConfigError: The file cannot be read, or does not hold a certificate and its key.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(path)
    except OSError as error:
        raise ConfigError(
            f"The file {path} holds no certificate with its key ({error}): give another one, or delete it, "
            "and the emulator makes its own."
        ) from error
    return context
