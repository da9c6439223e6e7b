"""The commands that post: in which encodings, over a real queue."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.server import RunningBroker, run_in_thread
from cdsbridge.pipelines.cli import app
from cdsbridge.pipelines.demo import CONFIG, QUEUE
from cdsbridge.pipelines.load import load_config
from cdsbridge.sources.connect import open_client, open_receiver

FIRST = {"application/json": b"{", "application/xml": b"<", "application/msbin1": b"@"}


@pytest.fixture
def conf(tmp_path: Path) -> Iterator[Path]:
    namespace = Namespace()
    namespace.create_queue(QUEUE)
    with run_in_thread(namespace) as bus:
        yield _written(bus, tmp_path)


def _written(bus: RunningBroker, folder: Path) -> Path:
    (folder / "metadata.json").write_text("{}")
    path = folder / "bridge.yaml"
    path.write_text(CONFIG.format(connection=bus.connection_string, queue=QUEUE, folder=folder))
    return path


def _forms(conf: Path) -> set[str]:
    """Return the content types of the messages in the queue, each of which its body must keep."""
    config = load_config(conf, environment={})
    forms = set()
    with open_client(config.source) as client, open_receiver(client, QUEUE) as receiver:
        for message in receiver.peek_messages(100):
            body = b"".join(message.body)
            assert message.content_type
            assert body.startswith(FIRST[message.content_type])
            forms.add(message.content_type)
    return forms


@pytest.mark.parametrize(
    ("named", "forms"),
    [
        ([], {"application/json"}),
        (["binary"], {"application/msbin1"}),
        (["json", "xml", "binary"], set(FIRST)),
    ],
)
def test_simulate_posts_in_the_encodings_it_is_told(conf: Path, named: list[str], forms: set[str]) -> None:
    options = [part for name in named for part in ("--encoding", name)]
    ended = CliRunner().invoke(app, ["simulate", str(conf), "--count", "40", *options])
    assert ended.exit_code == 0, ended.output
    assert _forms(conf) == forms


@pytest.mark.parametrize("command", ["simulate", "demo"])
def test_an_unknown_encoding_is_a_fault_of_the_call(command: str, tmp_path: Path) -> None:
    arguments = (
        [str(tmp_path / "none.yaml")] if command == "simulate" else ["--folder", str(tmp_path / "demo")]
    )
    ended = CliRunner().invoke(app, [command, *arguments, "--encoding", "morse"])
    assert ended.exit_code == 78
    assert "no encoding is called morse; there are json, xml, binary" in ended.output
    assert not (tmp_path / "demo").exists()
