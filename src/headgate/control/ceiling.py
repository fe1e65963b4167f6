"""Nothing that is made here reaches further than who made it."""

from __future__ import annotations

from collections.abc import Iterable

from headgate.control.actor import Actor
from headgate.control.failures import Forbidden
from headgate.control.fields import instant_text
from headgate.store.engine import Store
from headgate.store.records import Key, Token
from headgate.types.policy import KeyLimits
from headgate.types.principal import ANY_MODEL, covers

Ceiling = tuple[tuple[str, ...], KeyLimits]
"""Model patterns and limits that nothing may exceed."""

ABOVE = "above_ceiling"
"""The code of a refusal because something would reach further than who makes it."""

_LIMITS = ("rpm", "tpm", "concurrent")


def ceiling_of(token: Token | Actor) -> Ceiling:
    """The most a token's keys may have."""
    return (token.models if token.models is not None else ANY_MODEL, token.limits)


def check_models(models: tuple[str, ...], ceilings: Iterable[Ceiling]) -> None:
    """Raise Forbidden when a pattern admits a model that a ceiling does not."""
    for allowed, _ in ceilings:
        for pattern in models:
            if not covers(allowed, (pattern,)):
                raise Forbidden(
                    f"models: {pattern} is more than the token that makes it may use: {', '.join(allowed)}",
                    param="models",
                    code=ABOVE,
                )


def check_targets(targets: Iterable[str], actor: Actor) -> None:
    """Raise Forbidden when a target of a route is a model that the caller may not use: a route is another name for it.

    A target is judged as it is written. One without its provider stands for every provider of the model, so that a
    ceiling that names one of them does not admit it.
    """
    for target in targets:
        if not covers(actor.models, (target,)):
            raise Forbidden(
                f"definition: {target} is more than the token that makes the route may use: {', '.join(actor.models)}",
                param="definition",
                code=ABOVE,
            )


def end_within(asked: int | None, *most: int | None) -> int | None:
    """When something ends that ends no later than any of `most`; all are Unix seconds, None is never.

    Raises Forbidden when it is asked to end later.
    """
    latest = min((one for one in most if one is not None), default=None)
    if asked is None or latest is None:
        return latest if asked is None else asked
    if asked > latest:
        raise Forbidden(
            f"expires_at: nothing outlives the token that makes it, which ends at {instant_text(latest)}",
            param="expires_at",
            code=ABOVE,
        )
    return asked


def check_limits(limits: KeyLimits, ceilings: Iterable[Ceiling]) -> None:
    """Raise Forbidden when a limit is above a ceiling. No limit is fine: the creator's counts for each request too."""
    for _, most in ceilings:
        for name in _LIMITS:
            asked, allowed = getattr(limits, name), getattr(most, name)
            if asked is not None and allowed is not None and asked > allowed:
                raise Forbidden(
                    f"limits.{name}: {asked} is more than the token that makes it may use: {allowed}",
                    param=f"limits.{name}",
                    code=ABOVE,
                )


def is_held(store: Store, actor: Actor) -> bool:
    """Whether the caller's token has a ceiling or a budget, which hold only for keys it makes itself."""
    if actor.token is None:
        return False
    return (
        actor.models != ANY_MODEL or actor.limits != KeyLimits() or bool(store.budgets.of(None, f"token:{actor.token}"))
    )


def check_may_lift(store: Store, actor: Actor, key: Key) -> None:
    """Raise Forbidden when the caller would reach beyond its own ceiling through a key that somebody else made."""
    if key.creator_token != actor.token and is_held(store, actor):
        raise Forbidden("a token with a ceiling or a budget may change only keys that it made itself")
