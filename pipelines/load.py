"""From a YAML file to a configuration, or to every fault in it at once."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args

import yaml
from pydantic import BaseModel, ValidationError

from ..model.errors import ConfigError
from .config import BridgeConfig

_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_SECRET: Final = re.compile(r"SharedAccessKey=|SharedAccessSignature[= ]|://[^/@\s:]*:[^/@\s]+@")
_SECRET_KEYS: Final = frozenset({"client_secret", "password", "access_key", "sas_token"})
_SECRET_OPTION: Final = re.compile(r"(?:key|secret|token|password|signature|sas)$", re.IGNORECASE)
_EMULATOR: Final = "usedevelopmentemulator=true"

_IN_THE_FILE: Final = "a secret in the file; write ${NAME} and set the environment variable NAME"

Place = tuple[str | int, ...]


def load_config(
    path: Path, settings: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> BridgeConfig:
    """Read a bridge's configuration.

    ``${NAME}`` and ``${NAME:-default}`` in text stand for environment
    variables.  Secrets may come only so; the fixed key of the embedded Service
    Bus is none.  Relative paths in the file are taken from the current folder.

    Args:
        path: The YAML file.
        settings: ``a.b=c`` each, laid over the file; the value is YAML.
        environment: Instead of the process's environment.

    Raises:
        ConfigError: The file cannot be read, or is wrong; its message lists
            every fault, a line each, with file and line number.
    """
    environment = os.environ if environment is None else environment
    tree, lines = _read(path)
    faults: list[tuple[Place, str]] = []
    for setting in settings:
        _apply(tree, setting)
    tree = _interpolate(tree, (), environment, faults)
    try:
        config = BridgeConfig.model_validate(tree)
    except ValidationError as error:
        faults += [_explain(fault["loc"], fault) for fault in error.errors(include_input=False)]
    if faults:
        raise ConfigError("\n".join(_told(path, lines, place, text) for place, text in faults))
    return config


def _read(path: Path) -> tuple[dict[str, Any], dict[Place, int]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: not YAML: {getattr(error, 'problem', error)}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: a configuration is a mapping with source and sinks")
    return tree, dict(_lines(node, ()))


def _lines(node: Any, place: Place) -> Iterator[tuple[Place, int]]:
    """Yield the line of every key and item."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*place, key.value), key.start_mark.line + 1
            yield from _lines(value, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*place, index), value.start_mark.line + 1
            yield from _lines(value, (*place, index))


def _apply(tree: dict[str, Any], setting: str) -> None:
    """Lay ``a.b.0=value`` over the tree."""
    name, equals, text = setting.partition("=")
    if not equals or not name:
        raise ConfigError(f"--set {setting}: write it as a.b=value")
    at: Any = tree
    *parents, last = name.split(".")
    try:
        for key in parents:
            at = at[int(key)] if isinstance(at, list) else at.setdefault(key, {})
        at[int(last) if isinstance(at, list) else last] = yaml.safe_load(text)
    except (TypeError, ValueError, IndexError, AttributeError, yaml.YAMLError):
        raise ConfigError(f"--set {name}: there is no such place in the configuration") from None


def _interpolate(
    value: Any, place: Place, environment: Mapping[str, str], faults: list[tuple[Place, str]]
) -> Any:
    if isinstance(value, dict):
        return {key: _interpolate(item, (*place, key), environment, faults) for key, item in value.items()}
    if isinstance(value, list):
        return [_interpolate(item, (*place, at), environment, faults) for at, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    if _is_secret(value, place):
        faults.append((place, _IN_THE_FILE))

    def resolve(match: re.Match[str]) -> str:
        name, default = match.groups()
        if name not in environment and default is None:
            faults.append((place, f"the environment variable {name} is not set"))
        return environment.get(name, default or "")

    return _REFERENCE.sub(resolve, value)


def _is_secret(value: str, place: Place) -> bool:
    """Tell whether a text of the file holds a secret itself, and not a reference to one."""
    last = str(place[-1]) if place else ""
    if last in _SECRET_KEYS or (place[-2:-1] == ("options",) and _SECRET_OPTION.search(last)):
        match = _REFERENCE.fullmatch(value)
        return match is None or match[2] is not None
    return bool(_SECRET.search(_REFERENCE.sub("", value))) and _EMULATOR not in value.lower()


def _explain(place: Place, fault: Mapping[str, Any]) -> tuple[Place, str]:
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(place[-1]), _keys_at(BridgeConfig, place[:-1]), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return place, f"unknown key{hint}"
    message = str(fault["msg"]).removeprefix("Value error, ")
    return place, message[:1].lower() + message[1:]


def _keys_at(model: Any, place: Place) -> list[str]:
    """Return the keys a place may have; a place names the ``kind`` of a union where it passes one."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        if not place:
            return list(model.model_fields)
        kind = model.model_fields.get("kind")
        if kind is not None and kind.default == place[0]:
            return _keys_at(model, place[1:])
        found = model.model_fields.get(str(place[0]))
        return _keys_at(found.annotation, place[1:]) if found else []
    steps = place[1:] if place and isinstance(place[0], int) else place
    return [key for part in get_args(model) for key in _keys_at(part, steps)]


def _told(path: Path, lines: Mapping[Place, int], place: Place, text: str) -> str:
    known: Place = ()
    for part in place:
        known = (*known, part) if (*known, part) in lines else known
    line = f":{lines[known]}" if known else ""
    named = tuple(part for part in place if part in known or part == place[-1])
    return f"{path}{line}: {'.'.join(map(str, named)) or 'the file'}: {text}"
