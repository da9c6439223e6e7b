"""Taking JSON text apart without parsing it."""

import pyarrow as pa
import pyarrow.compute as pc


class Misfit(Exception):
    """Not all values are of the form, or their column cannot hold one exactly."""


def joined(values: pa.Array) -> bytes:
    """Return all values of a binary array with commas between."""
    everything = pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)
    text: bytes = pc.binary_join(everything, b",")[0].as_py()
    return text


def inside(values: pa.Array, beginning: bytes, end: bytes) -> pa.Array:
    """Return what stands between a beginning and an end in every value, as text; ``null`` as null.

    Raises:
        Misfit: A value neither begins and ends so nor is null.
        pa.ArrowInvalid: A value is not UTF-8.
    """
    missing = pc.equal(values, b"null")
    if not beginning and not end:
        return pc.if_else(missing, None, values).cast(pa.string())
    framed = pc.and_(pc.starts_with(values, beginning), pc.ends_with(values, end))
    framed = pc.and_(framed, pc.greater_equal(pc.binary_length(values), len(beginning + end)))
    if not pc.all(pc.or_(missing, framed)).as_py():
        raise Misfit
    inner = pc.binary_slice(pc.if_else(missing, beginning + end, values), len(beginning), -len(end))
    return pc.if_else(missing, None, inner).cast(pa.string())
