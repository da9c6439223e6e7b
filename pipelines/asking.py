"""Asking a person before something is done that cannot be taken back."""

import sys

import typer

from ..model.errors import ConfigError


def agreed(question: str, *, yes: bool, output: str) -> bool:
    """Ask, unless it was agreed to beforehand; tell whether to go on.

    Args:
        question: What would be done; answered by y or n.
        yes: Whether ``--yes`` was given.
        output: ``json`` is read by a script, which cannot be asked.

    Raises:
        ConfigError: Nobody is there to be asked.
    """
    if yes:
        return True
    if output == "json" or not sys.stdin.isatty():
        raise ConfigError(
            f"{question} Nothing was done: nobody can be asked here, so say --yes, or --dry-run"
        )
    return typer.confirm(question)
