"""The command ``emulator``."""

from collections.abc import Sequence
from pathlib import Path

import typer

from ..emulator.entities.namespace import Namespace
from ..emulator.entities.settings import QueueSettings
from ..emulator.server import serve
from ..emulator.server.listener import is_loopback
from .exit import Exit


def emulator_command(
    host: str,
    port: int,
    queues: Sequence[str],
    subscriptions: Sequence[str],
    store: Path | None,
    lock_seconds: float,
    max_deliveries: int,
    latency_ms: float,
    *,
    faults: bool = False,
) -> int:
    """Serve the embedded Service Bus until a signal; return the exit code."""
    parted = [_part(each) for each in subscriptions]

    def create(namespace: Namespace) -> None:
        settings = QueueSettings(lock_duration=lock_seconds, max_delivery_count=max_deliveries)
        for name in queues:
            namespace.create_queue(name, settings)
        for topic in dict.fromkeys(topic for topic, _ in parted):
            namespace.create_topic(topic)
        for topic, name in parted:
            namespace.create_subscription(topic, name, settings)

    def ready(connection_string: str) -> None:
        typer.echo("embedded Service Bus for development and tests")
        typer.echo(
            f"queues: {', '.join(queues) or 'none'}; subscriptions: {', '.join(subscriptions) or 'none'}"
        )
        typer.echo(connection_string)
        typer.echo(
            "try: SERVICEBUS_CONNECTION_STRING='...' cdsbridge simulate conf/local.yaml; Ctrl-C ends it"
        )

    if faults and not is_loopback(host):
        raise typer.BadParameter(f"faults are taken on this machine only; listen on 127.0.0.1, not on {host}")
    serve(
        create,
        host=host,
        port=port,
        path=store,
        latency=latency_ms / 1000,
        faults=faults,
        on_ready=ready,
    )
    return Exit.OK


def _part(written: str) -> tuple[str, str]:
    topic, _, subscription = written.rpartition(":")
    if not topic or not subscription:
        raise typer.BadParameter(
            f"{written!r} is not a topic and a subscription: write --topic events:bridge"
        )
    return topic, subscription
