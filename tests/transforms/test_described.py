"""The page of columns is what the code does."""

from pathlib import Path

import cdsbridge
from cdsbridge.tables.types import Kind
from cdsbridge.transforms.described import _SAMPLES, columns_page

PAGE = Path(cdsbridge.__file__).parent / "docs" / "columns.md"


def test_the_page_is_as_the_code_makes_it() -> None:
    assert PAGE.read_text(encoding="utf-8") == columns_page(), "run `make docs`"


def test_every_kind_is_on_the_page() -> None:
    assert _SAMPLES.keys() == set(Kind)
    assert "| none |" in columns_page()
    assert "`x` decimal128(38, 4)" in columns_page()
    assert "`x` int64, `xname` string" in columns_page()
    assert "`x` string, `x_entitytype` string, `xname` string" in columns_page()
