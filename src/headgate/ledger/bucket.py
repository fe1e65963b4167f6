"""A token bucket in exact integers, and how its state is told to clients."""

from __future__ import annotations

UNITS = 60 * 10**9
"""Parts of one token. A limit of N a minute is N parts a nanosecond, so that no refill is ever rounded."""

_MS_NS = 10**6

Headers = list[tuple[bytes, bytes]]


class Bucket:
    """Holds at most `limit` tokens and gains as many a minute.

    `level` is in parts; below zero it is debt, which refills pay off before anything can be taken again.
    """

    __slots__ = ("at", "full", "level", "limit", "parts_per_ms", "shown")

    def __init__(self, limit: int, now: int) -> None:
        self.change(limit)
        self.level = self.full
        self.at = now

    def change(self, limit: int) -> None:
        """Be of another limit from the last refill on; the next one clips the level to it."""
        # What follows from the limit is worked out once: every request asks.
        self.limit = limit
        self.full = limit * UNITS
        self.parts_per_ms = limit * _MS_NS
        self.shown = b"%d" % limit

    def refill(self, now: int) -> int:
        """Bring the level up to `now` (nanoseconds) and return it.

        A clock that was set back adds nothing and takes nothing away.
        """
        level, full = self.level, self.full
        if level < full:
            if now > self.at:
                level += (now - self.at) * self.limit
                if level > full:
                    level = full
                self.level = level
        elif level > full:
            self.level = level = full
        self.at = now
        return level

    def give_back(self, tokens: int, now: int) -> None:
        """Add tokens; a negative number takes them, into debt if need be."""
        # Without the refill first, time in which the full bucket gained nothing would pay for what is taken here.
        level = self.refill(now) + tokens * UNITS
        self.level = level if level < self.full else self.full

    def level_at(self, now: int) -> int:
        """The level at `now`, changing nothing."""
        return min(self.full, self.level + max(0, now - self.at) * self.limit)

    def wait_ns(self, tokens: int) -> int:
        """Nanoseconds until `tokens`, not more than the limit, can be taken; 0 when they can be at once or never."""
        missing = (self.full if tokens == self.limit else tokens * UNITS) - self.level
        return -(-missing // self.limit) if missing > 0 and self.limit else 0

    def told_reset(self) -> bytes:
        """In what time it is full, as headers tell it; 0s for one that never is."""
        missing = self.full - self.level
        if missing <= 0 or not self.limit:
            return b"0s"
        ms = -(-missing // self.parts_per_ms)
        return b"%dms" % ms if ms < 1000 else render_duration(ms * _MS_NS)


def rate_headers(requests: Bucket | None, tokens: Bucket | None) -> Headers:
    """OpenAI's x-ratelimit headers for two buckets that were just refilled; none for the one that is not there.

    Source: platform.openai.com/docs/guides/rate-limits, "Rate limits in headers".
    """
    headers: Headers = []
    if requests is not None:
        level = requests.level
        headers += (
            (b"x-ratelimit-limit-requests", requests.shown),
            (b"x-ratelimit-remaining-requests", b"%d" % (level // UNITS if level > 0 else 0)),
            (b"x-ratelimit-reset-requests", requests.told_reset()),
        )
    if tokens is not None:
        level = tokens.level
        headers += (
            (b"x-ratelimit-limit-tokens", tokens.shown),
            (b"x-ratelimit-remaining-tokens", b"%d" % (level // UNITS if level > 0 else 0)),
            (b"x-ratelimit-reset-tokens", tokens.told_reset()),
        )
    return headers


def render_duration(ns: int) -> bytes:
    """A time as Go writes it, in whole milliseconds and never less than it is: 120ms, 1s, 1.5s, 6m0s, 1h0m0s."""
    ms = -(-ns // _MS_NS)
    if ms < 1000:
        return b"%dms" % ms if ms else b"0s"
    seconds, ms = divmod(ms, 1000)
    fraction = (b".%03d" % ms).rstrip(b"0") if ms else b""
    if seconds < 60:
        return b"%d%bs" % (seconds, fraction)
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return b"%dm%d%bs" % (minutes, seconds, fraction)
    hours, minutes = divmod(minutes, 60)
    return b"%dh%dm%d%bs" % (hours, minutes, seconds, fraction)
