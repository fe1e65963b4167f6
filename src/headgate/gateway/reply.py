"""Where an answer goes: the client, seen from the gateway."""

from __future__ import annotations

from typing import Protocol

from headgate.types.request import Account


class Reply(Protocol):
    """One reply to one client.

    `committed` becomes true with the first byte that is sent; from then on a failure can only be told in-band.
    """

    committed: bool

    async def whole(self, body: bytes, account: Account) -> None:
        """Send a complete JSON answer."""
        ...

    async def begin(self, data: bytes, account: Account) -> None:
        """Open a stream and send its first bytes."""
        ...

    def write(self, data: bytes) -> bool:
        """Send the next bytes of a stream. False when the client is behind: then wait for `drained`."""
        ...

    async def drained(self) -> None:
        """Wait until the client has read enough of what was written."""
        ...

    async def end(self, data: bytes) -> None:
        """Send the last bytes of a stream and close it."""
        ...
