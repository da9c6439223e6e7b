"""The embedded broker: AMQP 1.0 over loopback TCP with the Service Bus dialect."""

from .access import Policy, Right
from .bearer import Issuer
from .faults import Fault, Kind, Point
from .foreground import serve
from .listener import EmbeddedServiceBus
from .threads import RunningBroker, run_in_thread

__all__ = [
    "EmbeddedServiceBus",
    "Fault",
    "Issuer",
    "Kind",
    "Point",
    "Policy",
    "Right",
    "RunningBroker",
    "run_in_thread",
    "serve",
]
