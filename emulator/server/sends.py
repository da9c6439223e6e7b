"""Links on which clients send messages to an entity."""

from typing import TYPE_CHECKING

from ..amqp.errors import DecodeError
from ..amqp.performatives import Attach
from ..amqp.sections import BATCH_FORMAT
from ..entities.entity import Target
from ..entities.errors import EntityError
from .conditions import DECODE_ERROR
from .content import read_batch, read_content
from .faults import Kind, Point
from .links import InboundLink

if TYPE_CHECKING:
    from .session import Session

_WINDOW = 1000


class EntityInbound(InboundLink):
    """Takes messages, single or in batches, into an entity."""

    def __init__(self, session: "Session", attach: Attach, target: Target, limit: int) -> None:
        super().__init__(session, attach, window=_WINDOW, limit=limit)
        self._entity = target

    @property
    def path(self) -> str:
        """The path of the entity."""
        return self._entity.name

    def receive(self, delivery_id: int, message_format: int, payload: bytes, *, settled: bool) -> None:
        """Enqueue a message, or every message of a batch."""
        blow = self.session.connection.strike(Point.SEND, self._entity.name, self)
        if blow.is_final:
            return
        refusal = blow.refusal or self._enqueue(message_format, payload, twice=blow.kind is Kind.DUPLICATE)
        if refusal is None and self.session.connection.strike(Point.SENT, self._entity.name, self).is_final:
            return
        if settled:
            return
        if refusal is None:
            self.accept(delivery_id)
        else:
            self.reject(delivery_id, refusal.condition, str(refusal))

    def _enqueue(self, message_format: int, payload: bytes, *, twice: bool) -> EntityError | None:
        """Hand messages to the entity; why it does not take them, if it does not."""
        try:
            contents = read_batch(payload) if message_format == BATCH_FORMAT else [read_content(payload)]
            self._entity.send(contents * 2 if twice else contents)
        except EntityError as error:
            return error
        except DecodeError as error:
            return EntityError(DECODE_ERROR, str(error))
        return None
