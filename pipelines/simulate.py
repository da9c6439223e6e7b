"""The command ``simulate``."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import typer

from ..emulator.dataverse import Encoding, Organization, Post, traffic
from .exit import Exit
from .load import load_config
from .post import chosen, post_all


def simulate_command(
    conf: Path,
    settings: Sequence[str],
    count: int,
    seed: int,
    rate: float | None,
    names: Sequence[str] = (Encoding.JSON,),
) -> int:
    """Post a simulated organisation's messages; return the exit code.

    Raises:
        ConfigError: The file is wrong, or an encoding is unknown.
    """
    wanted = chosen(names)
    config = load_config(conf, settings)
    entity = config.source.entities[0]
    organization = Organization(seed=seed, start=datetime.now(UTC).replace(microsecond=0))
    posts = traffic(organization, count, encodings=wanted)
    sent = post_all(config.source, entity, posts if rate is None else _paced(posts, rate))
    typer.echo(f"posted {sent:,} messages to {entity}")
    return Exit.OK


def _paced(posts: Iterator[Post], rate: float) -> Iterator[Post]:
    """Yield posts at most so many a second."""
    begun = time.monotonic()
    for number, post in enumerate(posts):
        ahead = number / rate - (time.monotonic() - begun)
        if ahead > 0:
            time.sleep(ahead)
        yield post
