"""Requests written byte by byte, for tests of what may stand in them."""

from __future__ import annotations

import json

from tests.surface.stage import KEY, chat

BODY = json.dumps(chat()).encode()
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
HOST = b"Host: gateway\r\n"


def raw(
    headers: bytes, body: bytes = BODY, *, line: bytes = b"POST /v1/chat/completions HTTP/1.1\r\n", host: bytes = HOST
) -> bytes:
    return line + host + f"Authorization: Bearer {KEY}\r\n".encode() + headers + b"\r\n" + body


def line(text: bytes) -> bytes:
    return raw(LENGTH, line=text)


def in_chunks(body: bytes, headers: bytes = CHUNKED) -> bytes:
    return raw(headers, body)
