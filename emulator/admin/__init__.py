"""The HTTP management API: entities as ATOM entries, as administration clients speak it."""
