"""From a request to its plan: names and requirements once for each snapshot, order anew for each request."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

from headgate.catalog.estimate import asked_tier, parts, writing
from headgate.routing.observed import Observed
from headgate.routing.plan import Asked, plan
from headgate.routing.requirements import Extent
from headgate.routing.resolve import Resolution, resolve
from headgate.routing.shortlist import Shortlist, Wanted, shortlist
from headgate.types.policy import Order, Preferences
from headgate.types.principal import Principal
from headgate.types.request import Envelope, Plan, Request
from headgate.types.snapshot import Snapshot

MOST_SHORTLISTS = 2_000
LONGEST_NAME = 300
"""Names longer than this are not worth remembering: nobody's model is called so."""
MOST_NAMES = 20
"""Nor are requests that name more providers and models than this: what is remembered is as large as what they list."""

MOST_TOKENS = 10**12
MOST_ANSWERS = 10**6
"""Larger figures of a client's mean nothing, and what is worked out from them would fit nowhere."""

FILE_BYTES_PER_TOKEN = 32
"""Of a file sent inside the request, in base64: little of it is the text that a model reads."""

_BACKSLASH = ord("\\")
_ESCAPE = b"\\u"
_ESCAPE_WASTE = 3
"""Bytes by which `\\uXXXX` is longer than most of the characters that are written so."""

_SAMPLE = 65_536
"""Of a longer text so many bytes are looked at: to count in all of it would hold up every other request."""

_FILE = re.compile(rb'("file_data"\s*:\s*")[^"]*')
_TEXTS = ("messages", "prompt", "input")

Known = dict[tuple[str, Wanted], Shortlist | None]


class Planner:
    """Makes plans. `observed` is what traffic has taught; `draw` gives numbers from 0 to 1 where chance decides.

    With `rests` those that keep failing come last; otherwise a breaker sees to them.
    """

    def __init__(self, observed: Observed, draw: Callable[[], float] = random.random, *, rests: bool = False) -> None:
        self._rests = rests
        self._observed = observed
        self._draw = draw
        self._known: WeakKeyDictionary[Snapshot, Known] = WeakKeyDictionary()

    def plan(self, request: Request, now: float, extent: Extent | None = None) -> Plan | None:
        """The plan of a request at a time of the event loop's clock; None when its model's name means nothing.

        `extent` where it was worked out already.
        """
        envelope = request.envelope
        return self.plan_for(
            request.snapshot,
            request.principal,
            envelope,
            extent or extent_of(envelope),
            order=request.order,
            at=request.at_us / 1_000_000,
            now=now,
        )

    def plan_for(
        self,
        snapshot: Snapshot,
        principal: Principal,
        envelope: Envelope,
        extent: Extent,
        *,
        order: Order | None,
        at: float,
        now: float,
    ) -> Plan | None:
        """The same for a request that may be nobody's: of this length, at Unix time `at`."""
        listed = self._shortlist(snapshot, envelope)
        if listed is None:
            return None
        preferences = envelope.preferences
        return plan(
            listed,
            Asked(
                extent=extent,
                at=at,
                now=now,
                draw=self._draw,
                order=order,
                default=(None if preferences is None else preferences.sort) or principal.order,
                usual=self._observed.length(principal.key_id, envelope.model),
                tier=asked_tier(envelope),
                first_only=preferences is not None and not preferences.allow_fallbacks and not preferences.order,
                rests=self._rests,
            ),
        )

    def _shortlist(self, snapshot: Snapshot, envelope: Envelope) -> Shortlist | None:
        known = self._known.get(snapshot)
        if known is None:
            known = self._known[snapshot] = {}
        wanted = Wanted(envelope.operation, envelope.requires, envelope.preferences)
        key = envelope.model, wanted
        try:
            return known[key]
        except KeyError:
            made = self._make(snapshot, envelope, wanted)
        if len(envelope.model) <= LONGEST_NAME and _is_worth_keeping(envelope.preferences):
            if len(known) >= MOST_SHORTLISTS:
                known.clear()
            known[key] = made
        return made

    def _make(self, snapshot: Snapshot, envelope: Envelope, wanted: Wanted) -> Shortlist | None:
        names = (envelope.model, *(wanted.preferences.models if wanted.preferences is not None else ()))
        found = [resolution for name in names if (resolution := resolve(snapshot, name)) is not None]
        return _shortlist(found, envelope, wanted, self._observed) if found else None


def extent_of(envelope: Envelope) -> Extent:
    """How long a request is, as far as its bytes tell.

    What is escaped counts as about so many bytes as it has in UTF-8, and a file sent inside as what is no text.
    """
    text, other = parts(envelope)
    fields = envelope.fields
    for name in _TEXTS:
        if name not in fields:
            continue
        written = bytes(fields[name])
        if "pdf" in envelope.requires:
            rest = _FILE.sub(rb"\1", written)
            text -= len(written) - len(rest)
            other += (len(written) - len(rest)) // FILE_BYTES_PER_TOKEN
            written = rest
        if _BACKSLASH in written:
            text -= _escapes(written) * _ESCAPE_WASTE
    answers, each = writing(envelope)
    return Extent(
        text=text if text > 1 else 1,
        other=other if other < MOST_TOKENS else MOST_TOKENS,
        each=each if each is None or each < MOST_TOKENS else MOST_TOKENS,
        answers=min(answers or 1, MOST_ANSWERS),
    )


def _escapes(text: bytes) -> int:
    sample = text[-_SAMPLE:]
    return sample.count(_ESCAPE) * len(text) // len(sample)


def _is_worth_keeping(preferences: Preferences | None) -> bool:
    if preferences is None:
        return True
    quantizations = preferences.quantizations or ()
    listed = (preferences.models, preferences.order, preferences.only, preferences.ignore, quantizations)
    return not preferences.require_parameters and sum(map(len, listed)) <= MOST_NAMES


def _shortlist(resolutions: Sequence[Resolution], envelope: Envelope, wanted: Wanted, observed: Observed) -> Shortlist:
    return shortlist(resolutions, wanted, envelope.fields, observed.of, observed.density)
