"""JSON texts of a file, one after another, at constant memory: lines, or the items of a list."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, TextIO

_LONGEST: Final = 160 * 1024 * 1024
"""Bytes of one text at most: a message of 100 MB, the most Service Bus takes, in base64."""
_PIECE: Final = 1 << 16
_BOM: Final = b"\xef\xbb\xbf"
_NEXT: Final = "\n  {"
"""What an item of an indented list begins with; text in quotes holds no line end."""


def items(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (line from 1, JSON text); what is no JSON is yielded as it stands.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        first = file.read(len(_BOM))
        if first != _BOM:
            file.seek(0)
        start = file.tell()
        line = file.readline(_PIECE).strip()
        file.seek(start)
        if line.startswith(b"[") or line == b"{":
            yield from _Values(io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="")).items()
        else:
            yield from _lines(file)


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number = 0
    while text := file.readline(_LONGEST):
        number += 1
        whole = text.endswith(b"\n")
        if text.strip():
            yield number, text.strip()
        while not whole and (rest := file.readline(_PIECE)):
            whole = rest.endswith(b"\n")


class _Values:
    """Cuts a list of JSON values, or values without a list, into single ones."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._decoder = json.JSONDecoder()
        self._text = ""
        self._line = 1

    def items(self) -> Iterator[tuple[int, bytes]]:
        """Yield (line from 1, JSON text)."""
        while self._begins():
            at = self._end_of_value()
            value = self._text[:at]
            yield self._line, value.rstrip().encode("utf-8", "surrogateescape")
            self._pass(at)

    def _begins(self) -> bool:
        """Pass by what stands between values; tell whether there is one."""
        while True:
            rest = self._text.lstrip(" \t\r\n,[]")
            self._pass(len(self._text) - len(rest))
            if self._text:
                return True
            if not self._more():
                return False

    def _end_of_value(self) -> int:
        while True:
            try:
                return self._decoder.raw_decode(self._text)[1]
            except RecursionError:
                return self._next_item(1)
            except json.JSONDecodeError as error:
                broken = error.pos + len(_NEXT) + 16 < len(self._text) and "Unterminated" not in error.msg
                if broken or len(self._text) > _LONGEST:
                    return self._next_item(error.pos)
                if not self._more():
                    return len(self._text)

    def _next_item(self, after: int) -> int:
        """Return where the next item of an indented list begins, or where the text ends."""
        while True:
            at = self._text.find(_NEXT, after)
            if at >= 0:
                return at
            if len(self._text) > _LONGEST or not self._more():
                return len(self._text)

    def _pass(self, at: int) -> None:
        self._line += self._text.count("\n", 0, at)
        self._text = self._text[at:]

    def _more(self) -> bool:
        """Read on, as much again as there is, so that a long value is not tried too often."""
        piece = self._file.read(max(_PIECE, len(self._text)))
        self._text += piece
        return bool(piece)
