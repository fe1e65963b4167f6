"""What the admin API takes and gives for a virtual key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field

from headgate.config.check_keys import budgets_of
from headgate.config.document import KeyPart
from headgate.config.keys import budget_of
from headgate.control.common import (
    BudgetList,
    BudgetView,
    LimitsBody,
    LimitsView,
    Source,
    budget_views,
    limits_view,
)
from headgate.control.fields import Address, Fields, FutureInstant, Glob, Line, Metadata, View, Whole, instant_text
from headgate.store.records import Key, KeyChange, KeyFields
from headgate.types.policy import Budget, KeyLimits

MAX_GRACE_S = 30 * 86_400
PolicyName = Literal["cheapest", "fastest", "balanced", "ordered", "weighted"]


class KeyBody(Fields):
    """A new key."""

    name: Line = Field(description="What the key is called; once in a workspace.")
    models: list[Glob] | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="Model names; * stands for any text. Default: all the creator may use.",
    )
    addresses: list[Address] = Field(
        default=[], max_length=100, description="IP addresses and networks it may call from; none for anywhere."
    )
    policy: PolicyName | None = Field(default=None, description="How candidates are ordered unless a request says.")
    limits: LimitsBody | None = Field(default=None, description="Requests and tokens a minute, requests at once.")
    budgets: BudgetList = Field(default=[], description="At most one for each period.")
    metadata: Metadata = Field(default={}, description="Up to 4 KB of text by name.")
    expires_at: FutureInstant | None = Field(default=None, description="From then on it works no more.")
    allow_unknown_models: bool = Field(default=False, description="Take models that nothing configured fits.")

    def fields(self, models: tuple[str, ...], expires_at: int | None) -> KeyFields:
        """What is stored, with the models and the end that the creator's ceiling leaves it."""
        return KeyFields(
            name=self.name,
            models=models,
            addresses=tuple(self.addresses),
            policy=self.policy,
            limits=self.limits.limits() if self.limits else KeyLimits(),
            metadata=self.metadata,
            expires_at=expires_at,
        )


class KeyPatch(Fields):
    """What to change of a key; what is left out stays. null takes a policy, a limit or an expiry away."""

    name: Line = Field(default="", description="Another name.")
    models: list[Glob] = Field(default=[], min_length=1, max_length=100, description="Model names, all of them anew.")
    addresses: list[Address] = Field(default=[], max_length=100, description="Addresses, all of them anew.")
    policy: PolicyName | None = Field(default=None, description="How candidates are ordered.")
    limits: LimitsBody | None = Field(default=None, description="Limits; those left out stay.")
    budgets: BudgetList = Field(default=[], description="Budgets, all of them anew.")
    metadata: Metadata = Field(default={}, description="Metadata, all of it anew.")
    expires_at: FutureInstant | None = Field(default=None, description="From then on it works no more.")
    allow_unknown_models: bool = Field(default=False, description="Take models that nothing configured fits.")

    def change(self) -> KeyChange:
        """What of it is kept with the key."""
        values: dict[str, Any] = {}
        for name in self.model_fields_set - {"limits", "budgets", "allow_unknown_models"}:
            value = getattr(self, name)
            values[name] = tuple(value) if isinstance(value, list) else value
        if "limits" in self.model_fields_set:
            limits = self.limits or LimitsBody()
            named = limits.model_fields_set if self.limits else LimitsBody.model_fields
            values |= {name: getattr(limits, name) for name in named}
        return KeyChange(**values)


class RotateBody(Fields):
    """How a secret is replaced."""

    grace_s: Whole = Field(default=0, ge=0, le=MAX_GRACE_S, description="Seconds the old secret works on, to 30 days.")


class KeyView(View):
    """A virtual key. `hint` is how its secret begins."""

    id: str
    name: str
    workspace: str
    source: Source
    hint: str | None
    models: list[str]
    addresses: list[str]
    policy: str | None
    limits: LimitsView
    budgets: list[BudgetView]
    metadata: dict[str, str]
    disabled: bool
    creator: str | None = Field(description="The id of the token that made it.")
    created_by: str
    created_at: str | None
    expires_at: str | None
    previous_until: str | None = Field(description="Until then the secret before the last rotation works.")


class KeySecret(View):
    """A key with its secret, which is shown once."""

    key: KeyView
    secret: str = Field(description="Keep it now: only its hash is stored.")


def key_view(key: Key, budgets: Iterable[Budget]) -> KeyView:
    return KeyView(
        id=key.id,
        name=key.name,
        workspace=key.workspace,
        source="store",
        hint=key.hint,
        models=list(key.models),
        addresses=list(key.addresses),
        policy=key.policy,
        limits=limits_view(key.limits),
        budgets=budget_views(budgets),
        metadata={name: str(value) for name, value in key.metadata.items()},
        disabled=key.disabled_at is not None,
        creator=key.creator_token,
        created_by=key.created_by,
        created_at=instant_text(key.created_at),
        expires_at=instant_text(key.expires_at),
        previous_until=instant_text(key.previous_until),
    )


def declared_view(id: str, key: KeyPart) -> KeyView:
    """A key of the document."""
    limits = key.limits
    return KeyView(
        id=id,
        name=key.name,
        workspace=key.workspace,
        source="document",
        hint=None,
        models=list(key.models),
        addresses=[str(network) for network in key.addresses],
        policy=key.policy,
        limits=limits_view(KeyLimits(rpm=limits.rpm, tpm=limits.tpm, concurrent=limits.concurrent))
        if limits
        else limits_view(KeyLimits()),
        budgets=budget_views(budget_of(part) for _, part in budgets_of(key)),
        metadata=key.metadata,
        disabled=False,
        creator=None,
        created_by="document",
        created_at=None,
        expires_at=instant_text(key.expires_at),
        previous_until=None,
    )
