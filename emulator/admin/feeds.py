"""ATOM entries and feeds (RFC 4287) around descriptions."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from .xml import ATOM, Element, XmlError, markup, parse, tag

ENTRY: Final = "application/atom+xml;type=entry;charset=utf-8"
FEED: Final = "application/atom+xml;type=feed;charset=utf-8"

NEVER: Final = "0001-01-01T00:00:00Z"


class Entry(NamedTuple):
    """One resource.

    Attributes:
        title: Its name.
        href: Its URL.
        created_at: Epoch seconds.
        updated_at: Epoch seconds.
        description: The markup of its description.
    """

    title: str
    href: str
    created_at: float
    updated_at: float
    description: str


def time_text(seconds: float) -> str:
    """A time as the API writes it; 0: never."""
    if not seconds:
        return NEVER
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def entry_document(entry: Entry, author: str) -> bytes:
    """A document that is one entry."""
    return _entry(entry, author, xmlns=ATOM).encode()


def feed_document(
    title: str, href: str, entries: Sequence[Entry], author: str, following: str | None
) -> bytes:
    """A document that is a page of entries.

    Args:
        title: What they are.
        href: The URL of the page.
        entries: The entries.
        author: The name of the namespace.
        following: The URL of the next page; ``None``: this is the last.
    """
    updated = max((entry.updated_at for entry in entries), default=0.0)
    head = tag("title", title, type="text") + tag("id", href) + tag("updated", time_text(updated))
    links = markup("link", "", rel="self", href=href)
    if following is not None:
        links += markup("link", "", rel="next", href=following)
    return markup(
        "feed", head + links + "".join(_entry(each, author) for each in entries), xmlns=ATOM
    ).encode()


def _entry(entry: Entry, author: str, **attributes: str) -> str:
    head = tag("id", entry.href) + tag("title", entry.title, type="text")
    head += tag("published", time_text(entry.created_at)) + tag("updated", time_text(entry.updated_at))
    head += markup("author", tag("name", author)) + markup("link", "", rel="self", href=entry.href)
    return markup("entry", head + markup("content", entry.description, type="application/xml"), **attributes)


def read_description(body: bytes, *kinds: str) -> Element:
    """The description in the entry a client sends.

    Raises:
        XmlError: There is none of these kinds.
    """
    content = parse(body).find("content")
    for kind in kinds:
        found = None if content is None else content.find(kind)
        if found is not None:
            return found
    raise XmlError(f"The body is no entry with one of: {', '.join(kinds)}.")
