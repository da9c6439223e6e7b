"""AMQP 1.0 on the wire: types, performatives, message sections, frames."""
