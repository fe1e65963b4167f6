"""The three names of an ASGI application (asgi.readthedocs.io, spec 2.3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Headers = list[tuple[bytes, bytes]]


class Send(Protocol):
    """ASGI's `send`, as our server makes it: the body of a reply can also be written without waiting."""

    async def __call__(self, message: Message, /) -> None: ...

    async def whole(self, status: int, lines: bytes, body: bytes) -> None:
        """Answer in one piece. `lines` are the headers as they go out, without the length."""
        ...

    def write(self, data: bytes) -> bool:
        """Write the next bytes of a body that has begun; False when the client is behind."""
        ...

    async def drained(self) -> None:
        """Wait until the client has caught up."""
        ...
