"""A broker with dead letters in it, and a bridge that may deal with them."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from uuid import UUID

from crashing import write_config
from typer.testing import CliRunner, Result

from cdsbridge.emulator.dataverse import EXPECTED, Organization, Post, traffic
from cdsbridge.emulator.entities.message import StoredMessage
from cdsbridge.emulator.entities.settings import QueueSettings
from cdsbridge.emulator.server import RunningBroker
from cdsbridge.model.counters import counters
from cdsbridge.pipelines.cli import app
from cdsbridge.pipelines.config import BridgeConfig
from cdsbridge.pipelines.post import post_all

GAVE_UP = "MaxDeliveryCountExceeded"
SENTENCE = "Message could not be consumed after 10 delivery attempts."
_numbers = count()


def day(messages: int, poison: float = 0.3, seed: int = 5) -> list[Post]:
    """Return the posts of a simulated day, no event twice."""
    organization = Organization(seed=seed, start=datetime(2026, 3, 2, 8, tzinfo=UTC))
    posts = traffic(organization, messages, poison=poison, duplicates=0, reorder=0)
    return list(posts)[:messages]


def why(post: Post) -> tuple[str, str]:
    """Return reason and description of a post's dead letter."""
    if post.poison is None:
        return GAVE_UP, SENTENCE
    return str(min(EXPECTED[post.poison])), f"{post.poison} at byte 3: DataverseFault 0x80040216"


class Letters:
    """A queue with dead letters, and a bridge that reads it.

    Attributes:
        queue: Name of the queue.
        config: The bridge.
        posts: The messages, numbered from 1.
    """

    def __init__(self, bus: RunningBroker, folder: Path, posts: Sequence[Post], **settings: float) -> None:
        self.bus = bus
        self.queue = f"queue-{next(_numbers)}"
        self.posts = list(posts)
        self.folder = folder
        options = QueueSettings(**settings)  # type: ignore[arg-type]
        bus.call(lambda namespace: namespace.create_queue(self.queue, options))
        self.config: BridgeConfig = write_config(
            folder, bus.connection_string, self.queue, ["source.wait=0.1"]
        )
        if posts:
            post_all(self.config.source, self.queue, iter(posts))
            self._bury()

    def _bury(self) -> None:
        tokens: dict[tuple[str, str], list[UUID]] = defaultdict(list)
        for delivery in self.bus.call(
            lambda namespace: namespace.queue(self.queue).receive(len(self.posts), lock=True)
        ):
            assert delivery.token is not None
            tokens[why(self.posts[delivery.message.sequence_number - 1])].append(delivery.token)
        for (reason, description), some in tokens.items():
            self.bus.call(
                lambda namespace, r=reason, d=description, t=some: namespace.queue(  # type: ignore[misc]
                    self.queue
                ).dead_letter(t, r, d)
            )

    @property
    def dead(self) -> str:
        """Path of the dead-letter queue."""
        return f"{self.queue}/$DeadLetterQueue"

    def left(self) -> list[StoredMessage]:
        """Return the dead letters that are there."""
        return self.bus.call(lambda namespace: namespace.queue(self.dead).peek(1, 1 << 30))

    def numbers(self, *, poison: bool | None = None) -> list[int]:
        """Return the numbers of the messages, or of the good or bad ones."""
        return [
            number
            for number, post in enumerate(self.posts, 1)
            if poison is None or (post.poison is not None) == poison
        ]

    def run(self, *arguments: str | Path, answer: str | None = None) -> Result:
        """Run a command; ``CONF`` stands for the bridge's file."""
        counters.reset()
        told = [str(self.folder / "bridge.yaml") if each == "CONF" else str(each) for each in arguments]
        return CliRunner().invoke(app, told, input=answer)
