"""Paths → endpoints, found by a dict look-up on the head's path, the very value that is authorised."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from headgate.dialects.openai.request import parse_request
from headgate.endpoints.asgi import Message, Receive, Scope
from headgate.endpoints.auth import authenticate
from headgate.endpoints.cycle import Cycle
from headgate.endpoints.framing import Head
from headgate.endpoints.models import render_model, render_models
from headgate.endpoints.reply import AsgiReply
from headgate.endpoints.request import discard_large, parse_order, parse_timeout, read_body
from headgate.errors import GatewayError, MethodNotAllowed, NotFound, ShuttingDown
from headgate.gateway.gateway import Gateway
from headgate.types.deployment import Operation
from headgate.types.principal import Principal
from headgate.types.request import Request, RequestIds, now_us
from headgate.types.snapshot import Snapshot
from headgate.wire import json

BASES = ("/v1", "/v1/openai")
MODEL_PREFIXES = tuple(f"{base}/models/" for base in reversed(BASES))
log = logging.getLogger("headgate")

CONTROL_PREFIX = "/api/"
_POLICY, _TIMEOUT = b"x-headgate-policy", b"x-headgate-timeout-s"

Control = Callable[[Scope, Receive, Callable[[Message], Awaitable[None]]], Awaitable[None]]
"""What serves the operators' paths."""
Endpoint = Callable[[Cycle, AsgiReply], Awaitable[None]]


class Snapshots(Protocol):
    """Holds the snapshot that new requests read."""

    @property
    def current(self) -> Snapshot: ...


class Endpoints:
    """The application in front of the gateway, which our server calls with each request."""

    def __init__(self, snapshots: Snapshots, gateway: Gateway, control: Control | None = None) -> None:
        self._snapshots = snapshots
        self._gateway = gateway
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._ids = RequestIds()
        self._table: dict[tuple[str, str], Endpoint] = {}
        for method in ("GET", "HEAD"):
            self._table["/healthz", method] = self._healthz
            self._table["/readyz", method] = self._readyz
        for base in BASES:
            self._table[f"{base}/chat/completions", "POST"] = self._serving(Operation.CHAT)
            self._table[f"{base}/completions", "POST"] = self._serving(Operation.COMPLETION)
            self._table[f"{base}/embeddings", "POST"] = self._serving(Operation.EMBEDDING)
            self._table[f"{base}/models", "GET"] = self._models

    async def __call__(self, cycle: Cycle) -> None:
        reply = AsgiReply(cycle, self._ids.next())
        try:
            head = cycle.head
            endpoint = self._table.get((head.path, head.method)) or self._find(head)
            await endpoint(cycle, reply)
        except GatewayError as error:
            await reply.error(error)
        except asyncio.CancelledError:
            # Either the client has left, and this write goes nowhere, or the server has waited long enough for it.
            with contextlib.suppress(asyncio.CancelledError):  # once more when it does not even read that
                await reply.error(ShuttingDown("the gateway is shutting down; send the request again"))
        except Exception:  # last resort: a defect here must not leave a client without an answer
            log.exception("defect while serving %s", reply.request_id)
            await reply.error(GatewayError("internal error; the request id finds it in the gateway's log"))

    def _find(self, head: Head) -> Endpoint:
        """The endpoint of a path that is not in the table as it stands. Raises NotFound, MethodNotAllowed."""
        path = head.path
        if self._control is not None and path.startswith(CONTROL_PREFIX):
            return self._operate
        methods = [method for known, method in self._table if known == path]
        if not methods:
            if not path.startswith(MODEL_PREFIXES):
                raise NotFound(f"nothing is served at {path[:200]}; the API begins at /v1")
            if head.method == "GET":
                return self._model
            methods = ["GET"]
        allowed = ", ".join(methods)
        raise MethodNotAllowed(
            f"{path[:200]} takes {allowed}, not {head.method}", headers=((b"allow", allowed.encode()),)
        )

    def _serving(self, operation: Operation) -> Endpoint:
        async def serve(cycle: Cycle, reply: AsgiReply) -> None:
            at_us, arrived = now_us(), self._loop.time()
            snapshot = self._snapshots.current
            try:
                principal = authenticate(snapshot, cycle)
            except GatewayError:
                await discard_large(cycle)
                raise
            try:
                body = await read_body(cycle, snapshot.max_body_bytes, snapshot.body_timeout_s)
                headers = cycle.head.headers
                request = Request(
                    id=reply.request_id,
                    snapshot=snapshot.of(principal.workspace),
                    principal=principal,
                    envelope=parse_request(operation, body),
                    at_us=at_us,
                    arrived=arrived,
                    order=parse_order(headers[_POLICY]) if _POLICY in headers else None,
                    total_s=parse_timeout(headers[_TIMEOUT]) if _TIMEOUT in headers else None,
                )
            except GatewayError as error:
                self._gateway.refused(reply.request_id, principal, operation, at_us, error)
                raise
            await self._gateway.serve(request, reply)

        return serve

    async def _operate(self, cycle: Cycle, reply: AsgiReply) -> None:
        assert self._control is not None, "else nothing leads here"
        await self._control(cycle.scope, cycle.receive, reply.hand_over)

    async def _models(self, cycle: Cycle, reply: AsgiReply) -> None:
        await reply.json(render_models(*self._reader(cycle)))

    async def _model(self, cycle: Cycle, reply: AsgiReply) -> None:
        snapshot, principal = self._reader(cycle)
        path = cycle.head.path
        prefix = next(prefix for prefix in MODEL_PREFIXES if path.startswith(prefix))
        await reply.json(render_model(snapshot, principal, path[len(prefix) :]))

    def _reader(self, cycle: Cycle) -> tuple[Snapshot, Principal]:
        """Who asks, and what its workspace reads. Raises Unauthenticated, NotAllowed."""
        snapshot = self._snapshots.current
        principal = authenticate(snapshot, cycle)
        return snapshot.of(principal.workspace), principal

    async def _healthz(self, cycle: Cycle, reply: AsgiReply) -> None:
        await reply.json(json.encode({"status": "ok"}))

    async def _readyz(self, cycle: Cycle, reply: AsgiReply) -> None:
        await reply.json(json.encode({"status": "ready", "revision": self._snapshots.current.revision}))
