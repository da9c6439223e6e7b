"""From message bytes to typed rows: decode, flatten; a verdict for every message."""
