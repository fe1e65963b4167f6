"""The one way a path gets into the admin API: with the permission it needs.

What a path needs hangs on the matched route itself. It is checked before the body is read, and nothing the client
writes takes part in finding it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Message, Receive

from headgate.config.problems import shorten
from headgate.control.actor import Actor, authenticate
from headgate.control.context import Control
from headgate.control.failures import NotJson, documented, invalid, render, unknown
from headgate.control.permissions import REQUIREMENTS, Permission
from headgate.control.store_failures import as_answer
from headgate.errors import BodyTooLarge, GatewayError, InvalidRequest
from headgate.store.errors import StoreError
from headgate.wire import json

MAX_BODY_BYTES = 1024 * 1024
ALWAYS = frozenset({400, 401, 403, 404, 413, 500, 503})
"""Statuses any path may answer with."""
log = logging.getLogger("headgate")

Answering = Callable[[Request], Coroutine[Any, Any, Response]]


class Unpermitted(Exception):
    """A path was mounted without saying what permission it needs: a defect, found when the API is built."""


class GuardedRoute(APIRoute):
    """A path with the permission it needs. `Mount` makes a subclass of it for each."""

    permission: Permission
    control: Control

    def get_route_handler(self) -> Answering:
        answer = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                if REQUIREMENTS[self.permission].role is not None:
                    request.state.actor = await run_in_threadpool(self._admit, request)
                self._check_query(request)
                body = await _read(request)
                _check_json(request, body)
                return await answer(Request(request.scope, _replay(body, request.receive)))
            except GatewayError as error:
                return render(error)
            except RequestValidationError as error:
                return render(self._explain(error))
            except HTTPException:
                # What the framework could not read of a body that passed as JSON: it is nested too deeply for it.
                return render(_malformed())
            except StoreError as error:
                return render(as_answer(error))
            except Exception:  # last resort: the caller learns nothing of what is inside
                log.exception("defect in %s %s", request.method, self.path)
                return render(_defect())

        return guarded

    def _admit(self, request: Request) -> Actor:
        actor = authenticate(request.scope["headers"], self.control.store, self.control.admin_token_hash)
        actor.require(REQUIREMENTS[self.permission])
        return actor

    def _check_query(self, request: Request) -> None:
        """A parameter that is misspelt would be a filter that does not filter."""
        known = [parameter.alias for parameter in self.dependant.query_params]
        for dependency in self.dependant.dependencies:
            known += [parameter.alias for parameter in dependency.query_params]
        seen: set[str] = set()
        for name, _ in request.query_params.multi_items():
            if name not in known:
                shown = shorten(name)
                raise InvalidRequest(f"{shown} {unknown(name, known)}", param=shown, code="unknown_parameter")
            if name in seen:
                raise InvalidRequest(f"{name} is given twice", param=name, code="invalid_value")
            seen.add(name)

    def _explain(self, error: RequestValidationError) -> GatewayError:
        errors = error.errors()
        # A name that is misspelt is the reason why another one is missing.
        first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
        return invalid(first, _fields_at(self.body_field, first["loc"]))


def _defect() -> GatewayError:
    return GatewayError("internal error; the gateway's log says more", code="internal_error")


def _fields_at(body_field: Any, place: Sequence[str | int]) -> list[str]:
    """The fields an object of the body may have, at the place of an error."""
    if body_field is None or not place or place[0] != "body":
        return []
    schema = TypeAdapter(body_field.field_info.annotation).json_schema()
    definitions = schema.get("$defs", {})
    for step in place[1:-1]:
        schema = _step(schema, step, definitions)
    return list(_plain(schema, definitions).get("properties", {}))


def _step(schema: dict[str, Any], step: str | int, definitions: dict[str, Any]) -> dict[str, Any]:
    plain = _plain(schema, definitions)
    inner = plain.get("items", {}) if isinstance(step, int) else plain.get("properties", {}).get(step, {})
    return inner if isinstance(inner, dict) else {}


def _plain(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The object or array a schema stands for, through references and `… or null`."""
    for option in schema.get("anyOf", ()):
        if option.get("type") != "null":
            return _plain(option, definitions)
    reference = schema.get("$ref")
    return definitions[reference.rpartition("/")[2]] if reference else schema


async def _read(request: Request) -> bytes:
    """The body. Raises BodyTooLarge as soon as it is known to be too large."""
    too_large = BodyTooLarge(f"the body is larger than {MAX_BODY_BYTES // 2**20} MB")
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        raise too_large
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise too_large
    return bytes(body)


def _check_json(request: Request, body: bytes) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != "application/json":
        raise NotJson("send JSON, and say so: Content-Type: application/json")
    try:
        # Stricter than the framework, which takes NaN and the like.
        json.parse(body or b"null")
        repeated = json.repeated_name(body) if body else None
    except json.DecodeError:
        raise _malformed() from None
    if repeated is not None:
        shown = shorten(repeated)
        raise InvalidRequest(f"{shown} is given twice in one object", param=shown, code="invalid_value")


def _malformed() -> InvalidRequest:
    return InvalidRequest("the body is not JSON, or nested too deeply", code="malformed")


def _replay(body: bytes, receive: Receive) -> Receive:
    """A body that was read already, for whoever reads it next."""
    unread = True

    async def again() -> Message:
        nonlocal unread
        if unread:
            unread = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again


class Mount:
    """Puts paths into the API."""

    def __init__(self, app: FastAPI, control: Control) -> None:
        self._app = app
        self._control = control

    def route(
        self,
        method: str,
        path: str,
        endpoint: Callable[..., Any],
        *,
        permission: Permission,
        status: int = 200,
        errors: Sequence[int] = (),
        **more: Any,
    ) -> None:
        """Serve a path below /api. `errors` are statuses it may answer with beside those any path may."""
        own = type("Guarded", (GuardedRoute,), {"permission": permission, "control": self._control})
        statuses = {*ALWAYS, *errors, *({415} if method in ("POST", "PUT", "PATCH") else ())}
        self._app.router.add_api_route(
            f"/api{path}",
            endpoint,
            methods=[method],
            status_code=status,
            responses=documented(statuses) if REQUIREMENTS[permission].role is not None else None,
            route_class_override=own,
            operation_id=f"{method.lower()}{path}".replace("/", "_").replace("{", "").replace("}", ""),
            **more,
        )


def check_permissions(app: FastAPI) -> None:
    """Raise Unpermitted when anything in the application was not mounted with a permission."""
    for route in app.routes:
        permission = getattr(route, "permission", None)
        if not isinstance(route, GuardedRoute) or permission not in REQUIREMENTS:
            raise Unpermitted(f"{getattr(route, 'path', route)} is mounted without a permission")


def methods_at(app: FastAPI, path: str) -> list[str]:
    """Every method that something is mounted for at a path as it came."""
    scope = {"type": "http", "path": path, "method": "", "root_path": ""}
    found: set[str] = set()
    for route in app.routes:
        if isinstance(route, APIRoute) and route.matches(scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return sorted(found)
