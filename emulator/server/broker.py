"""What all connections of one broker share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias
from uuid import uuid4

from ..admin.http import HttpRequest, HttpResponse
from ..entities.entity import Source
from ..entities.namespace import Namespace
from .access import Access
from .faults import Faults
from .turns import Turns

if TYPE_CHECKING:
    from .deliveries import EntityOutbound

Route: TypeAlias = Callable[[HttpRequest], HttpResponse | None]
"""Answers a request; ``None``: it is not for this route."""


class Client(Protocol):
    """A connection, whatever it speaks."""

    def close(self, condition: str, description: str) -> None:
        """End the connection, telling the client why if it can be told."""

    def abort(self) -> None:
        """Drop the connection without a word."""


@dataclass(slots=True, eq=False)
class Broker:
    """The state behind the listening socket.

    Attributes:
        namespace: The entities.
        turns: The end of each turn of the event loop.
        clock: The time in seconds since 1970.
        latency: Delay of everything said, in seconds.
        access: Who may do what.
        locks_follow_link: Whether a link that goes gives back what it had locked.
        container_id: The name the broker goes by.
        routes: What answers HTTP requests: the first that returns a response.
        connections: Those that are open, whatever they speak.
        receivers: The links that receive, by entity.
        faults: What shall go wrong.
        kill: Ends the process at once, as a kill does; ``None`` where it is not the broker's to end.
    """

    namespace: Namespace
    turns: Turns
    clock: Callable[[], float]
    access: Access
    latency: float = 0.0
    locks_follow_link: bool = False
    container_id: str = field(default_factory=lambda: uuid4().hex)
    routes: list[Route] = field(default_factory=list)
    connections: "set[Client]" = field(default_factory=set)
    receivers: "dict[Source, dict[EntityOutbound, None]]" = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    kill: Callable[[], None] | None = None

    def answer_http(self, request: HttpRequest) -> HttpResponse:
        """Do what an HTTP request asks, by the first route that is for it."""
        for route in self.routes:
            response = route(request)
            if response is not None:
                self.turns.expire()
                return response
        return HttpResponse(404, b"There is nothing at this address.")
