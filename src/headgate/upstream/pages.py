"""All answers that make up a provider's list: its pages one after the other, then the details of single models."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping

import msgspec

from headgate.providers.provider import Listing
from headgate.types.deployment import Upstream
from headgate.types.listing import Ask, ListedModel, ListPage, ListUnreadable
from headgate.types.secret import Secret
from headgate.upstream.fetch import FetchFailed, FetchReason, fetch
from headgate.upstream.pool import Pool

MAX_ASKS = 300
MAX_BYTES = 32 * 2**20
ASK_S = 30.0
LIST_S = 300.0
MAX_LOST = 10
"""So many models' details may fail before the list does."""

Format = Callable[[bytes, Ask], ListPage]
"""Reads one answer. Raises ListUnreadable."""


class Pages(msgspec.Struct, frozen=True):
    """The models of each answer, in order; `stale` are those of which something is as it was known before.

    `failures` are lists, of the several that a provider has, that could not be read: a reason as a code, and in words.
    """

    answers: tuple[tuple[ListedModel, ...], ...]
    stale: frozenset[str]
    failures: tuple[tuple[str, str], ...] = ()


async def read_pages(
    pool: Pool,
    upstream: Upstream,
    secret: Secret | None,
    listings: Iterable[Listing],
    formats: Mapping[str, Format],
    *,
    env: Mapping[str, str],
    last: Mapping[str, ListedModel],
) -> Pages:
    """Ask for everything, at most `MAX_ASKS` requests and `MAX_BYTES` in all, within `LIST_S` seconds.

    What cannot be fetched is as `last` has it: the details of a model, or what one of several lists would say. Raises
    FetchFailed and ListUnreadable when no list can be read.
    """
    reading = _Reading(pool, upstream, secret, env, last)
    answers: list[tuple[ListedModel, ...]] = []
    failures: list[FetchFailed | ListUnreadable] = []
    every = tuple(listings)
    for listing in every:
        try:
            answers += await reading.read(listing, formats[listing.format])
        except (FetchFailed, ListUnreadable) as failure:
            failures.append(failure)
    if failures and len(failures) == len(every):
        raise failures[0]
    if failures:
        answers.insert(0, tuple(last.values()))
        reading.stale |= last.keys()
    return Pages(tuple(answers), frozenset(reading.stale), tuple(map(why, failures)))


def why(failure: FetchFailed | ListUnreadable) -> tuple[str, str]:
    """A failure as a code and in words."""
    return (failure.reason, failure.message) if isinstance(failure, FetchFailed) else ("unreadable", str(failure))


class _Reading:
    """What is left of the bounds of one list, and what has come of it."""

    def __init__(
        self,
        pool: Pool,
        upstream: Upstream,
        secret: Secret | None,
        env: Mapping[str, str],
        last: Mapping[str, ListedModel],
    ) -> None:
        self._pool = pool
        self._upstream = upstream
        self._secret = secret
        self._env = env
        self._last = last
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + LIST_S
        self._left_bytes = MAX_BYTES
        self._left_asks = MAX_ASKS
        self._lost = 0
        self.stale: set[str] = set()

    async def read(self, listing: Listing, parse: Format) -> list[tuple[ListedModel, ...]]:
        """Read one list to its end."""
        answers: list[tuple[ListedModel, ...]] = []
        pages, details = deque(listing.asks), deque[Ask]()
        asked: set[Ask] = set()
        while pages or details:
            ask = pages.popleft() if pages else details.popleft()
            if ask in asked:
                # A page that names itself, or one before it, as the next would never end.
                continue
            asked.add(ask)
            page = await self._page(listing, ask, parse)
            answers.append(page.models)
            for more in page.more:
                (pages if more.about is None else details).append(more)
        return answers

    async def _page(self, listing: Listing, ask: Ask, parse: Format) -> ListPage:
        try:
            return await self._answer(listing, ask, parse)
        except (FetchFailed, ListUnreadable):
            self._lost += 1
            if ask.about is None or self._lost > MAX_LOST:
                raise
        return self._as_it_was(ask.about)

    async def _answer(self, listing: Listing, ask: Ask, parse: Format) -> ListPage:
        if self._left_asks <= 0:
            if ask.about is not None:
                return self._as_it_was(ask.about)
            raise FetchFailed(FetchReason.TOO_MANY_ASKS, f"it has no end after {MAX_ASKS} requests")
        self._left_asks -= 1
        body = await fetch(
            self._pool,
            _as_listed(self._upstream, listing),
            self._secret,
            ask,
            listing.headers,
            env=self._env,
            limit_bytes=self._left_bytes,
            timeout_s=min(ASK_S, max(0.0, self._deadline - self._loop.time())),
        )
        self._left_bytes -= len(body)
        # A list can be megabytes, and clients are served meanwhile.
        return await self._loop.run_in_executor(None, parse, body, ask)

    def _as_it_was(self, id: str) -> ListPage:
        known = self._last.get(id)
        if known is None:
            return ListPage()
        self.stale.add(id)
        return ListPage(models=(known,))


def _as_listed(upstream: Upstream, listing: Listing) -> Upstream:
    """The upstream as its list is called: some take the credential in another header there."""
    if listing.auth_header is None:
        return upstream
    return msgspec.structs.replace(upstream, auth_header=listing.auth_header)
