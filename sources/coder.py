"""How a micro-batch crosses a process boundary."""

import pickle

from apache_beam.coders import Coder
from apache_beam.coders.typecoders import registry

from ..model.envelope import MicroBatch


class MicroBatchCoder(Coder):
    """Pickles micro-batches.

    Beam samples the size of elements; a coder that does not tell it is asked to
    encode them, which for elements of a thousand messages costs as much as
    flattening them.
    """

    def encode(self, value: MicroBatch) -> bytes:
        """Return the micro-batch as bytes."""
        return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)

    def decode(self, encoded: bytes) -> MicroBatch:
        """Return the micro-batch of such bytes."""
        batch: MicroBatch = pickle.loads(encoded)  # noqa: S301 - our own worker wrote it
        return batch

    def estimate_size(self, value: MicroBatch) -> int:
        """Return the bytes of all bodies, without encoding anything."""
        return value.size

    def is_deterministic(self) -> bool:
        """Return that this is no key."""
        return False


registry.register_coder(MicroBatch, MicroBatchCoder)
