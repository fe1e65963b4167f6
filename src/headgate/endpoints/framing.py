"""Where a client's requests begin and end, read so that nobody behind or before us can read it differently.

llhttp refuses most of what two servers could read differently (Transfer-Encoding with Content-Length, bare CR or LF,
repeated lengths). What it lets pass is refused here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NoReturn, Protocol
from urllib.parse import unquote

import httptools
import msgspec

from headgate.endpoints.asgi import Headers, Scope

# Of a request that asks for another protocol, and is answered in this one.
UPGRADE_HEADERS = frozenset({b"upgrade", b"http2-settings"})
ASGI = {"version": "3.0", "spec_version": "2.3"}
_CODING = b"transfer-encoding"
_LENGTH = b"content-length"
LONGEST_LENGTH = 64
"""Characters of a Content-Length. llhttp takes any number of zeros before the digits that count."""

KNOWN_TARGETS = 256
KNOWN_TARGET = 256
"""Bytes of a target that is remembered."""


class Parser(Protocol):
    """What we use of httptools' parser, which ships without types."""

    def feed_data(self, data: bytes) -> None: ...
    def get_method(self) -> bytes: ...
    def get_http_version(self) -> str: ...
    def should_keep_alive(self) -> bool: ...
    def should_upgrade(self) -> bool: ...


class Head(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What a request says before its body.

    `headers` are found by name, the last of those that are repeated; `lines` are all of them, in order. `path` has the
    escapes undone that `raw_path` has.
    """

    method: str
    path: str
    headers: dict[bytes, bytes]
    lines: Headers
    raw_path: bytes
    query: bytes
    version: str


class RefusedFraming(ValueError):
    """Raised in a parser callback, where it ends the parsing; the refusal is remembered beside it."""


class Framing:
    """The parsing half of a connection: feeds the parser, whose callbacks its other half answers, and checks heads."""

    max_head_bytes = 64 * 1024
    max_headers = 200

    def __init__(self, app_state: dict[str, Any]) -> None:
        self._app_state = app_state
        self._server: tuple[str, int | None] | None = None
        self.client: tuple[str, int] | None = None
        self.url = b""
        self.headers: Headers = []
        self._parser = self._new_parser()
        self._in_head = False
        self._fed = 0
        self._head_bytes = 0
        self._refusal = "the request is not valid HTTP/1.1"

    # httptools callbacks

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    # Inside

    def _new_parser(self) -> Parser:
        parser = httptools.HttpRequestParser(self)
        # A request may follow one that asked for the connection to be closed; it is not answered.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        fresh: Parser = parser
        return fresh

    def _feed(self, data: bytes) -> None:
        """Parse; a request that asks for another protocol is parsed again as one that does not.

        RFC 9110 §7.8 lets a server ignore Upgrade. The parser would take the body for bytes of the other protocol,
        and clients that offer h2c with every request would never be understood.
        """
        while data:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = self._head_without_upgrade() + data[upgrade.args[0] :]
                self._parser = self._new_parser()
            else:
                return

    def _head_without_upgrade(self) -> bytes:
        method = self._parser.get_method()
        if method == b"CONNECT":
            raise httptools.HttpParserError("CONNECT is not served")
        lines = [b"%b %b HTTP/%b" % (method, self.url, self._parser.get_http_version().encode())]
        for name, value in self.headers:
            if name == b"connection":
                options = [option.strip() for option in value.split(b",")]
                value = b", ".join(option for option in options if option.lower() not in UPGRADE_HEADERS)
            if name not in UPGRADE_HEADERS:
                lines.append(name + b": " + value)
        return b"\r\n".join([*lines, b"", b""])

    def _checked_headers(self, version: str) -> dict[bytes, bytes]:
        """The headers by name, the last of those that are repeated. Raises RefusedFraming."""
        headers = self.headers
        if len(headers) > self.max_headers:
            self._refuse(f"the request has more than {self.max_headers} headers")
        if version not in ("1.1", "1.0"):
            self._refuse("the request is not HTTP/1.1")
        found = dict(headers)
        if len(found) == len(headers):
            hosts = 1 if b"host" in found else 0
        else:
            hosts = [name for name, _ in headers].count(b"host")
        if _CODING in found:
            for name, value in headers:
                if name == _CODING and (version != "1.1" or value.strip().lower() != b"chunked"):
                    self._refuse("Transfer-Encoding may only be `chunked`, and only in HTTP/1.1")
        if _LENGTH in found and len(found[_LENGTH]) > LONGEST_LENGTH:
            self._refuse(f"Content-Length is longer than {LONGEST_LENGTH} characters")
        if hosts != 1 and (hosts > 1 or version == "1.1"):
            self._refuse("the request must have exactly one Host header")
        if self._head_bytes >= 0 or self._fed > self.max_head_bytes:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in headers)
            if size > self.max_head_bytes:
                self._refuse(self._head_too_large())
        return found

    def _head(self, version: str, headers: dict[bytes, bytes]) -> Head:
        """The head that is complete. Raises HttpParserError for a target that is none."""
        url = self.url
        path, raw_path, query = _known_target(url) if len(url) <= KNOWN_TARGET else _split_target(url)
        method = self._parser.get_method().decode("ascii")
        return Head(method, path, headers, self.headers, raw_path, query, version)

    def scope_of(self, head: Head) -> Scope:
        """A request for ASGI."""
        return {
            "type": "http",
            "asgi": ASGI,
            "http_version": head.version,
            "server": self._server,
            "client": self.client,
            "scheme": "http",
            "method": head.method,
            "root_path": "",
            "path": head.path,
            "raw_path": head.raw_path,
            "query_string": head.query,
            "headers": head.lines,
            "state": self._app_state.copy(),
        }

    def _head_too_large(self) -> str:
        return f"the request's headers are larger than {self.max_head_bytes} bytes"

    def _refuse(self, why: str) -> NoReturn:
        self._refusal = why
        raise RefusedFraming(why)


def _split_target(url: bytes) -> tuple[str, bytes, bytes]:
    """A target as path, path as it came, and query."""
    parsed = httptools.parse_url(url)
    raw_path: bytes = parsed.path
    path = raw_path.decode("ascii")
    return unquote(path) if "%" in path else path, raw_path, parsed.query or b""


_known_target = lru_cache(KNOWN_TARGETS)(_split_target)
