"""Whole bridges: configuration, the graph, the commands."""
