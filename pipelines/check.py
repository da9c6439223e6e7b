"""The command ``check``."""

import json
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import typer
from azure.servicebus import ServiceBusClient
from azure.servicebus.exceptions import OperationTimeoutError

from ..sources.connect import explain, namespace_of, open_client, open_receiver, open_session
from ..webapi.client import WebClient
from .config import BridgeConfig
from .exit import Exit
from .load import load_config


def check_command(conf: Path, settings: Sequence[str], offline: bool) -> int:
    """Load a configuration and, unless offline, open source and sinks; return the exit code.

    Raises:
        BridgeError: The first thing that cannot be opened.
    """
    config = load_config(conf, settings)
    typer.echo(f"{conf}: the configuration is right")
    if offline:
        return Exit.OK
    for entity in config.source.entities:
        _try_entity(config, entity)
        typer.echo(f"{namespace_of(config.source)}: {entity} can be received from")
    for sink in config.sinks:
        writer = sink.open()
        try:
            writer.describe("_ledger")
        finally:
            writer.close()
        typer.echo(f"{sink.name}: can be opened")
    if config.dataverse is not None:
        with closing(WebClient(config.dataverse)) as client:
            client.get("WhoAmI")
        typer.echo(f"{config.dataverse.url}: the Web API answers")
    return Exit.OK


def _try_entity(config: BridgeConfig, entity: str) -> None:
    try:
        with open_client(config.source) as client:
            if config.source.sessions_of(entity):
                _find_session(config, client, entity)
                return
            with open_receiver(client, entity, config.source) as receiver:
                receiver.peek_messages(1)
    except Exception as error:
        raise explain(error, config.source, entity) from error


def _find_session(config: BridgeConfig, client: ServiceBusClient, entity: str) -> None:
    """Ask for a session; that none is free is an answer too."""
    with suppress(OperationTimeoutError), open_session(client, entity, config.source, 1.0):
        pass


def print_schema() -> int:
    """Print the JSON Schema of configurations; return the exit code."""
    typer.echo(json.dumps(json_schema(), indent=2))
    return Exit.OK


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of configurations, as ``conf/bridge.schema.json`` holds it."""
    schema = BridgeConfig.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
