"""The raw archive: every message as it came."""
