"""Taking JSON text apart without parsing it: strip what surrounds values, and count what was stripped."""

import pyarrow as pa
import pyarrow.compute as pc


class Misfit(Exception):
    """Not all values are of the form, or their column cannot hold one exactly."""


def joined(values: pa.Array) -> bytes:
    """Return all values of a binary array with commas between."""
    everything = pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)
    text: bytes = pc.binary_join(everything, b",")[0].as_py()
    return text


def split(text: bytes, count: int) -> pa.Array:
    """Return what stands between commas, as text; ``null`` as null.

    Raises:
        Misfit: There is not that number of values.
    """
    texts = pc.split_pattern(pa.array([text.decode()], pa.string()), ",").flatten()
    if len(texts) != count:
        raise Misfit
    return without_nulls(texts)


def without_nulls(texts: pa.Array) -> pa.Array:
    """Return texts with null in place of ``null``."""
    return pc.if_else(pc.equal(texts, "null"), None, texts)


def stripped(before: bytes, after: bytes, size: int) -> int:
    """Return how often something of that size was taken away."""
    return (len(before) - len(after)) // size
