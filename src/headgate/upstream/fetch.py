"""One request for a part of a provider's list, over the same client that carries clients' requests.

It goes to the very host of the provider's base URL and nowhere else: a redirect is a failure, and what an answer names
as the next page can change the path alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from headgate import __version__
from headgate.types.deployment import Upstream
from headgate.types.fault import FaultClass
from headgate.types.listing import Ask
from headgate.types.secret import Secret
from headgate.upstream.exchange import Clocks, Exchange, ExchangeFailed
from headgate.upstream.origin import Origin, origin_of
from headgate.upstream.pool import Pool

CONNECT_S = 10.0
GAP_S = 30.0
MAX_PATH = 8192
_PATH_SAFE = "/%:@!$&'()*+,;=~?"


class FetchReason(StrEnum):
    """Why an answer was not fetched."""

    BAD_ADDRESS = "bad_address"
    NO_CONNECTION = "no_connection"
    REDIRECT = "redirect"
    REFUSED_CREDENTIAL = "refused_credential"
    STATUS = "status"
    NO_BODY = "no_body"
    NOT_JSON = "not_json"
    TOO_LARGE = "too_large"
    TOO_MANY_ASKS = "too_many_asks"
    CUT = "cut"
    TOO_SLOW = "too_slow"
    BROKEN = "broken"


_BY_FAULT = {
    FaultClass.CONNECT_FAILED: FetchReason.NO_CONNECTION,
    FaultClass.NO_FIRST_TOKEN: FetchReason.TOO_SLOW,
    FaultClass.STALLED: FetchReason.TOO_SLOW,
    FaultClass.TOTAL_TIMEOUT: FetchReason.TOO_SLOW,
    FaultClass.RESET: FetchReason.CUT,
    FaultClass.BROKEN_STREAM: FetchReason.CUT,
}
_NEVER_JSON = ("text/html", "application/xhtml+xml", "text/xml", "application/xml")


class FetchFailed(Exception):
    """There is no answer that could be read; the message is fit for the log and holds no secret."""

    def __init__(self, reason: FetchReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


async def fetch(
    pool: Pool,
    upstream: Upstream,
    secret: Secret | None,
    ask: Ask,
    headers: Iterable[tuple[str, str]] = (),
    *,
    env: Mapping[str, str],
    limit_bytes: int,
    timeout_s: float,
) -> bytes:
    """The body of an answer with status 200, at most `limit_bytes` of it, within `timeout_s` seconds.

    `upstream` says where, how the credential is sent, what else the operator sends, and through which proxy; `env` is
    read for the proxy variables. `headers` are the list's own. Raises FetchFailed.
    """
    deadline = asyncio.get_running_loop().time() + timeout_s
    clocks = Clocks(connect_s=min(CONNECT_S, timeout_s), first_token_s=None, gap_s=GAP_S, deadline=deadline)
    try:
        origin = origin_of(upstream.base_url, upstream.proxy.reveal() if upstream.proxy else None, env)
    except ValueError as error:
        raise FetchFailed(FetchReason.BAD_ADDRESS, f"it cannot be called: {error}") from None
    head = _head(origin, upstream, secret, ask, headers)
    try:
        exchange = await pool.send(origin, head, ask.body or b"", clocks)
        try:
            _check_head(exchange)
            body = await _read(exchange, limit_bytes)
        except BaseException:  # because whatever ends the reading leaves the connection half used
            exchange.cancel()
            raise
        exchange.release()
    except ExchangeFailed as failure:
        raise FetchFailed(_BY_FAULT.get(failure.kind, FetchReason.BROKEN), failure.message) from None
    if not body.strip():
        raise FetchFailed(FetchReason.NO_BODY, "the answer is empty")
    return body


def _check_head(exchange: Exchange) -> None:
    status = exchange.status
    if 300 <= status < 400:
        raise FetchFailed(
            FetchReason.REDIRECT, f"it redirects (status {status}), and a credential is not sent after it"
        )
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise FetchFailed(FetchReason.REFUSED_CREDENTIAL, f"it refuses the credential (status {status})")
    if status != HTTPStatus.OK:
        raise FetchFailed(FetchReason.STATUS, f"it answers with status {status}")
    kind = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _NEVER_JSON:
        raise FetchFailed(FetchReason.NOT_JSON, f"it answers with {kind}, which is no list")


async def _read(exchange: Exchange, limit_bytes: int) -> bytes:
    length = exchange.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 15 or int(length) > limit_bytes):
        raise _too_large(limit_bytes)
    pieces: list[bytes] = []
    size = 0
    while piece := await exchange.read():
        size += len(piece)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        pieces.append(piece)
    return b"".join(pieces)


def _too_large(limit_bytes: int) -> FetchFailed:
    return FetchFailed(FetchReason.TOO_LARGE, f"the answer is larger than the {limit_bytes} bytes that are left for it")


def _head(
    origin: Origin, upstream: Upstream, secret: Secret | None, ask: Ask, more: Iterable[tuple[str, str]]
) -> bytes:
    target = path_of(upstream.base_url, ask)
    headers = {
        "host": origin.authority,
        "user-agent": f"headgate/{__version__}",
        "accept": "application/json",
        "accept-encoding": "identity",
    }
    if origin.proxy is not None and origin.scheme == "http":
        # RFC 9112 §3.2.2: a proxy is told the whole URL.
        target = f"http://{origin.authority}{target}"
        if origin.proxy.authorization is not None:
            headers["proxy-authorization"] = origin.proxy.authorization.reveal()
    headers.update((name.lower(), value) for name, value in more)
    if upstream.auth_header is not None and secret is not None:
        name, template = upstream.auth_header
        headers[name.lower()] = template.replace("{}", secret.reveal())
    headers.update((name.lower(), value.reveal()) for name, value in upstream.headers)
    if ask.body is not None:
        headers |= {"content-type": "application/json", "content-length": str(len(ask.body))}
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            # Its name alone: the value is most likely a credential.
            raise FetchFailed(FetchReason.BAD_ADDRESS, f"it cannot be called: its header {name} holds what none can")
    method = "GET" if ask.body is None else "POST"
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("ascii")


def path_of(base_url: str, ask: Ask) -> str:
    """The path of a request as it is sent, see `Ask`. Raises FetchFailed for one that leads out of where it begins."""
    path = ask.path
    if not path.startswith("/") or len(path) > MAX_PATH:
        raise FetchFailed(FetchReason.BAD_ADDRESS, "it names a next page that is no path")
    if ".." in path.partition("?")[0].split("/"):
        raise FetchFailed(FetchReason.BAD_ADDRESS, "it names a next page that leads upwards")
    if path.startswith("//"):
        path = path[1:]
    else:
        path = urlsplit(base_url).path.rstrip("/") + path
    try:
        return quote(path, safe=_PATH_SAFE)
    except UnicodeEncodeError:
        raise FetchFailed(FetchReason.BAD_ADDRESS, "it names a next page that is not text") from None
