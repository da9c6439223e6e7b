"""What passes between the steps keeps its value and tells its size, and the collector is put back."""

import gc
import pickle

import pyarrow as pa
import pytest
from apache_beam.coders import Coder
from apache_beam.coders.typecoders import registry

from cdsbridge.model.batch import FlattenedBatch, TableBatch
from cdsbridge.model.envelope import Envelope, MicroBatch
from cdsbridge.model.verdict import Disposition, DispositionBatch, Outcome, Verdict
from cdsbridge.pipelines.collector import rare_collections
from cdsbridge.pipelines.graph import bridge
from cdsbridge.sinks import ParquetSink
from cdsbridge.sources import ServiceBusSource

assert callable(bridge), "laying the graph registers the coders"

ENVELOPES = tuple(Envelope(b"x" * 5000, "q", number, lock_token=bytes(16)) for number in range(3))
MICRO_BATCH = MicroBatch("q", ENVELOPES)
ROWS = TableBatch("account", pa.record_batch({"Id": ["a", "b"]}), pa.array([0, 2], pa.int32()))
VERDICTS = (Verdict(Outcome.COMMITTED, "e", 1), Verdict(Outcome.SKIPPED), Verdict(Outcome.COMMITTED, "f", 1))
FLATTENED = FlattenedBatch(MICRO_BATCH, (ROWS,), VERDICTS)
DISPOSED = DispositionBatch("q", tuple(Disposition(n, 1, bytes(16), VERDICTS[n]) for n in range(3)))


@pytest.mark.parametrize("value", [MICRO_BATCH, FLATTENED, DISPOSED], ids=lambda value: type(value).__name__)
def test_an_element_survives_a_process_boundary(value: object) -> None:
    coder: Coder = registry.get_coder(type(value))
    assert coder.decode(coder.encode(value)) == value


@pytest.mark.parametrize("value", [MICRO_BATCH, FLATTENED, DISPOSED], ids=lambda value: type(value).__name__)
def test_the_size_of_an_element_is_told_without_encoding_it(
    value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    coder: Coder = registry.get_coder(type(value))
    monkeypatch.setattr(type(coder), "encode", lambda *_: pytest.fail("encoded"))
    assert coder.get_impl().estimate_size(value) > 100


def test_configurations_travel_as_values() -> None:
    source = ServiceBusSource(namespace="contoso.servicebus.windows.net", entities=("q",))
    sink = ParquetSink(url="data")
    assert pickle.loads(pickle.dumps((source, sink))) == (source, sink)


def test_the_collector_is_put_back_as_it_was() -> None:
    before = gc.get_threshold()
    with rare_collections():
        assert gc.get_threshold() != before
    assert gc.get_threshold() == before
