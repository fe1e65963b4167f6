"""What an upstream does on the wire, written down: status, headers, timed pieces of body, and how it ends.

The in-process sandbox plays scripts to the gateway, the tests' fake provider plays them on a real socket.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Ending(StrEnum):
    """How a scripted reply ends."""

    COMPLETE = "complete"  # a proper end of the body
    CUT = "cut"  # the connection closes in the middle of the body
    HANG = "hang"  # nothing more comes, the connection stays open
    RESET = "reset"  # closed before any byte of the reply


class Step(msgspec.Struct, frozen=True):
    """Wait `delay_s` seconds, then send `data`."""

    delay_s: float
    data: bytes


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """One scripted reply. `head_delay_s` passes before the status line is sent."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    head_delay_s: float = 0.0
    steps: tuple[Step, ...] = ()
    ending: Ending = Ending.COMPLETE
