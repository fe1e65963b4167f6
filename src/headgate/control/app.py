"""The admin API: every path of it, on one application."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headgate import __version__
from headgate.control.budgets import Budgets
from headgate.control.context import Control
from headgate.control.credentials import Credentials
from headgate.control.explain import Explain
from headgate.control.failures import render
from headgate.control.journals import Journals
from headgate.control.keys import Keys
from headgate.control.ledger import LedgerQueries
from headgate.control.mount import Mount, check_permissions, methods_at
from headgate.control.overview import Overview
from headgate.control.permissions import Permission
from headgate.control.routes import Routes
from headgate.control.tokens import Tokens
from headgate.control.workspaces import Workspaces
from headgate.errors import GatewayError, MethodNotAllowed, NotFound
from headgate.wire import json

__all__ = ["Control", "build", "build_app"]

_HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_SECURITY = {"token": {"type": "http", "scheme": "bearer", "description": "An admin token, hga-…"}}


def build(control: Control) -> ASGIApp:
    """The admin API as an ASGI application that serves /api/…; raises Unpermitted for a path without a permission."""
    return uncached(build_app(control))


def build_app(control: Control) -> FastAPI:
    """The same with its routes in sight."""
    app = FastAPI(
        title="Headgate admin API",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
    )
    app.state.control = control
    app.add_exception_handler(HTTPException, _nothing_matched)
    mount = Mount(app, control)
    for part in (Workspaces, Keys, Tokens, Credentials, Routes, Budgets, LedgerQueries, Journals, Overview, Explain):
        part(control).mount(mount)
    _mount_openapi(app, mount)
    check_permissions(app)
    return app


def uncached(app: ASGIApp) -> ASGIApp:
    """The application with headers that keep its replies out of every cache."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
            await send(message)

        await app(scope, receive, with_headers)

    return serve


def _mount_openapi(app: FastAPI, mount: Mount) -> None:
    document: list[bytes] = []

    def openapi() -> Response:
        """This API, described."""
        if not document:
            document.append(json.encode(_described(app)))
        return Response(document[0], media_type="application/json")

    mount.route("GET", "/openapi.json", openapi, permission=Permission.OPENAPI_READ, include_in_schema=False)


def _described(app: FastAPI) -> dict[str, Any]:
    described = app.openapi()
    described.setdefault("components", {})["securitySchemes"] = _SECURITY
    described["security"] = [{"token": []}]
    for path in described["paths"].values():
        for operation in path.values():
            # The framework promises its own validation error everywhere; this API answers 400 instead.
            operation["responses"].pop("422", None)
    for unused in ("HTTPValidationError", "ValidationError"):
        described["components"]["schemas"].pop(unused, None)
    return described


def _nothing_matched(request: Request, error: Exception) -> Response:
    """Answers where no path, or none with the method, was found."""
    assert isinstance(error, HTTPException)
    path: str = request.scope["path"]
    if error.status_code == MethodNotAllowed.status:
        allowed = ", ".join(methods_at(request.app, path))
        return render(MethodNotAllowed(f"this path takes {allowed}", headers=((b"allow", allowed.encode()),)))
    if error.status_code == NotFound.status:
        return render(NotFound("nothing is served at this path; /api/openapi.json lists what there is"))
    raised = GatewayError("the request cannot be served", code="bad_request")
    raised.status = error.status_code
    return render(raised)
