"""Asking a running gateway for a plan, over its admin API."""

from __future__ import annotations

import os
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlsplit

from headgate.cli.options import Mistake
from headgate.config.problems import shorten
from headgate.wire import json

PATH = "/api/explain"
TIMEOUT_S = 30.0
MOST_BYTES = 8 * 2**20
TOKEN_VARIABLE = "HEADGATE_ADMIN_TOKEN"


def ask_gateway(url: str, token: str | None, workspace: str | None, asked: dict[str, Any]) -> dict[str, Any]:
    """The plan as the gateway tells it. `url` is the gateway's, with or without its `/v1`.

    Raises Mistake for an address that makes no sense, a gateway that is not there, and whatever it says no to.
    """
    shown = token or os.environ.get(TOKEN_VARIABLE, "").strip()
    if not shown:
        raise Mistake(f"--url: an admin token is needed: --token, or {TOKEN_VARIABLE} in the environment")
    if not shown.isascii() or not shown.isprintable():
        raise Mistake("--token: it holds a character that no token has")
    connection, path = _connection(url)
    if workspace is not None:
        path += f"?workspace={quote(workspace, safe='')}"
    headers = {"authorization": f"Bearer {shown}", "content-type": "application/json", "accept": "application/json"}
    try:
        connection.request("POST", path, body=json.encode(asked), headers=headers)
        reply = connection.getresponse()
        status, data = reply.status, reply.read(MOST_BYTES)
    except (OSError, HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Mistake(f"--url: no gateway can be asked at {shorten(_host(url))}: {why}") from None
    finally:
        connection.close()
    return _plan(status, data, _host(url))


def _connection(url: str) -> tuple[HTTPConnection, str]:
    """A connection that is not open yet, and the path of the endpoint. Raises Mistake."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("http", "https") or parts.username is not None:
        raise Mistake("--url: it must be the gateway's address, such as http://127.0.0.1:8080")
    below = parts.path.rstrip("/").removesuffix("/v1").removesuffix("/api")
    if parts.scheme == "https":
        return HTTPSConnection(host, port, timeout=TIMEOUT_S, context=ssl.create_default_context()), below + PATH
    return HTTPConnection(host, port, timeout=TIMEOUT_S), below + PATH


def _host(url: str) -> str:
    return urlsplit(url if "://" in url else f"http://{url}").netloc.rpartition("@")[2]


def _plan(status: int, data: bytes, host: str) -> dict[str, Any]:
    try:
        answer = json.parse(data)
    except json.DecodeError:
        answer = None
    if isinstance(answer, dict) and status == 200 and "candidates" in answer:
        return answer
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        raise Mistake(f"--url: {host} answers {status}: {shorten(error['message'], 500)}")
    raise Mistake(
        f"--url: {host} answers {status} with {_kind(data)}, not with a plan; it is no gateway, or one without {PATH}"
    )


def _kind(data: bytes) -> str:
    start = data.lstrip()[:1]
    return "a web page" if start == b"<" else "nothing" if not start else "something else"
