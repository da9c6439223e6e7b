"""The command ``schema pull``: write a metadata file from Dataverse's own definitions."""

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import typer
from pydantic import ValidationError

from ..model.errors import ConfigError
from ..tables.description import Description
from ..webapi.client import WebClient
from ..webapi.config import DataverseApi
from ..webapi.definitions import describe, table_names
from .config import BridgeConfig
from .exit import Exit
from .live import live_line
from .load import load_config

_OF_ONE_ORGANIZATION: Final = {"url", "hosts", "organization"}


def schema_pull_command(
    conf: Path | None,
    settings: Sequence[str],
    url: str | None,
    out: Path | None,
    tables: Sequence[str],
    quiet: bool,
) -> int:
    """Ask for definitions and write them to a file; return the exit code.

    Args:
        conf: A bridge's configuration; gives what the other arguments do not.
        settings: Laid over it.
        url: Of the organization, instead of the configuration's.
        out: File to write, instead of the configuration's ``metadata``.
        tables: Logical names; else those the configuration includes; else all.
        quiet: Show no progress.

    Raises:
        ConfigError: Neither says where to ask or where to write, or there is no such table.
        NotPermitted: Dataverse refuses us.
        ServiceUnreachable: It is away.
    """
    config = None if conf is None else load_config(conf, settings)
    api = _api(config, url)
    path = out or (config.metadata if config else None)
    if path is None:
        raise ConfigError("say where to write: --out metadata.json, or metadata in the configuration")
    with closing(WebClient(api)) as client, live_line(quiet) as tell:
        description = pull(client, _wanted(config, tables), tell)
    write_whole(path, as_text(description))
    typer.echo(
        f"{path}: {len(description.tables):,} tables, "
        f"{sum(len(table.columns) for table in description.tables.values()):,} columns, "
        f"{len(description.relationships):,} many-to-many relationships of {api.url}"
    )
    return Exit.OK


def pull(
    client: WebClient, tables: Sequence[str], tell: Callable[[str], None] = lambda _: None
) -> Description:
    """Return the definitions of some tables, or of all; raises as the command does."""
    names = list(tables) or table_names(client)
    done = 0

    def on_table(table: str) -> None:
        nonlocal done
        done += 1
        tell(f"{done:,} of {len(names):,} tables: {table}")

    return describe(client, names, on_table)


def as_text(description: Description) -> str:
    """Return a description as JSON, sorted, so that two of them can be compared line by line."""
    tree = description.model_dump(mode="json", exclude_defaults=True)
    whole = {"version": description.version, "tables": {}, "relationships": {}, **tree}
    return json.dumps(whole, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, and nothing between.

    Raises:
        ConfigError: It cannot be written.
    """
    staged: str | None = None
    try:
        handle, staged = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(staged).chmod(0o644)
        Path(staged).replace(path)
        staged = None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        if staged is not None:
            Path(staged).unlink(missing_ok=True)


def _api(config: BridgeConfig | None, url: str | None) -> DataverseApi:
    held = config.dataverse if config else None
    if url is None:
        if held is None:
            raise ConfigError("say which Dataverse to ask: --url, or dataverse.url in the configuration")
        return held
    try:
        if held is None:
            return DataverseApi(url=url)
        how = {name: getattr(held, name) for name in set(DataverseApi.model_fields) - _OF_ONE_ORGANIZATION}
        return DataverseApi(url=url, **how)
    except ValidationError as error:
        raise ConfigError(f"--url {url}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None


def _wanted(config: BridgeConfig | None, tables: Sequence[str]) -> Sequence[str]:
    return tables or (config.flatten.tables.include if config else ())
