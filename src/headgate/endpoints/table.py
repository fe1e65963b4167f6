"""Paths → endpoints, found by a dict look-up on `scope["path"]`, the very value that is authorised."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from headgate.dialects.openai.request import parse_request
from headgate.endpoints.asgi import Message, Receive, Scope, Send
from headgate.endpoints.auth import authenticate
from headgate.endpoints.models import render_model, render_models
from headgate.endpoints.reply import AsgiReply
from headgate.endpoints.request import discard_large, parse_order, parse_timeout, read_body, read_head
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

Control = Callable[[Scope, Receive, Callable[[Message], Awaitable[None]]], Awaitable[None]]
"""What serves the operators' paths."""
Endpoint = Callable[[Scope, Receive, AsgiReply], Awaitable[None]]


class Snapshots(Protocol):
    """Holds the snapshot that new requests read."""

    @property
    def current(self) -> Snapshot: ...


class Endpoints:
    """The ASGI application in front of the gateway."""

    def __init__(self, snapshots: Snapshots, gateway: Gateway, control: Control | None = None) -> None:
        self._snapshots = snapshots
        self._gateway = gateway
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._ids = RequestIds()
        self._table: dict[str, dict[str, Endpoint]] = {
            "/healthz": {"GET": self._healthz, "HEAD": self._healthz},
            "/readyz": {"GET": self._readyz, "HEAD": self._readyz},
        }
        for base in BASES:
            self._table[f"{base}/chat/completions"] = {"POST": self._serving(Operation.CHAT)}
            self._table[f"{base}/completions"] = {"POST": self._serving(Operation.COMPLETION)}
            self._table[f"{base}/embeddings"] = {"POST": self._serving(Operation.EMBEDDING)}
            self._table[f"{base}/models"] = {"GET": self._models}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        reply = AsgiReply(send, self._ids.next())
        try:
            if self._control is not None and scope["path"].startswith(CONTROL_PREFIX):
                await self._control(scope, receive, reply.hand_over)
            else:
                await self._find(scope)(scope, receive, reply)
        except GatewayError as error:
            await reply.error(error)
        except asyncio.CancelledError:
            # Either the client has left, and this write goes nowhere, or the server has waited long enough for it.
            with contextlib.suppress(asyncio.CancelledError):  # once more when it does not even read that
                await reply.error(ShuttingDown("the gateway is shutting down; send the request again"))
        except Exception:  # last resort: a defect here must not leave a client without an answer
            log.exception("defect while serving %s", reply.request_id)
            await reply.error(GatewayError("internal error; the request id finds it in the gateway's log"))

    def _find(self, scope: Scope) -> Endpoint:
        path: str = scope["path"]
        methods = self._table.get(path)
        if methods is None:
            if not path.startswith(MODEL_PREFIXES):
                raise NotFound(f"nothing is served at {path[:200]}; the API begins at /v1")
            methods = {"GET": self._model}
        endpoint = methods.get(scope["method"])
        if endpoint is None:
            allowed = ", ".join(methods)
            raise MethodNotAllowed(
                f"{path[:200]} takes {allowed}, not {scope['method']}", headers=((b"allow", allowed.encode()),)
            )
        return endpoint

    def _serving(self, operation: Operation) -> Endpoint:
        async def serve(scope: Scope, receive: Receive, reply: AsgiReply) -> None:
            at_us, arrived = now_us(), self._loop.time()
            snapshot = self._snapshots.current
            head = read_head(scope["headers"])
            try:
                principal = authenticate(snapshot, head.authorization, head.api_key, scope)
            except GatewayError:
                await discard_large(head, receive)
                raise
            try:
                body = await read_body(head, receive, snapshot.max_body_bytes, snapshot.body_timeout_s)
                request = Request(
                    id=reply.request_id,
                    snapshot=snapshot.of(principal.workspace),
                    principal=principal,
                    envelope=parse_request(operation, body),
                    at_us=at_us,
                    arrived=arrived,
                    order=parse_order(head.order),
                    total_s=parse_timeout(head.timeout_s),
                )
            except GatewayError as error:
                self._gateway.refused(reply.request_id, principal, operation, at_us, error)
                raise
            await self._gateway.serve(request, reply)

        return serve

    async def _models(self, scope: Scope, receive: Receive, reply: AsgiReply) -> None:
        await reply.json(render_models(*self._reader(scope)))

    async def _model(self, scope: Scope, receive: Receive, reply: AsgiReply) -> None:
        snapshot, principal = self._reader(scope)
        path: str = scope["path"]
        prefix = next(prefix for prefix in MODEL_PREFIXES if path.startswith(prefix))
        await reply.json(render_model(snapshot, principal, path[len(prefix) :]))

    def _reader(self, scope: Scope) -> tuple[Snapshot, Principal]:
        """Who asks, and what its workspace reads. Raises Unauthenticated, NotAllowed."""
        snapshot = self._snapshots.current
        head = read_head(scope["headers"])
        principal = authenticate(snapshot, head.authorization, head.api_key, scope)
        return snapshot.of(principal.workspace), principal

    async def _healthz(self, scope: Scope, receive: Receive, reply: AsgiReply) -> None:
        await reply.json(json.encode({"status": "ok"}))

    async def _readyz(self, scope: Scope, receive: Receive, reply: AsgiReply) -> None:
        await reply.json(json.encode({"status": "ready", "revision": self._snapshots.current.revision}))
