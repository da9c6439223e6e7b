"""How a flattened batch crosses a process boundary."""

import pickle

from apache_beam.coders import Coder
from apache_beam.coders.typecoders import registry

from ..model.batch import FlattenedBatch


class FlattenedBatchCoder(Coder):
    """Pickles flattened batches.

    Beam samples the size of elements; a coder that does not tell it is asked to
    encode them, which for batches of a thousand messages costs as much as
    flattening them.
    """

    def encode(self, value: FlattenedBatch) -> bytes:
        """Return the flattened batch as bytes."""
        return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)

    def decode(self, encoded: bytes) -> FlattenedBatch:
        """Return the flattened batch of such bytes."""
        batch: FlattenedBatch = pickle.loads(encoded)  # noqa: S301 - our own worker wrote it
        return batch

    def estimate_size(self, value: FlattenedBatch) -> int:
        """Return about the bytes of bodies and columns, without encoding anything."""
        return 2 * value.batch.size

    def is_deterministic(self) -> bool:
        """Return that this is no key."""
        return False


registry.register_coder(FlattenedBatch, FlattenedBatchCoder)
