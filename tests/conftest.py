"""One commit, one verdict: properties are tried on the same examples each time.

``CDSBRIDGE_EXPLORE=1`` (``make explore``) tries new ones instead.
"""

import os

from hypothesis import HealthCheck, settings

EXPLORING = bool(os.environ.get("CDSBRIDGE_EXPLORE"))

settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=not EXPLORING
)
settings.load_profile("unhurried")
