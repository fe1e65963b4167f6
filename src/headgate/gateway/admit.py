"""Whether a request may go on: the key's models. Limits and the reservation of its worst-case cost belong here."""

from __future__ import annotations

from headgate.errors import InvalidRequest, NotAllowed
from headgate.types.principal import Principal
from headgate.types.request import Request
from headgate.wire.json import DecodeError, Decoder, Raw

_names = Decoder[list[str] | None](list[str] | None)


def admit(request: Request) -> None:
    """Raises NotAllowed when the key does not cover the model."""
    principal, envelope = request.principal, request.envelope
    _check(principal, envelope.model, "model")
    if principal.models != ("*",) and "models" in envelope.fields:
        # One provider takes a list of further models to fall back on; a limited key must not get round its limit.
        for model in _further_models(envelope.fields["models"]):
            _check(principal, model, "models")


def _check(principal: Principal, model: str, param: str) -> None:
    if not principal.may_use(model):
        allowed = ", ".join(principal.models[:5])
        raise NotAllowed(f"the key {principal.key!r} may not use {model[:200]!r}; it may use: {allowed}", param=param)


def _further_models(raw: Raw) -> list[str]:
    try:
        return _names.decode(raw) or []
    except DecodeError:
        raise InvalidRequest("`models` must be a list of names", param="models", code="invalid_type") from None
