"""Everything a request may read, frozen, with a revision."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from headgate.types.deployment import Candidate, Deployment
from headgate.types.policy import HealthPolicy, HedgePolicy, Order, Rule, Timeouts
from headgate.types.principal import DEFAULT_WORKSPACE, Principal


class Route(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """How a model name is served.

    A route whose name holds a `*` cannot know its targets before a request names a model: such a route has
    `templates` and `fallback_templates`, the targets as written, in which a `*` stands for the same text; they are
    resolved for each request. All other routes have `targets` and `fallback`.
    `admits` names the servings other than the plain one that its targets may stand for, `*` any. `variants` are those
    that nobody admits.
    """

    name: str
    targets: tuple[Candidate, ...] = ()
    fallback: tuple[Candidate, ...] = ()
    variants: tuple[Candidate, ...] = ()
    templates: tuple[str, ...] = ()
    fallback_templates: tuple[str, ...] = ()
    admits: frozenset[str] = frozenset()
    order: Order = Order.CHEAPEST
    timeouts: Timeouts | None = None
    """The route's clocks over the document's defaults; None when the route sets none."""
    provider_timeouts: Mapping[str, Timeouts] = {}
    """The same with each provider's own clocks in between; empty when the route sets none."""
    retries: int | None = None
    rules: Mapping[str, Rule] = {}
    """What fault classes allow on this route, where it differs."""
    health: HealthPolicy | None = None
    provider_health: Mapping[str, HealthPolicy] = {}
    """As with clocks: a provider's own figures stand between the route's and the document's."""
    hold: str | None = None
    hedge: HedgePolicy | None = None


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A public name that is no route: a slug or a provider's own id, and the deployments of those weights.

    `variants` are deployments of the same weights served otherwise (quantised, turbo, …): a request gets one only if
    it admits it.
    """

    name: str
    model: str
    deployments: tuple[Deployment, ...]
    variants: tuple[Deployment, ...] = ()


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, eq=False, weakref=True):
    """One published configuration. A request holds one from start to end; a reload makes another.

    `routes`    exact route names
    `patterns`  routes whose name holds a `*`, most literal characters first
    `pins`      provider name → upstream id → its deployments (one per credential)
    `open_pins` provider name → deployments whose offer id holds a `*`
    `catch_all` provider name → deployments that send any id, for routes with a `*` in both name and target
    `models`    every slug and provider's own id → entry
    `aliases`   further spellings of the same models, which are not listed
    `listed`    the names `GET /v1/models` shows, in order
    `withdrawn` hashes of keys that no longer work → why, as their holders are told
    `workspaces` what the other workspaces read; this one is the default's. Their own `keys` are empty
    """

    revision: int
    created: int
    keys: Mapping[bytes, Principal]
    routes: Mapping[str, Route]
    patterns: tuple[Route, ...]
    pins: Mapping[str, Mapping[str, tuple[Deployment, ...]]]
    open_pins: Mapping[str, tuple[Deployment, ...]]
    catch_all: Mapping[str, tuple[Deployment, ...]]
    models: Mapping[str, ModelEntry]
    aliases: Mapping[str, ModelEntry] = {}
    listed: tuple[str, ...]
    providers: tuple[str, ...]
    withdrawn: Mapping[bytes, str] = {}
    workspaces: Mapping[str, Snapshot] = {}
    max_body_bytes: int = 32 * 1024 * 1024
    body_timeout_s: float = 120.0

    def of(self, workspace: str) -> Snapshot:
        """What a workspace reads. Raises KeyError for one that nobody made: it must not get another's."""
        return self if workspace == DEFAULT_WORKSPACE else self.workspaces[workspace]
