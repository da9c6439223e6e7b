"""What goes wrong with bytes, and with values that have no bytes."""


class DecodeError(ValueError):
    """Bytes that are not AMQP 1.0, or not the AMQP that was expected there."""


class EncodeError(ValueError):
    """A value that AMQP 1.0 has no encoding for."""
