"""What all connections of one broker share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from ..entities.entity import Source
from ..entities.namespace import Namespace
from .faults import Faults
from .turns import Turns

if TYPE_CHECKING:
    from .connection import Connection
    from .deliveries import EntityOutbound


@dataclass(slots=True, eq=False)
class Broker:
    """The state behind the listening socket.

    Attributes:
        namespace: The entities.
        turns: The end of each turn of the event loop.
        clock: The time in seconds since 1970.
        latency: Delay of everything said, in seconds.
        key: The shared access key that is demanded; ``None`` takes any.
        locks_follow_link: Whether a link that goes gives back what it had locked.
        container_id: The name the broker goes by.
        connections: Those that are open.
        receivers: The links that receive, by entity.
        faults: What shall go wrong.
        kill: Ends the process at once, as a kill does; ``None`` where it is not the broker's to end.
    """

    namespace: Namespace
    turns: Turns
    clock: Callable[[], float]
    latency: float = 0.0
    key: str | None = field(default=None, repr=False)
    locks_follow_link: bool = False
    container_id: str = field(default_factory=lambda: uuid4().hex)
    connections: "set[Connection]" = field(default_factory=set)
    receivers: "dict[Source, dict[EntityOutbound, None]]" = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    kill: Callable[[], None] | None = None
