"""What a sandbox request asks for, and refusals of what no provider would accept."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from headgate.providers.sandbox.draft import JSON_HEADERS, error_body
from headgate.types.script import Script, Step
from headgate.wire import json

MAX_CHOICES = 16
_RANGES = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}


class Refused(Exception):
    """The request is malformed; `param` names the field, as OpenAI does."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.status = status

    def script(self) -> Script:
        body = error_body(self.message, type="invalid_request_error", param=self.param, code=self.code)
        return Script(status=self.status, headers=JSON_HEADERS, steps=(Step(0.0, json.encode(body)),))


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What chat and legacy completions have in common. `seed` is a digest of the body: ids are derived from it."""

    model: str
    seed: str
    stream: bool = False
    include_usage: bool = False
    n: int = 1
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()


def parse_request(body: bytes) -> dict[str, Any]:
    """Decode a request; fields that are null count as absent. Raises Refused unless it is an object with a model."""
    try:
        request = json.parse(body)
    except json.DecodeError as error:
        raise Refused(f"The body of the request is not valid JSON: {error}") from None
    if not isinstance(request, dict):
        raise Refused("The body of the request has to be a JSON object.")
    request = {name: value for name, value in request.items() if value is not None}
    model = request.get("model")
    if not isinstance(model, str) or not model:
        raise Refused("A model is required, as a string.", param="model")
    return request


def seed_of(body: bytes) -> str:
    """64 hexadecimal digits that stand for the request."""
    return hashlib.sha256(body).hexdigest()


def parse_ask(request: dict[str, Any], seed: str) -> Ask:
    """The common fields, checked. Raises Refused."""
    for name, (low, high) in _RANGES.items():
        _number(request, name, low, high)
    stream = flag(request, "stream")
    options = request.get("stream_options")
    if options is not None:
        if not isinstance(options, dict):
            raise Refused("stream_options has to be an object.", param="stream_options")
        if not stream:
            raise Refused("stream_options is allowed only when stream is true.", param="stream_options")
    cap = whole(request, "max_completion_tokens", 1, None)
    if cap is None:
        cap = whole(request, "max_tokens", 1, None)
    return Ask(
        model=request["model"],
        seed=seed,
        stream=stream,
        include_usage=flag(options, "include_usage", "stream_options.") if options else False,
        n=whole(request, "n", 1, MAX_CHOICES) or 1,
        max_tokens=cap,
        stop=_stop(request.get("stop")),
    )


def flag(fields: dict[str, Any], name: str, path: str = "") -> bool:
    """A boolean, false when absent."""
    value = fields.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise Refused(f"{path}{name} has to be true or false.", param=path + name)
    return value


def whole(fields: dict[str, Any], name: str, low: int, high: int | None) -> int | None:
    """A whole number within bounds, None when absent."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refused(f"{name} has to be a whole number.", param=name)
    if value < low or (high is not None and value > high):
        bounds = f"at least {low}" if high is None else f"from {low} to {high}"
        raise Refused(f"{name} has to be {bounds}, it is {value}.", param=name)
    return value


def _number(fields: dict[str, Any], name: str, low: float, high: float) -> None:
    value = fields.get(name)
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Refused(f"{name} has to be a number.", param=name)
    if not low <= value <= high:
        raise Refused(f"{name} has to be from {low} to {high}, it is {value}.", param=name)


def _stop(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    sequences = [value] if isinstance(value, str) else value
    if not isinstance(sequences, list) or not all(isinstance(sequence, str) for sequence in sequences):
        raise Refused("stop has to be a string or a list of strings.", param="stop")
    if len(sequences) > 4:
        raise Refused("stop takes up to 4 sequences.", param="stop")
    return tuple(sequence for sequence in sequences if sequence)
