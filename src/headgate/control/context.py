"""What the admin API works with. The composition root hands it over; nothing here builds a collaborator."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from headgate.config.document import RoutePart
from headgate.config.load import Loaded
from headgate.ledger.budget import BudgetState
from headgate.routing.health import Health
from headgate.routing.observed import Observed
from headgate.store.engine import Store
from headgate.types.policy import Budget
from headgate.types.principal import DEFAULT_WORKSPACE
from headgate.types.snapshot import Snapshot

log = logging.getLogger("headgate")


class BudgetStates(Protocol):
    """What is left of the budgets of a scope, as the gateway counts it."""

    def state(self, scope: str, now: float, budgets: tuple[Budget, ...] = ()) -> Sequence[BudgetState]: ...


class LedgerHealth(Protocol):
    """Whether the ledger takes entries, how many bytes wait for the database, and how many entries were lost."""

    @property
    def waiting_bytes(self) -> int: ...

    @property
    def dropped(self) -> int: ...

    @property
    def alarm(self) -> str | None: ...

    @property
    def refuses(self) -> bool: ...


class Control(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The collaborators of the admin API.

    `document` gives the operator's document, which is only read here. `publish` makes a change count: it returns when
    the new snapshot is in use. `validate_route` finds what is wrong with a route in a workspace. `admin_token_hash` is
    the SHA-256 of a token that owns everything, None when there is none. `observed` is what traffic has taught and
    `health` what it has met, by the seconds of `clock`; all three are the gateway's own.
    """

    store: Store
    budgets: BudgetStates
    ledger: LedgerHealth
    snapshot: Callable[[], Snapshot]
    document: Callable[[], Loaded]
    publish: Callable[[], None]
    validate_route: Callable[[str, RoutePart], list[str]]
    env: Mapping[str, str]
    admin_token_hash: bytes | None = None
    observed: Observed = msgspec.field(default_factory=Observed)
    health: Health = msgspec.field(default_factory=Health)
    clock: Callable[[], float] = time.monotonic

    def snapshot_of(self, workspace: str) -> Snapshot | None:
        """What a workspace reads; None for one that is so new that no snapshot has it."""
        snapshot = self.snapshot()
        return snapshot if workspace == DEFAULT_WORKSPACE else snapshot.workspaces.get(workspace)

    def changed(self) -> None:
        """Publish a change that is already in the store."""
        try:
            self.publish()
        except Exception:  # because the change is made: an error now would hide a new secret, which is shown only once
            log.exception("a change is stored but not in use yet; the next look at the store makes it count")
