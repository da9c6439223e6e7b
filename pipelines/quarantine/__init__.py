"""The quarantine workbench: what was rejected, why, what a replay would bring, and replaying it."""
