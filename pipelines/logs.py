"""Logging: to standard error, text or JSON, never a body and never a secret."""

import json
import logging
import sys
from typing import Final

_QUIET: Final = ("alembic", "azure", "apache_beam", "uamqp", "msal", "urllib3")
"""Libraries whose chatter is shown only when asked for; so is what any library tells the root logger."""


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        entry = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def set_up_logging(verbose: bool, as_json: bool) -> None:
    """Log to standard error; with ``verbose`` also details and tracebacks."""
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter(
        "%(levelname)s %(name)s: %(message)s" if verbose else "%(levelname)s: %(message)s"
    )
    handler.setFormatter(JsonLines() if as_json else plain)
    if not verbose:
        handler.addFilter(lambda record: record.name != "root")
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.INFO if verbose else logging.CRITICAL)
