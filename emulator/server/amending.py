"""What a receiver changes of a message when it settles it."""

from ..amqp.errors import DecodeError
from ..amqp.sections import APPLICATION_PROPERTIES, section, section_value
from ..amqp.types import Value
from ..entities.message import Amend


def amender(properties: Value) -> Amend | None:
    """Return what sets application properties of a message; ``None`` if there are none to set.

    A section that cannot be read stays as it is.

    Args:
        properties: A map from names to values; anything else sets nothing.
    """
    if not isinstance(properties, dict) or not properties:
        return None
    given: dict[Value, Value] = {str(name): value for name, value in properties.items()}

    def amend(application: bytes) -> bytes:
        try:
            present = section_value(application)
        except DecodeError:
            return application
        return section(APPLICATION_PROPERTIES, {**(present if isinstance(present, dict) else {}), **given})

    return amend
