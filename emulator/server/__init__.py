"""The embedded broker: AMQP 1.0 over loopback TCP with the Service Bus dialect."""
