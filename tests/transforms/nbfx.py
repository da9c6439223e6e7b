"""Records of .NET binary XML, written one by one: what no writer of ours would choose is here too.

Source: [MC-NBFX] 2.2 (https://learn.microsoft.com/openspecs/windows_protocols/mc-nbfx).
"""

from cdsbridge.transforms.infoset import Element
from cdsbridge.transforms.nbfx_reader import read_nbfx
from cdsbridge.transforms.rules import Limits

SDK = "http://schemas.microsoft.com/xrm/2011/Contracts"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
END = b"\x01"


def length(number: int) -> bytes:
    """Return a MultiByteInt31: seven bits a byte, the lowest first."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def name(text: str) -> bytes:
    encoded = text.encode()
    return length(len(encoded)) + encoded


def element(local: str, *content: bytes, prefix: str | None = None) -> bytes:
    """Return an element whose content must hold its end; by one letter, or by its whole prefix."""
    if prefix is None:
        return b"\x40" + name(local) + b"".join(content)
    if len(prefix) == 1 and prefix.islower():
        return bytes([0x5E + ord(prefix) - ord("a")]) + name(local) + b"".join(content)
    return b"\x41" + name(prefix) + name(local) + b"".join(content)


def attribute(local: str, text: bytes, prefix: str | None = None) -> bytes:
    if prefix is None:
        return b"\x04" + name(local) + text
    if len(prefix) == 1:
        return bytes([0x26 + ord(prefix) - ord("a")]) + name(local) + text
    return b"\x05" + name(prefix) + name(local) + text


def xmlns(space: str, prefix: str = "") -> bytes:
    return b"\x09" + name(prefix) + name(space) if prefix else b"\x08" + name(space)


def chars(text: str, end: bool = True) -> bytes:
    """Return a short text record."""
    encoded = text.encode()
    return bytes([0x98 + end, len(encoded)]) + encoded


def read(data: bytes, limits: Limits | None = None) -> Element:
    return read_nbfx(data, limits or Limits()).root


def text_of(record: bytes) -> str | bytes | None:
    """Return what a text record inside an element stands for."""
    return read(element("a", record) if record[0] & 1 else element("a", record, END)).text
