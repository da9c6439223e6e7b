"""The compiled flattener; see ``engine/src/lib.rs``."""

from collections.abc import Callable, Sequence

__version__: str

_Buffers = tuple[bytes | None, bytes | None, bytes]
_Column = tuple[int, int, _Buffers, _Buffers | None, _Buffers | None]
_Table = tuple[int, bytes, bytes, bytes, bytes, list[_Buffers], list[_Column]]

class Engine:
    def __init__(
        self,
        plan: Callable[[str, str], tuple[bool, int, str, Sequence[tuple[str, str]], int, str] | None],
        learn: Callable[[int, str, bytes], tuple[int, int] | None],
        counts: Callable[[str, str], bool],
        *,
        attributes: int,
        columns: int,
    ) -> None: ...
    def read(self, bodies: list[bytes | None]) -> tuple[list[str | None], list[_Table]]: ...
