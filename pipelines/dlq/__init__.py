"""The dead-letter workbench: what lies there, why, what a replay would bring, and how to be rid of it."""
