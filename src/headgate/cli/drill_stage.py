"""The operator's configuration with a stand-in behind every deployment: nothing of it leaves the process.

Names, prices, clocks, retries, health, hold, hedge and fallback stay as they are. Only who answers is another: the
sandbox, which plays a fault for those that are to fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from headgate.providers.sandbox import script_for
from headgate.types.deployment import Candidate, Deployment, ScriptFor
from headgate.types.script import Script
from headgate.types.snapshot import ModelEntry, Route, Snapshot
from headgate.wire import json

WELL = "hello"
"""The sandbox's model that answers."""

K = TypeVar("K")


class Stage:
    """A snapshot to rehearse with. Whoever is among `failing` (`provider/upstream-id`) plays the sandbox's `fault`."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.failing: frozenset[str] = frozenset()
        self.fault = WELL
        self._made: dict[int, Deployment] = {}
        # The deployments are known by their identity, so they have to stay.
        self._original = snapshot
        self.snapshot = self._staged(snapshot)

    def _staged(self, snapshot: Snapshot) -> Snapshot:
        return msgspec.structs.replace(
            snapshot,
            routes={name: self._route(route) for name, route in snapshot.routes.items()},
            patterns=tuple(self._route(route) for route in snapshot.patterns),
            pins={provider: self._each(ids) for provider, ids in snapshot.pins.items()},
            open_pins=self._each(snapshot.open_pins),
            catch_all=self._each(snapshot.catch_all),
            models={name: self._entry(entry) for name, entry in snapshot.models.items()},
            aliases={name: self._entry(entry) for name, entry in snapshot.aliases.items()},
            workspaces={},
        )

    def _route(self, route: Route) -> Route:
        return msgspec.structs.replace(
            route,
            targets=self._candidates(route.targets),
            fallback=self._candidates(route.fallback),
            variants=self._candidates(route.variants),
        )

    def _entry(self, entry: ModelEntry) -> ModelEntry:
        return msgspec.structs.replace(
            entry, deployments=self._all(entry.deployments), variants=self._all(entry.variants)
        )

    def _candidates(self, candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
        return tuple(msgspec.structs.replace(one, deployment=self._deployment(one.deployment)) for one in candidates)

    def _each(self, by_name: Mapping[K, tuple[Deployment, ...]]) -> dict[K, tuple[Deployment, ...]]:
        return {name: self._all(deployments) for name, deployments in by_name.items()}

    def _all(self, deployments: Iterable[Deployment]) -> tuple[Deployment, ...]:
        return tuple(self._deployment(one) for one in deployments)

    def _deployment(self, deployment: Deployment) -> Deployment:
        made = self._made.get(id(deployment))
        if made is None:
            upstream = msgspec.structs.replace(deployment.upstream, script=self._plays(deployment.upstream.provider))
            made = self._made[id(deployment)] = msgspec.structs.replace(deployment, upstream=upstream)
        return made

    def _plays(self, provider: str) -> ScriptFor:
        def play(operation: str, body: bytes) -> Script:
            fields = json.parse_body(body)
            target = f"{provider}/{json.parse(fields['model'])}"
            fields["model"] = json.raw(self.fault if target in self.failing else WELL)
            return script_for(operation, json.encode(fields))

        return play
