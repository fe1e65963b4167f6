"""Log lines: one a line, to standard error. Nothing on the path of a request logs."""

from __future__ import annotations

import logging
import sys

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def set_up(level: int = logging.INFO) -> None:
    """Send our own lines to standard error, and of the server's only its errors."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(FORMAT))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("headgate").setLevel(level)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
