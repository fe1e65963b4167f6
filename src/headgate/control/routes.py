"""Routes: how model names are served, beside those of the document."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from headgate.config.document import RoutePart
from headgate.config.fields import REFUSED, Name, refuse
from headgate.control.calls import Call, InOne, InOneOrEvery
from headgate.control.ceiling import check_targets
from headgate.control.common import Source
from headgate.control.context import Control
from headgate.control.declared import name_taken, plain, read_only, routes_of
from headgate.control.failures import in_words
from headgate.control.fields import Fields, Id, View, instant_text
from headgate.control.mount import Mount
from headgate.control.paging import Cursor, Page, PageSize, merged_page
from headgate.control.permissions import Permission
from headgate.errors import InvalidRequest
from headgate.store.records import RouteRecord
from headgate.wire import json

_NOT_HERE = "workspaces"


def _definition(value: Any) -> RoutePart:
    """The mapping as the document would have it, except that a route made here is its own workspace's alone."""
    if not isinstance(value, dict):
        refuse("must be an object with targets")
    if _NOT_HERE in value:
        refuse(f"{_NOT_HERE} is for the document: a route made here belongs to its own workspace")
    try:
        return RoutePart.model_validate_json(json.encode(value), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        words = in_words(first, [name for name in RoutePart.model_fields if name != _NOT_HERE])
        raise PydanticCustomError(REFUSED, "{words}", {"words": words, "inside": first["loc"]}) from None


def _definition_schema() -> dict[str, Any]:
    """The schema of a route without references, so that it stands where it is used."""
    schema = RoutePart.model_json_schema()
    definitions = schema.pop("$defs", {})
    schema["properties"].pop(_NOT_HERE, None)
    inlined = _inline(schema, definitions)
    assert isinstance(inlined, dict)
    return inlined


def _inline(part: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(part, list):
        return [_inline(item, definitions) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        named = _inline(definitions[part["$ref"].rpartition("/")[2]], definitions)
        return {**named, **{key: value for key, value in part.items() if key != "$ref"}}
    return {key: _inline(value, definitions) for key, value in part.items()}


def _route_name(value: str) -> str:
    if not value.isprintable():
        refuse("holds a character that cannot be printed")
    return value


RouteName = Annotated[Name, Field(min_length=1, max_length=256), AfterValidator(_route_name)]
Definition = Annotated[RoutePart, PlainValidator(_definition), WithJsonSchema(_definition_schema())]


class RouteBody(Fields):
    """A new route."""

    name: RouteName = Field(description="The model name clients ask for; one * stands for any text.")
    definition: Definition = Field(description="The same mapping as under models in the document.")


class DefinitionBody(Fields):
    """Another definition for a route."""

    definition: Definition = Field(description="The same mapping as under models in the document.")


class RouteView(View):
    """A route."""

    id: str
    workspace: str | None
    name: str
    source: Source
    definition: dict[str, Any]
    created_by: str
    created_at: str | None


class Routes:
    """The endpoints below /api/routes."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._store = control.store

    def mount(self, mount: Mount) -> None:
        read, change = Permission.ROUTES_READ, Permission.ROUTES_CHANGE
        mount.route("GET", "/routes", self.page, permission=read)
        mount.route("POST", "/routes", self.create, permission=change, status=201, errors=(409,))
        mount.route("GET", "/routes/{id}", self.get, permission=read)
        mount.route("PUT", "/routes/{id}", self.update, permission=change, errors=(409,))
        mount.route("DELETE", "/routes/{id}", self.delete, permission=change, status=204, errors=(409,))

    def page(self, call: InOneOrEvery, limit: PageSize = 50, after: Cursor = None) -> Page[RouteView]:
        """List routes, those of the document first."""

        def stored(last: str, most: int) -> list[tuple[str, RouteView]]:
            found = self._store.routes.list(workspace=call.workspace, after=last, limit=most)
            return [(route.id, route_view(route)) for route in found]

        declared = routes_of(self._control.document(), call.workspace)
        views = [declared_view(id, name, part, call.workspace) for id, (name, part) in declared.items()]
        items, following = merged_page(views, stored, after=after, limit=limit)
        return Page(data=items, next=following)

    def create(self, call: InOne, body: RouteBody) -> RouteView:
        """Make a route."""
        loaded = self._control.document()
        if any(name == body.name for name, _ in routes_of(loaded, call.workspace).values()):
            raise name_taken(loaded, f"a route {body.name}")
        self._check(call, body.name, body.definition)
        definition = json.encode(plain(body.definition)).decode()
        made = self._store.routes.create(call.within, body.name, definition, actor=call.actor.signature)
        self._control.changed()
        return route_view(made)

    def get(self, call: InOneOrEvery, id: Id) -> RouteView:
        """Read one route."""
        declared = routes_of(self._control.document(), call.workspace).get(id)
        if declared is not None:
            return declared_view(id, *declared, call.workspace)
        return route_view(self._store.routes.get(call.workspace, id))

    def update(self, call: InOne, id: Id, body: DefinitionBody) -> RouteView:
        """Put another definition in place of the one before."""
        self._require_stored(call, id)
        name = self._store.routes.get(call.workspace, id).name
        self._check(call, name, body.definition)
        definition = json.encode(plain(body.definition)).decode()
        after = self._store.routes.update(call.workspace, id, definition, actor=call.actor.signature)
        self._control.changed()
        return route_view(after)

    def delete(self, call: InOne, id: Id) -> None:
        """Delete a route. Requests that are on their way end as they began."""
        self._require_stored(call, id)
        self._store.routes.delete(call.workspace, id, actor=call.actor.signature)
        self._control.changed()

    def _check(self, call: Call, name: str, definition: RoutePart) -> None:
        targets = (*definition.targets, *definition.fallback)
        check_targets(targets, call.actor)
        if "*" not in name and any("*" in target for target in targets):
            raise _bad("a * in a target only has a meaning in a route whose name holds one")
        problems = self._control.validate_route(call.within, definition)
        if problems:
            raise _bad("; ".join(problems))

    def _require_stored(self, call: Call, id: str) -> None:
        loaded = self._control.document()
        declared = routes_of(loaded, call.workspace).get(id)
        if declared is not None:
            raise read_only(loaded, f"the route {declared[0]}")


def _bad(words: str) -> InvalidRequest:
    return InvalidRequest(f"definition: {words}", param="definition", code="bad_route")


def route_view(route: RouteRecord) -> RouteView:
    return RouteView(
        id=route.id,
        workspace=route.workspace,
        name=route.name,
        source="store",
        definition=json.parse(route.definition.encode()),
        created_by=route.created_by,
        created_at=instant_text(route.created_at),
    )


def declared_view(id: str, name: str, part: RoutePart, workspace: str | None) -> RouteView:
    """A route of the document, as a workspace sees it."""
    return RouteView(
        id=id,
        workspace=workspace,
        name=name,
        source="document",
        definition=plain(part),
        created_by="document",
        created_at=None,
    )
