"""A process that is killed while it works loses nothing it committed and brings nothing back.

Run as a program, this file is the process that is killed: it takes steps made
of a seed, commits each, and only then says so.
"""

import random
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from cdsbridge.emulator.entities.clock import ManualClock
from cdsbridge.emulator.entities.message import Content
from cdsbridge.emulator.entities.namespace import Namespace
from cdsbridge.emulator.entities.settings import QueueSettings


def take_step(namespace: Namespace, chance: random.Random) -> None:
    queue = namespace.queue("q")
    assert isinstance(queue._clock, ManualClock)
    queue._clock.advance(1.0)
    queue.send(
        [
            Content(body=chance.randbytes(chance.randrange(6000)), message_id=str(chance.randrange(60)))
            for _ in range(chance.randrange(1, 30))
        ]
    )
    deliveries = queue.receive(chance.randrange(30), lock=True)
    tokens: list[UUID] = [each.token for each in deliveries if each.token is not None]
    chance.shuffle(tokens)
    del tokens[chance.randrange(30) :]
    cuts = sorted(chance.choices(range(len(tokens) + 1), k=3))
    queue.complete(tokens[: cuts[0]])
    queue.abandon(tokens[cuts[0] : cuts[1]], lambda application: application + b"!")
    queue.defer(tokens[cuts[1] : cuts[2]])
    queue.dead_letter(tokens[cuts[2] :], "step", "")
    dead = namespace.queue("q/$DeadLetterQueue")
    dead.receive(chance.randrange(3), lock=False)
    namespace.commit()


def begin(path: Path | None) -> Namespace:
    namespace = Namespace(ManualClock(1.0), path)
    namespace.create_queue("q", QueueSettings(lock_duration=1e6, duplicate_window=3.0))
    return namespace


def standing(namespace: Namespace) -> list[object]:
    """All that must outlive a kill: not the locks."""
    queues = namespace.queue("q"), namespace.queue("q/$DeadLetterQueue")
    messages = [message for queue in queues for message in queue.peek(0, 10**6)]
    return [
        queues[0]._next_number,
        queues[1].size,
        dict(queues[0]._duplicates._seen),
        [
            (each.sequence_number, each.content, each.state, each.delivery_count, each.dead_letter)
            for each in messages
        ],
    ]


def work(path: Path, seed: int) -> None:
    namespace, chance = begin(path), random.Random(seed)
    while True:
        take_step(namespace, chance)
        sys.stdout.write(".")
        sys.stdout.flush()


@pytest.mark.parametrize(("seed", "steps"), [(1, 1), (2, 7), (3, 30), (4, 90)])
def test_a_killed_process_leaves_its_last_commit_or_the_one_under_way(
    tmp_path: Path, seed: int, steps: int
) -> None:
    path = tmp_path / "bus.db"
    command = [sys.executable, __file__, str(path), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        said = child.stdout.read(steps)
        child.kill()
        said += child.stdout.read()
    assert len(said) >= steps
    oracle, chance = begin(None), random.Random(seed)
    for _ in said:
        take_step(oracle, chance)
    last = standing(oracle)
    take_step(oracle, chance)
    left = begin(path)
    assert standing(left) in (last, standing(oracle))
    assert left.queue("q").depth()["locked"] == 0
    left.close()


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]))
