"""Commands for a machine without Azure."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Conf, Encodings, Settings, Verbose, end

app = typer.Typer()


@app.command(
    epilog="Example: cdsbridge emulator --queue dataverse --store broker.db; "
    "cdsbridge emulator --queue orders --policy reader:listen:READER_KEY:orders"
)
def emulator(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 picks a free one.")] = 5672,
    queue: Annotated[list[str] | None, typer.Option(help="Queue to have; repeatable.")] = None,
    topic: Annotated[
        list[str] | None, typer.Option(help="Topic and subscription to have, as events:bridge; repeatable.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Entities to have, in the format of Microsoft's emulator: Config.json."),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="PEM file for TLS, which clients trust; made if it is not there.")
    ] = None,
    store: Annotated[Path | None, typer.Option(help="SQLite file to keep messages in.")] = None,
    lock_seconds: Annotated[float, typer.Option(help="Lock duration of queues and subscriptions.")] = 60.0,
    max_deliveries: Annotated[int, typer.Option(help="MaxDeliveryCount of queues and subscriptions.")] = 10,
    latency_ms: Annotated[float, typer.Option(help="Delay of every answer.")] = 0.0,
    faults: Annotated[bool, typer.Option("--faults", help="Take `cdsbridge fault …`.")] = False,
    key_variable: Annotated[
        str | None,
        typer.Option(help="Environment variable with the key clients must hold; else any key will do."),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="Access policy as name:rights:variable[:entity]; the variable has the key; repeatable."
        ),
    ] = None,
    idle_limits: Annotated[
        bool, typer.Option("--idle-limits", help="Detach links that are idle for ten minutes, as Azure does.")
    ] = False,
) -> None:
    """Run the embedded Service Bus by itself: for development and tests, never for production."""

    def work() -> int:
        from ..emulate import emulator_command  # noqa: PLC0415

        queues = queue or ([] if topic or config else ["dataverse"])
        return emulator_command(
            host,
            port,
            queues,
            topic or [],
            config,
            certificate,
            store,
            lock_seconds,
            max_deliveries,
            latency_ms,
            faults=faults,
            key_variable=key_variable,
            policies=policy or (),
            idle_limits=idle_limits,
        )

    end(work, verbose=False)


@app.command(epilog="Example: cdsbridge simulate conf/local.yaml --count 1000")
def simulate(
    conf: Conf,
    settings: Settings = None,
    count: Annotated[int, typer.Option(help="Messages to post.")] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same messages.")] = 1,
    rate: Annotated[float | None, typer.Option(help="Messages per second at most.")] = None,
    encoding: Encodings = None,
    verbose: Verbose = False,
) -> None:
    """Post a simulated Dataverse's messages to the first entity of a bridge."""

    def work() -> int:
        from ..simulate import simulate_command  # noqa: PLC0415

        return simulate_command(conf, settings or (), count, seed, rate, encoding or ("json",))

    end(work, verbose)


@app.command(epilog="Example: cdsbridge demo --count 8000 --folder /tmp/cdsbridge-demo")
def demo(
    count: Annotated[int, typer.Option(help="Messages of the business day.")] = 6000,
    folder: Annotated[Path, typer.Option(help="Where the tables go; emptied first.")] = Path("demo-output"),
    seed: Annotated[int, typer.Option(help="The same seed gives the same day.")] = 7,
    encoding: Encodings = None,
    verbose: Verbose = False,
) -> None:
    """Show the whole bridge on this machine: broker, Dataverse, a crash, and the proof."""

    def work() -> int:
        from ..demo import demo_command  # noqa: PLC0415

        return demo_command(count, folder, seed, encoding or ())

    end(work, verbose)
