"""Sinks are imported when they are first named."""

import subprocess
import sys

import pytest

from cdsbridge import sinks


@pytest.mark.parametrize("name", sinks.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(sinks, name) is not None


def test_another_name_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'OtherSink'"):
        _ = sinks.OtherSink


def test_parquet_brings_no_database_and_no_lake() -> None:
    program = (
        "import sys; from cdsbridge.sinks import ParquetSink; from cdsbridge.sinks import commit; "
        "print(*sorted({'sqlalchemy', 'deltalake', 'alembic'} & sys.modules.keys()))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []
