"""What a Service Bus entity does: queues, locks, delivery counts, dead letters, and their store."""
