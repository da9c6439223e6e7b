"""A small seeded Dataverse: tables, operations, the contexts it posts, and the truth.

>>> from datetime import UTC, datetime
>>> organization = Organization(seed=7, start=datetime(2026, 3, 2, 8, tzinfo=UTC))
>>> posts = list(traffic(organization, 100, duplicates=0.1, poison=0))
>>> len(organization.history), len(posts) > 100, posts[0].content_type
(100, True, 'application/json')
>>> sorted(organization.truth())
['account', 'contact', 'cr1_project', 'incident', 'opportunity', 'product', 'task']
"""

from .event import Event, TrueRow, replay
from .images import Images, Registrations, default_images
from .organization import PACIFIC, Organization
from .poison import EXPECTED, Poison
from .service_tables import metadata
from .traffic import CLAIMS, Post, traffic

__all__ = [
    "CLAIMS",
    "EXPECTED",
    "PACIFIC",
    "Event",
    "Images",
    "Organization",
    "Poison",
    "Post",
    "Registrations",
    "TrueRow",
    "default_images",
    "metadata",
    "replay",
    "traffic",
]
