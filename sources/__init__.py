"""Where envelopes come from, and where they are settled: Azure Service Bus, and only it.

The two transforms are found here too; Beam is imported when one is first
asked for.
"""

from typing import TYPE_CHECKING, Any

from .config import ServiceBusSource
from .ending import Ending, When

if TYPE_CHECKING:
    from .read import BundleLimits, ReadFromServiceBus
    from .settle import SettleMessages

__all__ = ["BundleLimits", "Ending", "ReadFromServiceBus", "ServiceBusSource", "SettleMessages", "When"]


def __getattr__(name: str) -> Any:
    """Import the transforms, and Beam with them, when they are first used."""
    if name in {"BundleLimits", "ReadFromServiceBus"}:
        from . import read  # noqa: PLC0415 - Beam takes seconds to import

        return getattr(read, name)
    if name == "SettleMessages":
        from .settle import SettleMessages  # noqa: PLC0415

        return SettleMessages
    raise AttributeError(name)
