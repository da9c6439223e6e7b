"""How dispositions cross a process boundary."""

import pickle

from apache_beam.coders import Coder
from apache_beam.coders.typecoders import registry

from ..model.verdict import DispositionBatch


class DispositionBatchCoder(Coder):
    """Pickles batches of dispositions.

    Beam samples the size of elements; a coder that does not tell it is asked to
    encode them, which for elements of a thousand messages costs as much as
    flattening them.
    """

    def encode(self, value: DispositionBatch) -> bytes:
        """Return the dispositions as bytes."""
        return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)

    def decode(self, encoded: bytes) -> DispositionBatch:
        """Return the dispositions of such bytes."""
        batch: DispositionBatch = pickle.loads(encoded)  # noqa: S301 - our own worker wrote it
        return batch

    def estimate_size(self, value: DispositionBatch) -> int:
        """Return about the bytes they take, without encoding anything."""
        return 100 * len(value.dispositions)

    def is_deterministic(self) -> bool:
        """Return that this is no key."""
        return False


registry.register_coder(DispositionBatch, DispositionBatchCoder)
