"""The fields by which a request says who may serve it: OpenRouter's `models` and `provider`.

They are acted on here and not sent on. Shapes: https://openrouter.ai/docs/features/provider-routing and
https://openrouter.ai/docs/features/model-routing
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

import msgspec

from headgate.errors import InvalidRequest
from headgate.types.deployment import Body
from headgate.types.money import pusd_per_mtok
from headgate.types.policy import Order, Preferences
from headgate.wire import json

FIELDS = ("models", "provider")
MOST_MODELS = 20
SORTS = {"price": Order.CHEAPEST, "throughput": Order.FASTEST, "latency": Order.FASTEST}

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Names = Annotated[list[Name], msgspec.Meta(max_length=100)]
Models = Annotated[list[Name], msgspec.Meta(max_length=MOST_MODELS)]
_DIGITS = 12
_LONGEST_SHOWN = 100
_UNKNOWN = "Object contains unknown field "


class HighestPrices(msgspec.Struct, forbid_unknown_fields=True):
    """US dollars for a million tokens, and for a request."""

    prompt: float | str | None = None
    completion: float | str | None = None
    request: float | str | None = None


class ProviderObject(msgspec.Struct, forbid_unknown_fields=True):
    """OpenRouter's `provider` object."""

    order: Names | None = None
    only: Names | None = None
    ignore: Names | None = None
    allow_fallbacks: bool | None = None
    require_parameters: bool | None = None
    quantizations: Names | None = None
    sort: Literal["price", "throughput", "latency"] | None = None
    max_price: HighestPrices | None = None
    data_collection: Literal["allow", "deny"] | None = None
    zdr: bool | None = None
    enforce_distillable_text: bool | None = None
    preferred_min_throughput: Any = None
    preferred_max_latency: Any = None


_models = json.Decoder[list[str] | None](Models | None)
_provider = json.Decoder[ProviderObject | None](ProviderObject | None)


def take_preferences(fields: Body) -> Preferences | None:
    """Take the two fields out of a body; None when it has neither. Raises InvalidRequest naming the field."""
    if "models" not in fields and "provider" not in fields:
        return None
    models = _decoded(_models, "models", fields) or ()
    for place, name in enumerate(models):
        if not name.isprintable():
            raise not_printable(f"models[{place}]")
    wanted = _decoded(_provider, "provider", fields)
    if wanted is None:
        return Preferences(models=tuple(models)) if models else None
    _refuse_unkeepable(wanted)
    prices = wanted.max_price or HighestPrices()
    return Preferences(
        models=tuple(models),
        order=_folded(wanted.order),
        only=_folded(wanted.only),
        ignore=_folded(wanted.ignore),
        allow_fallbacks=wanted.allow_fallbacks is not False,
        require_parameters=wanted.require_parameters is True,
        quantizations=None if not wanted.quantizations else frozenset(_folded(wanted.quantizations)),
        sort=None if wanted.sort is None else SORTS[wanted.sort],
        max_input_pusd_per_mtok=_pusd(prices.prompt, "prompt"),
        max_output_pusd_per_mtok=_pusd(prices.completion, "completion"),
        max_request_pusd=_pusd(prices.request, "request"),
        ignored=tuple(
            f"provider.{name}"
            for name in ("preferred_min_throughput", "preferred_max_latency")
            if getattr(wanted, name) is not None
        ),
    )


def not_printable(param: str) -> InvalidRequest:
    """For the name of a model, which goes into reply headers and messages."""
    return InvalidRequest(f"`{param}` holds characters that cannot be printed", param=param, code="invalid_value")


def _decoded(decoder: json.Decoder[Any], name: str, fields: Body) -> Any:
    raw = fields.pop(name, None)
    if raw is None:
        return None
    try:
        return decoder.decode(raw)
    except json.DecodeError as error:
        text, _, place = str(error).partition(" - at `$")
        param = name + place.rstrip("`")
        if text.startswith(_UNKNOWN):
            param = f"{param}.{text.removeprefix(_UNKNOWN).strip('`')[:_LONGEST_SHOWN]}"
            raise InvalidRequest(f"`{param}` is not known here", param=param, code="unknown_parameter") from None
        raise InvalidRequest(f"`{param}`: {text[:1].lower()}{text[1:]}", param=param, code="invalid_type") from None


def _refuse_unkeepable(wanted: ProviderObject) -> None:
    """Promises about what a provider does with a conversation, which nobody here can keep."""
    for name, asked in (
        ("data_collection", wanted.data_collection == "deny"),
        ("zdr", wanted.zdr is True),
        ("enforce_distillable_text", wanted.enforce_distillable_text is True),
    ):
        if asked:
            raise InvalidRequest(
                f"`provider.{name}` cannot be kept: what providers do with requests is between them and the operator; "
                "name those you trust in `provider.only`",
                param=f"provider.{name}",
                code="unsupported_parameter",
            )


def _folded(names: list[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip().lower() for name in names or ()))


def _pusd(usd: float | str | None, name: str) -> int | None:
    """US dollars as pico-dollars; the finest part of a float is rounded away."""
    if usd is None:
        return None
    try:
        # A float is read by the digits it prints with: those the client wrote.
        return pusd_per_mtok(round(Decimal(str(usd)), _DIGITS))
    except (ValueError, InvalidOperation):
        param = f"provider.max_price.{name}"
        raise InvalidRequest(f"`{param}` must be US dollars, 0 or more", param=param, code="invalid_value") from None
