"""Published captures of real messages, where a checkout has them beside it."""

from pathlib import Path
from typing import Final

from ..emulator.dataverse import Post

FOLDER: Final = Path(__file__).resolve().parent.parent.parent / "shared" / "conformance" / "published"
"""Messages that others captured and published; not part of the project."""


def published_posts(folder: Path = FOLDER) -> list[Post]:
    """Return a post for each published message, none if the folder is not there."""
    if not folder.is_dir():
        return []
    return [
        Post(path.read_bytes(), "application/json", f"published-{path.stem}", "", {}, event=None)
        for path in sorted(folder.glob("*.json"))
    ]
