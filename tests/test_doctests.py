"""Examples in docstrings hold."""

import doctest
import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import cdsbridge

ROOMS = ("emulator", "login", "model", "pipelines", "sinks", "sources", "tables", "transforms", "webapi")


def modules() -> Iterator[str]:
    for room in ROOMS:
        package = importlib.import_module(f"cdsbridge.{room}")
        yield package.__name__
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield module.name


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_every_room_is_looked_at() -> None:
    found = {module.name for module in pkgutil.iter_modules(cdsbridge.__path__) if module.ispkg}
    assert found - {"tests", "bench", "examples"} == set(ROOMS)
