"""Bodies decoded together as lines are the bodies decoded one by one."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import pytest

from cdsbridge.emulator.dataverse import Organization, traffic
from cdsbridge.transforms.sealed import Opener

ORGANIZATION = Organization(seed=3, start=datetime(2026, 3, 2, 8, tzinfo=UTC))
SOUND = [post.body for post in traffic(ORGANIZATION, 3, poison=0, asides=0)]


def opened(bodies: Sequence[bytes]) -> list[bytes | None]:
    """Return what contexts bodies are opened as, written again."""
    found = Opener().contexts(bodies, b"\n".join(bodies))
    return [None if each is None else msgspec.json.encode(each) for each in found]


def test_sound_bodies_are_opened() -> None:
    assert opened(SOUND) == SOUND


@pytest.mark.parametrize(
    "bodies",
    [
        [SOUND[0] + b"\n" + SOUND[1], b""],
        [b"", SOUND[0] + b"\n" + SOUND[1]],
        [SOUND[0] + b"\n", SOUND[1]],
        [SOUND[0][:100] + b"\n" + SOUND[0][100:], SOUND[1]],
        [SOUND[0][:100], SOUND[0][100:]],
        [b"", b""],
        [SOUND[0], b"null"],
    ],
    ids=["two-in-one", "two-in-the-last", "break-at-the-end", "break-within", "cut", "empty", "null"],
)
def test_no_body_is_opened_as_another(bodies: list[bytes]) -> None:
    together = opened([*bodies, SOUND[2]])
    assert together == [*(opened([body])[0] for body in bodies), SOUND[2]]
    assert all(one is None or one == body for one, body in zip(together, bodies, strict=False))
