"""Messages of sessions, put past the client."""

from cdsbridge.emulator.amqp.sections import DATA, section
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.server import RunningBroker


def put(trains: RunningBroker, queue: str, *labels: str) -> None:
    """Send messages past the client; the first letter names the session."""
    contents = [Content(body=section(DATA, label.encode()), session_id=label[0]) for label in labels]
    trains.call(lambda namespace: namespace.queue(queue).send(contents))
