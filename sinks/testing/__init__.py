"""The contract of sinks, for people who write their own.

Needs pytest.  A test module that holds a sink to it::

    from cdsbridge.sinks.testing import Place, SinkContract, StateContract

    @pytest.fixture
    def place(tmp_path): return MyPlace(tmp_path)

    class TestMySink(SinkContract): ...
    class TestMyStates(StateContract): ...
"""

from .history import SinkContract
from .places import Place, canonical
from .state import StateContract

__all__ = ["Place", "SinkContract", "StateContract", "canonical"]
