"""What is posted, as a bridge receives it."""

from collections.abc import Iterable

from cdsbridge.emulator.dataverse import Post
from cdsbridge.model.envelope import Envelope


def received(posts: Iterable[Post]) -> list[Envelope]:
    """Return posts as messages of one queue, numbered and received in their order."""
    return [
        Envelope(
            post.body,
            "q",
            number,
            enqueued_at=number,
            received_at=number,
            content_type=post.content_type,
            properties=dict(post.properties),
        )
        for number, post in enumerate(posts, 1)
    ]
