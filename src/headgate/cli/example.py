"""The line a newcomer pastes: which model it asks for, with which key, and what is left to fill in."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from headgate.config.load import Loaded
from headgate.config.variables import sole_variable
from headgate.providers.sandbox import SANDBOX
from headgate.routing.resolve import pin, resolve
from headgate.routing.shortlist import KINDS
from headgate.types.deployment import Candidate, Deployment, Operation
from headgate.types.principal import Principal
from headgate.types.secret import Secret
from headgate.types.snapshot import Snapshot
from headgate.wire import json

VARIABLE = "HEADGATE_KEY"
FRIENDLY = f"{SANDBOX.name}/hello"
BLANK = "<id>"
# What an answer costs is mostly its own tokens: a few words are asked for, and a few hundred may come.
_OUTPUT_WEIGHT = 10
_UNKNOWN = 10**18


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One shell command, and what has to be said beside it."""

    command: str
    remarks: tuple[str, ...] = ()


def example(loaded: Loaded, snapshot: Snapshot, base_url: str, made: Secret | None) -> Example | None:
    """The command for the first key; None when that key may ask for no model that can chat.

    `made` is the first-run key when it has just been made, and only then may it be printed.
    """
    principal = next(iter(snapshot.keys.values()), None)
    model = None if principal is None else example_model(snapshot, principal)
    if principal is None or model is None:
        return None
    remarks = []
    if model.endswith(f"/{BLANK}"):
        remarks.append(f"with the id of a model in place of {BLANK}")
    key = made.reveal() if made is not None else None
    if key is None:
        variable = sole_variable(loaded.written_as.get(("keys", 0, "secret"), ""))
        key = f"${variable or VARIABLE}"
        if variable is None:
            whose = f"the secret of key {principal.key}" if loaded.document.keys else "the key of the first start"
            remarks.append(f"with {VARIABLE} set to {whose}")
    return Example(command=_curl(base_url, key, model), remarks=tuple(remarks))


def example_model(snapshot: Snapshot, principal: Principal) -> str | None:
    """A name the key may use and that chats: a route, else the sandbox, else the cheapest offer, else one the key
    spells out, else a provider that takes any id, with a blank for it."""
    for name, route in snapshot.routes.items():
        if principal.may_use(name) and _can_chat(route.targets):
            return name
    if principal.may_use(FRIENDLY) and pin(snapshot, FRIENDLY):
        return FRIENDLY
    if cheapest := min(_offers(snapshot, principal), default=None):
        return cheapest[-1]
    for name in principal.models:
        found = resolve(snapshot, name) if "*" not in name else None
        if found is not None and _can_chat(found.targets):
            return name
    for provider, deployments in snapshot.open_pins.items():
        name = f"{provider}/{BLANK}"
        if principal.may_use(name) and any(one.offer.upstream_id == "*" and _serves(one) for one in deployments):
            return name
    return None


def _offers(snapshot: Snapshot, principal: Principal) -> Iterable[tuple[bool, bool, bool, bool, bool, int, str]]:
    """Every offer that chats and that the key may use: what speaks against it, the heaviest first, price and name."""
    listed = frozenset(snapshot.listed)
    for provider, ids in snapshot.pins.items():
        for upstream_id, deployments in ids.items():
            offer = deployments[0].offer
            if offer.retired or not _serves(deployments[0]):
                continue
            name = upstream_id if upstream_id in listed and principal.may_use(upstream_id) else None
            name = name or f"{provider}/{upstream_id}"
            if not principal.may_use(name):
                continue
            # A chat model that can call no tools is often no chat model: a filter, a reader of pictures.
            odd = not offer.declared and "tools" not in (offer.capabilities or ())
            price = offer.price
            entered, written = price.input_pusd_per_mtok, price.output_pusd_per_mtok
            unknown = entered is None or written is None
            cost = _UNKNOWN if entered is None or written is None else entered + _OUTPUT_WEIGHT * written
            yield (
                offer.unconfirmed,
                unknown,
                odd,
                offer.variant is not None,
                offer.deprecated_on is not None,
                cost,
                name,
            )


def _can_chat(candidates: Iterable[Candidate]) -> bool:
    return any(_serves(one.deployment) and not one.deployment.offer.retired for one in candidates)


def _serves(deployment: Deployment) -> bool:
    operations, kind = deployment.upstream.operations, deployment.offer.kind
    return Operation.CHAT in operations and kind in KINDS[Operation.CHAT]


def _curl(base_url: str, key: str, model: str) -> str:
    body = json.encode({"model": model, "messages": [{"role": "user", "content": "Say hello."}]}).decode()
    return (
        f'curl {base_url}/chat/completions -H "Authorization: Bearer {key}" '
        f"-H 'Content-Type: application/json' -d {_quoted(body)}"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
