"""JSON strings read many at once are the strings that were written, whatever they escape."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdsbridge.transforms.stripping import Misfit
from cdsbridge.transforms.texts import texts

STRINGS = (
    st.none() | st.text() | st.sampled_from(["a/b", "//", 'say "hi"', "C:\\temp", "\\/", "a\nb", "", "é/"])
)


def written(value: str | None, *, ascii_only: bool) -> bytes:
    """Return a string as DataContractJsonSerializer writes it, with every slash escaped."""
    return json.dumps(value, ensure_ascii=ascii_only).replace("/", "\\/").encode()


@given(st.lists(STRINGS, min_size=16, max_size=200), st.booleans())
def test_every_string_is_what_was_written(values: list[str | None], ascii_only: bool) -> None:
    values = [None if value is None else value.encode("utf-8", "ignore").decode() for value in values]
    sealed = pa.array([written(value, ascii_only=ascii_only) for value in values], pa.binary())
    assert texts(sealed).to_pylist() == values


@pytest.mark.parametrize("first", ["a/b", "C:\\temp"])
def test_strings_unlike_the_first_ones_are_read_too(first: str) -> None:
    values = [*[first] * 100, *["plain", 'say "hi"', "a/b", "C:\\temp", "\\/"] * 20]
    sealed = pa.array([written(value, ascii_only=False) for value in values], pa.binary())
    assert texts(sealed).to_pylist() == values


@pytest.mark.parametrize("odd", [b"1", b"true", b"{}", b"[]", b'{"a\\/":1}', b'"a" "\\/"'])
@pytest.mark.parametrize("before", ["plain", "a/b", "C:\\temp"])
def test_what_is_no_string_is_a_misfit(before: str, odd: bytes) -> None:
    sealed = [*[written(before, ascii_only=False)] * 100, odd]
    with pytest.raises((Misfit, ValueError)):
        texts(pa.array(sealed, pa.binary()))
