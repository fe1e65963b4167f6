"""The usage in a provider's stream: read wherever it stands, taken out, and told once at the end."""

from __future__ import annotations

import msgspec

from headgate.dialects.openai.usage import completed, parse_tier, parse_usage, render_usage
from headgate.types.request import Envelope
from headgate.types.usage import Usage
from headgate.wire import json, sse

_ABSENT = msgspec.Raw()
_USAGE = b'"usage"'
_NULL_USAGE = b',"usage":null'
BYTES_PER_TOKEN = 4


class _Tier(msgspec.Struct, gc=False):
    service_tier: msgspec.Raw = _ABSENT


_tier = json.Decoder[_Tier](_Tier)


class StreamUsage:
    """What a stream says it has used.

    `wanted`      the client asked to be told
    `reported`    the latest usage that says something
    `aside_mark`  bytes that an event has which may hold usage inside the provider's own object; None: there is none
    """

    def __init__(self, envelope: Envelope, aside: str | None) -> None:
        self.wanted = envelope.include_usage
        self.reported: Usage | None = None
        self.aside_mark = None if aside is None else b'"%s"' % aside.encode()
        self._keep = envelope.continuous_usage
        self._aside = aside
        self._request_size = envelope.size
        self._event = b""
        self._raw: bytes | None = None
        self._counted = b""
        self._counted_after = 0

    def take(self, event: bytes, data: bytes, raw: bytes, pieces: int, *, beside: bool) -> bytes:
        """Read the usage of an event, `beside` parts of the answer or alone; what of the event goes to the client."""
        if raw == b"null":
            return event if self.wanted else _without_usage(event, data)
        self.count(raw, data, pieces)
        if self._keep and beside:
            return event
        if beside:
            return _without_usage(event, data)
        self._event = data
        return b""

    def count(self, raw: bytes, data: bytes, pieces: int) -> None:
        """Keep a usage that came after so many pieces of the answer."""
        usage = parse_usage(raw)
        if usage is not None and (usage.tokens or self.reported is None):
            # Some servers end with a chunk of zeros behind the one that counts.
            self.reported, self._raw, self._counted = usage, raw, data
            self._counted_after = pieces

    def take_aside(self, event: bytes, pieces: int) -> bytes:
        """Usage inside a provider's own object: read it, and take it out as it was not asked for there."""
        assert self._aside is not None
        fields = json.parse_body(sse.data_of(event))
        aside = json.parse(fields[self._aside]) if self._aside in fields else None
        if not isinstance(aside, dict) or "usage" not in aside:
            return event
        raw = json.encode(aside.pop("usage"))
        if self.reported is None:
            self.count(raw, sse.data_of(event), pieces)
        fields[self._aside] = json.raw(aside)
        return sse.render(json.encode(fields))

    def account_for(self, usage: Usage) -> None:
        """Tell this usage at the end, in place of what this stream alone has used."""
        self.reported, self._raw, self._counted = usage, None, b""

    def settled(self, pieces: int, last: bytes, *, says: bool) -> Usage:
        """What the provider reported; what it left out by size: four bytes a token in, one token a piece out.

        With `says` something was written: then a report of no output, or one that came before most of it, is completed
        as well. The service tier it billed stands beside the usage, or in `last`, the last event with an answer.
        """
        usage = completed(self.reported, self._request_size // BYTES_PER_TOKEN, pieces)
        missing = pieces - usage.completion_tokens
        # Behind a usage that is that of all of it comes a finish reason at most.
        if missing > 0 and says and (usage.completion_tokens == 0 or pieces - self._counted_after > 1):
            usage = msgspec.structs.replace(usage, output=usage.output + missing, estimated=True)
        tier = usage.service_tier or _tier_of(self._counted) or _tier_of(last)
        return usage if tier is None else msgspec.structs.replace(usage, service_tier=tier)

    def event(self, settled: Usage, last: bytes, headgate: dict[str, object]) -> bytes:
        """The last chunk with `choices: []`: the provider's own where it sent one, else made from its last chunk."""
        try:
            fields = json.parse_body(self._event or last or b"{}")
        except json.DecodeError:
            fields = {}
        if self._aside is not None:
            fields.pop(self._aside, None)
        fields["choices"] = json.raw([])
        told = None if settled.estimated else self._raw
        fields["usage"] = msgspec.Raw(told) if told else json.raw(render_usage(settled))
        fields["headgate"] = json.raw(headgate)
        return json.encode(fields)


def _tier_of(data: bytes) -> str | None:
    if b'"service_tier"' not in data:
        return None
    try:
        return parse_tier(_tier.decode(data).service_tier)
    except json.DecodeError:
        return None


def _without_usage(event: bytes, data: bytes) -> bytes:
    """The event without its top-level `usage`, other bytes alone where that is possible."""
    if event.count(_USAGE) == 1:
        # Inside a string the quotes would be escaped, so this is the field itself, and none of an inner object.
        shorter = event.replace(_NULL_USAGE, b"")
        if len(shorter) < len(event):
            return shorter
    fields = json.parse_body(data)
    fields.pop("usage", None)
    return sse.render(json.encode(fields))
