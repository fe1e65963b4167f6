"""A reply whose first bytes were looked at before it was known who would read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from headgate.upstream.exchange import Exchange

STREAM_STARTS = frozenset((b"d", b"e", b"i", b"r", b":"))
"""No JSON document begins with one of these; a line of an event stream does: data, event, id, retry, or a comment."""

JSON_STARTS = frozenset((b"{", b"["))
"""No line of an event stream that says anything begins with one of these; an answer or an error in JSON does."""

# White space, and the bytes of a byte order mark.
_BLANK = b" \t\r\n\xef\xbb\xbf"
_MAX_BLANKS = 64 * 1024


class PeekedExchange:
    """An exchange that can give its first bytes twice; see `exchange.Exchange`."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._first = b""

    async def first_byte(self) -> bytes:
        """The first byte of the body that is no blank; empty when none comes in a long while. Raises ExchangeFailed."""
        while len(self._first) < _MAX_BLANKS:
            data = await self._exchange.read()
            if not data:
                break
            self._first += data
            start = self._first.lstrip(_BLANK)
            if start:
                return start[:1]
        return b""

    @property
    def status(self) -> int:
        return self._exchange.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._exchange.headers

    @property
    def tells_limits(self) -> bool:
        return self._exchange.tells_limits

    @property
    def connected_at(self) -> float:
        return self._exchange.connected_at

    async def read(self) -> bytes:
        first, self._first = self._first, b""
        return first or await self._exchange.read()

    async def pump(self, consume: Callable[[bytes], bool]) -> bool:
        if self._first and not consume(await self.read()):
            return False
        return await self._exchange.pump(consume)

    def content_started(self) -> None:
        self._exchange.content_started()

    def release(self) -> None:
        self._exchange.release()

    def cancel(self) -> None:
        self._exchange.cancel()
