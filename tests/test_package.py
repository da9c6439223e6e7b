"""The repository is the package: what is in the tree is in the wheel, and nothing else."""

import tomllib
from pathlib import Path

import cdsbridge

ROOT = Path(cdsbridge.__file__).parent
NOT_ROOMS = {"tests", "typings", "docs", "examples", "bench", "conf", "build"}


def test_every_package_in_the_tree_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = [init.parent.relative_to(ROOT).parts for init in ROOT.glob("**/__init__.py")]
    found = [
        ".".join(["cdsbridge", *parts])
        for parts in folders
        if not parts or (parts[0] not in NOT_ROOMS and not parts[0].startswith("."))
    ]
    assert sorted(found) == sorted(project["tool"]["setuptools"]["packages"])


def test_no_stray_module_lies_at_the_root() -> None:
    assert [path.name for path in ROOT.glob("*.py")] == ["__init__.py"]


def test_static_tools_see_every_room() -> None:
    links = {link.name for link in (ROOT / "typings" / "cdsbridge").iterdir()}
    rooms = {init.parent.name for init in ROOT.glob("*/__init__.py")} - NOT_ROOMS
    assert links == rooms | {"__init__.py", "py.typed"}


def test_no_file_outgrows_its_room() -> None:
    rooms = [init.parent for init in ROOT.glob("*/__init__.py") if init.parent.name not in NOT_ROOMS]
    long = {
        str(path.relative_to(ROOT)): lines
        for room in rooms
        for path in room.glob("**/*.py")
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert not long
