"""What breaks in ``soak.py``."""

from collections.abc import Callable
from typing import Final

from crashing import QUEUE
from soaking import AWAY, Soak

from cdsbridge.emulator.server import Fault, Kind, Point


def _armed(*faults: Fault) -> Callable[[Soak], None]:
    def arm(soak: Soak) -> None:
        for fault in faults:
            soak.station.bus.arm(fault)

    return arm


def _refused(soak: Soak) -> None:
    _armed(Fault(Kind.REFUSE, Point.ATTACH, QUEUE, count=2))(soak)
    soak.station.bus.drop_connections()


FAULTS: Final[dict[str, Callable[[Soak], None]]] = {
    "drop": lambda soak: soak.station.bus.drop_connections(),
    "restart": lambda soak: soak.station.restart(AWAY),
    "detach": _armed(Fault(Kind.DETACH, Point.DELIVER, QUEUE)),
    "busy": _armed(*(Fault(Kind.REFUSE, point, QUEUE, count=5) for point in (Point.SETTLE, Point.REQUEST))),
    "lose-lock": _armed(*(Fault(Kind.LOSE_LOCK, point, QUEUE, 3) for point in (Point.DELIVER, Point.SETTLE))),
    "unheard": _armed(*(Fault(Kind.DROP, point, QUEUE) for point in (Point.SETTLED, Point.REQUEST))),
    "slow": _armed(
        *(Fault(Kind.DELAY, point, QUEUE, 20, seconds=0.5) for point in (Point.DELIVER, Point.SETTLE))
    ),
    "refused": _refused,
    "silence": _armed(Fault(Kind.SILENCE, Point.DELIVER, QUEUE)),
    "kill": Soak.kill_bridge,
}
"""What can break: every connection; the broker for some seconds; the link; settling, with server-busy; locks;
the connection between a settlement and its answer; answers, late; links that are opened; a connection that is
half open from then on; the bridge's process."""

LASTING: Final = tuple(name for name in FAULTS if name != "kill")
"""The faults that one process of the bridge must outlive, so that what it uses can be followed."""
