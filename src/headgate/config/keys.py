"""Virtual keys, declared and stored → principals."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from headgate.config.check_keys import budgets_of
from headgate.config.document import BudgetPart, Document, KeyPart
from headgate.config.tenancy import network
from headgate.store.records import Everything, Key, LiveKey, Token
from headgate.types.money import PUSD_PER_USD, Price, pusd_per_mtok
from headgate.types.policy import Allowance, Budget, KeyLimits, Order
from headgate.types.principal import ANY_MODEL, DEFAULT_WORKSPACE, Principal
from headgate.types.secret import key_hash

Budgets = Mapping[str, tuple[Budget, ...]]
"""Scope → its budgets."""
NO_BUDGETS: Budgets = {}


class Keyring(msgspec.Struct, frozen=True):
    """Keys that work, by hash, and the hashes of those that no longer do, each with what its holder is told."""

    working: Mapping[bytes, Principal]
    withdrawn: Mapping[bytes, str]


def declared_keys(document: Document, budgets: Budgets = NO_BUDGETS) -> dict[bytes, Principal]:
    """The keys a document declares, by hash. `budgets` are the stored ones, of which a workspace may have some."""
    return {key_hash(key.secret.reveal().encode()): _declared(key, budgets) for key in document.keys}


def issued_key(name: str, budgets: Budgets = NO_BUDGETS) -> Principal:
    """The key made at the first run. It has no limits of its own; those of the default workspace count for it too."""
    own = Allowance(scope=f"key:{name}", budgets=budgets.get(f"key:{name}", ()))
    return Principal(key=name, key_id=name, allowances=(own, *_of_workspace(budgets)))


def stored_keys(everything: Everything) -> Keyring:
    """The keys of the store. Expired ones still work here: the clock is asked when they are used."""
    budgets = budgets_by_scope(everything)
    tokens = {token.id: token for token in everything.tokens}
    working: dict[bytes, Principal] = {}
    withdrawn: dict[bytes, str] = {}
    for live in everything.keys:
        principal = _stored(live.key, tokens, budgets)
        if live.key.disabled_at is not None:
            why = f"the key {live.key.name!r} was disabled on {_day(live.key.disabled_at)}"
            withdrawn.update((digest, why) for digest in _hashes(live))
            continue
        working[live.hash] = principal
        if live.previous_hash is not None:
            _keep_previous(live, principal, working, withdrawn)
    return Keyring(working, withdrawn)


def budgets_by_scope(everything: Everything) -> dict[str, tuple[Budget, ...]]:
    found: dict[str, tuple[Budget, ...]] = {}
    for record in everything.budgets:
        found[record.scope] = (*found.get(record.scope, ()), record.budget)
    return found


def _keep_previous(
    live: LiveKey, principal: Principal, working: dict[bytes, Principal], withdrawn: dict[bytes, str]
) -> None:
    """After a rotation the old secret works for a while; it never outlives the key."""
    assert live.previous_hash is not None
    until = live.key.previous_until or 0
    if until <= time.time():
        why = f"the key {live.key.name!r} was rotated, and its old secret worked until {_day(until)}"
        withdrawn[live.previous_hash] = why
        return
    ends = until if principal.expires_at is None else min(until, principal.expires_at)
    working[live.previous_hash] = msgspec.structs.replace(principal, expires_at=ends)


def _hashes(live: LiveKey) -> Iterable[bytes]:
    return (live.hash,) if live.previous_hash is None else (live.hash, live.previous_hash)


def _declared(key: KeyPart, budgets: Budgets) -> Principal:
    limits = key.limits
    key_id = f"document:{key.name}"
    own = Allowance(
        scope=f"key:{key_id}",
        limits=KeyLimits(rpm=limits.rpm, tpm=limits.tpm, concurrent=limits.concurrent) if limits else KeyLimits(),
        budgets=tuple(budget_of(part) for _, part in budgets_of(key)),
    )
    return Principal(
        key=key.name,
        key_id=key_id,
        workspace=key.workspace,
        models=tuple(key.models),
        addresses=tuple(key.addresses),
        order=key.policy,
        expires_at=key.expires_at,
        allowances=(own, *_of_workspace(budgets, key.workspace)),
    )


def _stored(key: Key, tokens: Mapping[str, Token], budgets: Budgets) -> Principal:
    allowances = [Allowance(scope=f"key:{key.id}", limits=key.limits, budgets=budgets.get(f"key:{key.id}", ()))]
    creator = tokens.get(key.creator_token or "")
    if creator is not None:
        scope = f"token:{creator.id}"
        allowances.append(Allowance(scope=scope, limits=creator.limits, budgets=budgets.get(scope, ())))
    return Principal(
        key=key.name,
        key_id=key.id,
        workspace=key.workspace,
        models=key.models,
        ceiling=ANY_MODEL if creator is None or creator.models is None else creator.models,
        addresses=tuple(network(text) for text in key.addresses),
        order=None if key.policy is None else Order(key.policy),
        expires_at=key.expires_at,
        allowances=(*allowances, *_of_workspace(budgets, key.workspace)),
    )


def _of_workspace(budgets: Budgets, workspace: str = DEFAULT_WORKSPACE) -> tuple[Allowance, ...]:
    """Always there, also without a budget: what a workspace spends is counted for the budget it may get."""
    scope = f"workspace:{workspace}"
    return (Allowance(scope=scope, budgets=budgets.get(scope, ())),)


def budget_of(part: BudgetPart) -> Budget:
    cheap = part.cheaper_than
    return Budget(
        limit_pusd=int(part.usd * Decimal(PUSD_PER_USD)),
        per=part.per,
        until=part.until,
        on_exhausted=part.on_exhausted,
        cheaper_than=None
        if cheap is None
        else Price(
            input_pusd_per_mtok=pusd_per_mtok(cheap.input_usd_per_mtok),
            output_pusd_per_mtok=pusd_per_mtok(cheap.output_usd_per_mtok),
        ),
    )


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
