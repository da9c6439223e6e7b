"""The command ``emulator``."""

import os
from collections.abc import Sequence
from pathlib import Path

import typer

from ..emulator.entities.config_file import read_config
from ..emulator.entities.namespace import Namespace
from ..emulator.entities.settings import QueueSettings
from ..emulator.server import serve
from ..emulator.server.access import ROOT_POLICY, Policy, Right
from ..emulator.server.listener import is_loopback
from ..model.errors import ConfigError
from .exit import Exit


def emulator_command(
    host: str,
    port: int,
    queues: Sequence[str],
    subscriptions: Sequence[str],
    config: Path | None,
    certificate: Path | None,
    store: Path | None,
    lock_seconds: float,
    max_deliveries: int,
    latency_ms: float,
    *,
    faults: bool = False,
    key_variable: str | None = None,
    policies: Sequence[str] = (),
    idle_limits: bool = False,
) -> int:
    """Serve the embedded Service Bus until a signal; return the exit code."""
    parted, there = [_part(each) for each in subscriptions], list[str]()
    declared = None if config is None else read_config(config)
    key = None if key_variable is None else _key_in(key_variable)
    held = [_policy(each) for each in policies]

    def create(namespace: Namespace) -> None:
        if declared is not None:
            declared.create(namespace)
        settings = QueueSettings(lock_duration=lock_seconds, max_delivery_count=max_deliveries)
        for name in queues:
            namespace.create_queue(name, settings)
        for topic in dict.fromkeys(topic for topic, _ in parted):
            namespace.create_topic(topic)
        for topic, name in parted:
            namespace.create_subscription(topic, name, settings)
        there.extend(namespace.names())
        there.extend(
            f"{each}:{name}" for each in namespace.topics() for name in namespace.subscriptions(each)
        )

    def ready(connection_string: str) -> None:
        typer.echo(
            f"embedded Service Bus for development and tests; it has: {', '.join(there) or 'nothing yet'}"
        )
        shown = [] if key_variable is None else [(ROOT_POLICY, key_variable)]
        shown += [(policy.name, variable) for policy, variable in held]
        endpoint = connection_string.partition(";")[0]
        for name, variable in shown:
            typer.echo(
                f"{endpoint};SharedAccessKeyName={name};SharedAccessKey=${{{variable}}};UseDevelopmentEmulator=true"
            )
        if not shown:
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
        certificate=certificate,
        latency=latency_ms / 1000,
        key=key,
        policies=[policy for policy, _ in held],
        idle_limits=idle_limits,
        faults=faults,
        on_ready=ready,
    )
    return Exit.OK


def _key_in(variable: str) -> str:
    key = os.environ.get(variable, "")
    if not key:
        raise ConfigError(f"The environment variable {variable} has no key: set it, or name another.")
    return key


def _policy(written: str) -> tuple[Policy, str]:
    """Return a policy with its key, and the variable that has it."""
    name, *rest = written.split(":")
    if not name or len(rest) not in {2, 3} or not all(rest):
        raise typer.BadParameter(
            f"{written!r} is no policy: write --policy reader:listen:READER_KEY, or with :orders behind it"
        )
    known = {right.value.lower(): right for right in Right}
    unknown = [right for right in rest[0].lower().split("+") if right not in known]
    if unknown:
        raise typer.BadParameter(
            f"{unknown[0]!r} is no right: there are listen, send and manage, joined by +"
        )
    rights = frozenset(known[right] for right in rest[0].lower().split("+"))
    return Policy(name, _key_in(rest[1]), rights, rest[2] if len(rest) > 2 else ""), rest[1]


def _part(written: str) -> tuple[str, str]:
    topic, _, subscription = written.rpartition(":")
    if not topic or not subscription:
        raise typer.BadParameter(
            f"{written!r} is not a topic and a subscription: write --topic events:bridge"
        )
    return topic, subscription
