"""Nothing is recorded, so there is nothing to clean."""

from typing import Any


def _nothing(**_: Any) -> None:
    pass


add_general_regex_sanitizer = add_oauth_response_sanitizer = add_remove_header_sanitizer = _nothing
