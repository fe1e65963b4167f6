"""Answers to a client over ASGI."""

from __future__ import annotations

from collections.abc import Callable

from headgate.dialects.openai.errors import render_error, render_error_event
from headgate.endpoints.asgi import Headers, Message, Send
from headgate.endpoints.cycle import render_headers
from headgate.errors import GatewayError, UpstreamFailed
from headgate.types.money import render_usd
from headgate.types.request import Account

_JSON = (b"content-type", b"application/json")
_STREAM: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # nginx in front of us would otherwise hold events back until its buffer is full.
    (b"x-accel-buffering", b"no"),
]
_CLOSE = (b"connection", b"close")
MAX_SHOWN = 200
"""Characters of a model's name in a header; clients give up on heads of some kilobytes."""


class AsgiReply:
    """The one reply to one request; see `gateway.reply.Reply`."""

    __slots__ = ("_send", "committed", "ended", "request_id")

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.committed = False
        self.ended = False

    async def whole(self, body: bytes, account: Account) -> None:
        usage, cost = account.usage, ""
        if usage is not None and not usage.estimated and account.cost_pusd is not None:
            # A header has no room to say that it is a guess.
            cost = f"x-headgate-cost-usd: {render_usd(account.cost_pusd)}\r\n"
        # The same as `_account_headers`, in one step.
        head = (
            f"content-type: application/json\r\nx-request-id: {account.request_id}\r\n"
            f"x-headgate-provider: {account.provider}\r\nx-headgate-model: {account.model[:MAX_SHOWN]}\r\n"
            f"x-headgate-attempts: {len(account.tries)}\r\n{cost}"
        )
        lines = head.encode("ascii", "backslashreplace") + render_headers(account.headers)
        if account.dropped:
            lines += render_headers([_dropped_header(account)])
        self.committed = self.ended = True
        await self._send.whole(200, lines, body)

    async def begin(self, data: bytes, account: Account) -> None:
        self.committed = True
        await self._send(
            {"type": "http.response.start", "status": 200, "headers": [*_STREAM, *_account_headers(account)]}
        )
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    @property
    def write(self) -> Callable[[bytes], bool]:
        # The very method that does it: a stream asks for it once, and calls it for every event.
        return self._send.write

    async def drained(self) -> None:
        await self._send.drained()

    async def end(self, data: bytes) -> None:
        self.ended = True
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def hand_over(self, message: Message) -> None:
        """Another application's `send`: once it has begun to answer, nothing of ours may follow."""
        self.committed = self.ended = True
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
        else:
            message.setdefault("body", b"")
            message.setdefault("more_body", False)
        await self._send(message)

    async def json(self, body: bytes, status: int = 200) -> None:
        """An answer of our own, such as the list of models."""
        await self._all(status, [_JSON, (b"content-length", b"%d" % len(body)), self._id_header()], body)

    async def error(self, error: GatewayError) -> None:
        """Say what went wrong: as a reply of its own, or in-band in a stream that has begun.

        A stream then ends without its success terminator.
        """
        if self.ended:
            return
        if self.committed:
            await self.end(render_error_event(error, self.request_id))
            return
        body = render_error(error, self.request_id)
        headers: Headers = [_JSON, (b"content-length", b"%d" % len(body)), *error.headers]
        if isinstance(error, UpstreamFailed):
            headers += _account_headers(error.account)
        else:
            headers.append(self._id_header())
        if error.close_connection:
            headers.append(_CLOSE)
        await self._all(error.status, headers, body)

    async def _all(self, status: int, headers: Headers, body: bytes) -> None:
        self.committed = self.ended = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    def _id_header(self) -> tuple[bytes, bytes]:
        return b"x-request-id", self.request_id.encode()


def _account_headers(account: Account) -> Headers:
    headers = [
        (b"x-request-id", account.request_id.encode()),
        (b"x-headgate-provider", account.provider.encode()),
        (b"x-headgate-model", account.model[:MAX_SHOWN].encode("ascii", "backslashreplace")),
        (b"x-headgate-attempts", b"%d" % account.attempts),
    ]
    headers += account.headers
    if account.dropped:
        headers.append(_dropped_header(account))
    return headers


def _dropped_header(account: Account) -> tuple[bytes, bytes]:
    return b"x-headgate-dropped", ", ".join(account.dropped).encode("ascii", "backslashreplace")
