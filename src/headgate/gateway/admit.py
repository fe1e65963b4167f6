"""Whether a request may go on: the key's models. Limits and the reservation of its worst-case cost belong here."""

from __future__ import annotations

from headgate.errors import NotAllowed
from headgate.types.request import Request


def admit(request: Request) -> None:
    """Raises NotAllowed when the key does not cover the model."""
    principal, model = request.principal, request.envelope.model
    if not principal.may_use(model):
        allowed = ", ".join(principal.models[:5])
        raise NotAllowed(f"the key {principal.key!r} may not use {model[:200]!r}; it may use: {allowed}", param="model")
