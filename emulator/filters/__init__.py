"""Rules of subscriptions: filters, and actions on what they let pass."""
