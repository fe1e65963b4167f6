"""`GET /v1/models` and `GET /v1/models/{id}`."""

from __future__ import annotations

from collections.abc import Iterable

from headgate.routing.resolve import names, not_found, resolve, served_by
from headgate.types.principal import Principal
from headgate.types.snapshot import Snapshot
from headgate.wire import json


def render_models(snapshot: Snapshot, principal: Principal) -> bytes:
    """The names this key may use, in OpenAI's list shape."""
    data = [_model(snapshot, name) for name in _usable(snapshot, principal)]
    return json.encode({"object": "list", "data": data})


def _usable(snapshot: Snapshot, principal: Principal) -> Iterable[str]:
    """What is listed, as far as the key goes; a key that is limited to pins is shown the pins."""
    if principal.models == ("*",):
        return snapshot.listed
    return [name for name in dict.fromkeys(names(snapshot)) if principal.may_use(name)]


def render_model(snapshot: Snapshot, principal: Principal, name: str) -> bytes:
    """One name, also one that is not listed: a pin, an alias, a name with a suffix. Raises ModelNotFound."""
    if not principal.may_use(name) or resolve(snapshot, name) is None:
        raise not_found(snapshot, principal, name)
    return json.encode(_model(snapshot, name))


def _model(snapshot: Snapshot, name: str) -> dict[str, object]:
    providers = served_by(snapshot, name)
    owner = providers[0] if len(providers) == 1 else "headgate"
    return {
        "id": name,
        "object": "model",
        "created": snapshot.created,
        "owned_by": owner,
        "headgate": {"providers": providers},
    }
