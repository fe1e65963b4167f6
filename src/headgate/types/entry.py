"""What the ledger keeps of a request: an entry, and a row for each attempt.

Both are what the journal holds, as MessagePack arrays, and so are `Usage` and `Cost` in them: fields are only ever
added, at the end and with a default. Values of values are never part of a cycle, so the collector need not look at them
(`gc=False`): a batch on its way into the database is thousands of them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from headgate.types.money import Cost
from headgate.types.usage import Usage

SUCCESS = "success"


class Outcome(StrEnum):
    """How a request ended."""

    ANSWERED = "answered"  # in full
    REFUSED = "refused"  # by us, before anybody was asked
    FAILED = "failed"  # nobody could answer, or the answer broke off
    DISCONNECTED = "disconnected"  # the client left first


class AttemptRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One send to one deployment. Times are microseconds since the request arrived; None for what did not happen.

    `result` is `success`, a fault class, or `cancelled`; `status` the provider's HTTP status when it sent one.
    """

    deployment: str
    provider: str
    model: str
    credential: str
    result: str
    status: int | None
    started_us: int
    connected_us: int | None
    first_token_us: int | None
    done_us: int
    usage: Usage | None
    cost: Cost


class Planned(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A candidate of a plan: cost in pico-dollars and time in seconds as they were expected, None for unknown."""

    deployment: str
    provider: str
    upstream_id: str
    expected_cost_pusd: int | None
    expected_time_s: float | None
    health: str


class PlanRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the ledger keeps of a plan: candidates in order, and dropped deployments, each with the reason.

    `policy` is the one that was applied, empty where a record does not say.
    """

    candidates: tuple[Planned, ...]
    dropped: tuple[tuple[str, str], ...]
    policy: str = ""

    def told(self) -> dict[str, Any]:
        """The object that people and programs read: `policy`, `candidates` in the order they would be tried, and
        `dropped`."""
        return {
            "policy": self.policy,
            "candidates": [msgspec.structs.asdict(one) for one in self.candidates],
            "dropped": [{"deployment": name, "reason": reason} for name, reason in self.dropped],
        }


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One request of an authenticated client.

    `at_us` is when it arrived, in Unix microseconds. `status` is the HTTP status the client got (499 when it left
    before one). `error` is the code of the error it was told. `usage` and `cost_pusd` are those of all attempts
    together. `charged_pusd` is what was booked on `scopes`, the spending counters, for the UTC day it arrived on.
    `plan` is who could have served it, in order, and who could not; None for a request that never came so far.
    """

    id: str
    at_us: int
    workspace: str
    key_id: str
    key: str
    operation: str
    model: str
    stream: bool
    status: int
    outcome: Outcome
    error: str | None
    provider: str
    upstream_model: str
    usage: Usage | None
    cost_pusd: int | None
    charged_pusd: int
    done_us: int
    scopes: tuple[str, ...]
    attempts: tuple[AttemptRow, ...]
    plan: PlanRow | None = None
