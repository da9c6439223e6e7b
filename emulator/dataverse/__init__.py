"""A small seeded Dataverse: tables, operations, the contexts it posts, and the truth.

>>> from datetime import UTC, datetime
>>> organization = Organization(seed=7, start=datetime(2026, 3, 2, 8, tzinfo=UTC))
>>> posts = list(traffic(organization, 100, duplicates=0.1, poison=0))
>>> len(organization.history), len(posts) > 100, posts[0].content_type
(100, True, 'application/json')
>>> sorted(organization.truth())
['account', 'contact', 'cr1_project', 'incident', 'opportunity', 'product', 'task']
"""

from .encodings import Encoding, encodings
from .event import Event, TrueRow, pairs, replay
from .images import Images, Registrations, default_images
from .organization import PACIFIC, Organization
from .poison import EXPECTED, Poison
from .rare import Rare
from .service_tables import metadata
from .traffic import CLAIMS, TRUNCATED, Post, traffic

__all__ = [
    "CLAIMS",
    "EXPECTED",
    "PACIFIC",
    "TRUNCATED",
    "Encoding",
    "Event",
    "Images",
    "Organization",
    "Poison",
    "Post",
    "Rare",
    "Registrations",
    "TrueRow",
    "default_images",
    "encodings",
    "metadata",
    "pairs",
    "replay",
    "traffic",
]
