"""One request and its reply at an upstream, whatever carries it.

Two things are an exchange: `http_exchange.HttpExchange` over a socket, and `scripted.ScriptedExchange` in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from headgate.types.fault import FaultClass


class ExchangeFailed(Exception):
    """The exchange itself failed: no connection, a clock ran out, bytes that are no reply, a cut.

    `kind` is the fault class; `message` is fit for a client. `nothing_received` says that not one byte of a reply
    came, which is what makes a second send on a fresh connection harmless.
    """

    def __init__(self, kind: FaultClass, message: str, *, nothing_received: bool = False) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.nothing_received = nothing_received


class Clocks(msgspec.Struct, frozen=True):
    """How long one exchange may take.

    `connect_s`      dialling, proxy and TLS included
    `first_token_s`  from the sent request to the first content; None where a reply comes only when it is whole
    `gap_s`          between pieces once content has started; time the client keeps us waiting does not count
    `deadline`       in the event loop's time: when the whole request has to be over
    """

    connect_s: float
    first_token_s: float | None
    gap_s: float
    deadline: float


class Exchange(Protocol):
    """A reply being received. `headers` has lower-case names; repeated ones are joined by a comma.

    `connected_at` is when the connection was there, in the event loop's time.
    """

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def tells_limits(self) -> bool:
        """Whether any header's name speaks of limits: most replies have none, and looking for each costs."""
        ...

    @property
    def connected_at(self) -> float: ...

    async def read(self) -> bytes:
        """The bytes of the body that have come since the last call, at least one; `b""` at its proper end.

        Raises ExchangeFailed when the body breaks off or a clock runs out.
        """
        ...

    async def pump(self, consume: Callable[[bytes], bool]) -> bool:
        """Hand each further piece of the body to `consume` the moment it comes, until that returns False.

        For streams: a piece goes from one socket to the other without a turn of the event loop in between. Returns
        whether the body has come to its proper end. Raises ExchangeFailed like `read`, and whatever `consume` raises.
        """
        ...

    def content_started(self) -> None:
        """The relay has seen the first content: from here on the gap clock runs instead of the first-token clock."""
        ...

    def release(self) -> None:
        """Done with it. A reply whose rest is short is read to its end so that the connection can serve again."""
        ...

    def cancel(self) -> None:
        """Give up at once; the upstream sees its connection close."""
        ...
