"""Decorators that give a test what it asks for by keyword."""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

Test = Callable[..., Any]
Giver = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes what decorators further out gave, and gives more."""


def supply(test: Test, names: Iterable[str], give: Giver) -> Test:
    """Return a test that is given keywords when it runs, and asks pytest for the others only."""
    signature = inspect.signature(test)
    takes_all = any(each.kind is each.VAR_KEYWORD for each in signature.parameters.values())

    def more(keywords: dict[str, Any]) -> dict[str, Any]:
        given = {**keywords, **give(keywords)}
        return {name: given[name] for name in given if takes_all or name in signature.parameters}

    if inspect.iscoroutinefunction(test):

        @functools.wraps(test)
        async def supplied(*arguments: Any, **keywords: Any) -> None:
            await test(*arguments, **more(keywords))

    else:

        @functools.wraps(test)
        def supplied(*arguments: Any, **keywords: Any) -> None:
            test(*arguments, **more(keywords))

    kept = [each for each in signature.parameters.values() if each.name not in set(names)]
    supplied.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
    return supplied
