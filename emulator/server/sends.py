"""Links on which clients send messages to an entity."""

from typing import TYPE_CHECKING

from ..amqp.errors import DecodeError
from ..amqp.performatives import Attach
from ..amqp.sections import BATCH_FORMAT
from ..entities.entity import Target
from ..entities.errors import EntityError
from .conditions import DECODE_ERROR
from .content import read_batch, read_content
from .links import InboundLink

if TYPE_CHECKING:
    from .session import Session

_WINDOW = 1000


class EntityInbound(InboundLink):
    """Takes messages, single or in batches, into an entity."""

    def __init__(self, session: "Session", attach: Attach, target: Target, limit: int) -> None:
        super().__init__(session, attach, window=_WINDOW, limit=limit)
        self._entity = target

    def receive(self, delivery_id: int, message_format: int, payload: bytes, *, settled: bool) -> None:
        """Enqueue a message, or every message of a batch."""
        try:
            contents = read_batch(payload) if message_format == BATCH_FORMAT else [read_content(payload)]
            self._entity.send(contents)
        except (DecodeError, EntityError) as error:
            if not settled:
                condition = error.condition if isinstance(error, EntityError) else DECODE_ERROR
                self.reject(delivery_id, condition, str(error))
            return
        if not settled:
            self.accept(delivery_id)
