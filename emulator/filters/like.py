"""The operator LIKE."""

from typing import Final

from .errors import FilterError

_ONE: Final = object()
_MANY: Final = object()


def like(text: str, pattern: str, escape: str | None = None) -> bool:
    """Whether a text is of a pattern, upper and lower case apart.

    Args:
        text: The text.
        pattern: ``%`` stands for any characters, ``_`` for one.
        escape: The character that lets the next one of the pattern stand for itself.

    Raises:
        FilterError: The escape is not one character, or the pattern ends with it.

    Examples:
        >>> like("ABC%", "ABC!%", "!"), like("ABCD", "ABC!%", "!")
        (True, False)
    """
    if escape is not None and len(escape) != 1:
        raise FilterError(f"ESCAPE takes one character, not {len(escape)}.")
    parts = _parts(pattern, escape)
    at, place, retry_at, retry_place = 0, 0, -1, -1
    while at < len(text):
        part = parts[place] if place < len(parts) else None
        if part is _MANY:
            retry_at, retry_place = at, place
            place += 1
        elif part is _ONE or part == text[at]:
            at += 1
            place += 1
        elif retry_place >= 0:
            retry_at += 1
            at, place = retry_at, retry_place + 1
        else:
            return False
    return all(part is _MANY for part in parts[place:])


def _parts(pattern: str, escape: str | None) -> list[object]:
    parts: list[object] = []
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            following = next(characters, None)
            if following is None:
                raise FilterError(f"The pattern {pattern!r} ends with its escape character.")
            parts.append(following)
        elif character == "%":
            parts.append(_MANY)
        else:
            parts.append(_ONE if character == "_" else character)
    return parts
