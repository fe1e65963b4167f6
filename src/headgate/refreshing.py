"""What providers publish about their models, fetched again and again: judged, kept on disk, and taken into use.

Nothing of it is on the path of a request. A list that cannot be fetched, read or believed changes nothing: the last
good copy serves on, and the log says why.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from headgate.catalog.changes import Change
from headgate.catalog.copies import Copy, Shelf
from headgate.catalog.guards import Known, ListRefused, Refusal, gather, judge
from headgate.catalog.market import Market
from headgate.catalog.offers import load_offers
from headgate.catalog.overlay import absent
from headgate.catalog.schedule import HOUR_S, Schedule, Timing
from headgate.config.compile import compile_snapshot
from headgate.config.document import Document
from headgate.config.variables import expand
from headgate.providers.builtin import PROVIDERS
from headgate.providers.listings import FORMATS
from headgate.providers.provider import Listing
from headgate.types.listing import Ask, ListedModel, ListUnreadable
from headgate.types.secret import Secret
from headgate.types.snapshot import Snapshot
from headgate.upstream.fetch import FetchFailed, FetchReason
from headgate.upstream.lists import ListKey, Wanted, lists_of
from headgate.upstream.pages import Format, Pages, read_pages, why
from headgate.upstream.pool import Pool

AT_ONCE = 4
log = logging.getLogger("headgate")


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of fetching one list.

    `failed` is why nothing of it is used, as a code and in words; None when it went well. `age_s` is then how old the
    copy is that serves on, None when there is none. `partly` is why one of several lists of the provider is not used.
    `absent` are offers of the catalogue that the list leaves out.
    """

    provider: str
    host: str
    models: int = 0
    changes: tuple[Change, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    absent: tuple[str, ...] = ()
    partly: tuple[tuple[str, str], ...] = ()
    failed: tuple[str, str] | None = None
    age_s: float | None = None


class Refresher:
    """Fetches lists, judges them and keeps what is good."""

    def __init__(
        self, pool: Pool, shelf: Shelf, env: Mapping[str, str], formats: Mapping[str, Format] = FORMATS
    ) -> None:
        self._pool = pool
        self._shelf = shelf
        self._env = env
        self._formats = formats

    async def refresh(self, wanted: Iterable[Wanted]) -> tuple[Report, ...]:
        """Fetch these lists, a few at a time, and keep the good ones; a report on each, in their order.

        Two providers at the same address with the same credential are asked once.
        """
        every = tuple(wanted)
        groups: dict[tuple[str, Secret | None, tuple[Listing, ...]], list[Wanted]] = {}
        for one in every:
            groups.setdefault((one.upstream.base_url, one.secret, one.listings), []).append(one)
        places = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self._refresh(group, places)) for group in groups.values()]
        reports = {key: report for task in running for key, report in task.result().items()}
        return tuple(reports[one.key] for one in every)

    async def _refresh(self, group: list[Wanted], places: asyncio.Semaphore) -> dict[ListKey, Report]:
        first = group[0]
        loop = asyncio.get_running_loop()
        async with places:
            last = await loop.run_in_executor(None, self._shelf.copy, *first.key)
            known = {} if last is None else last.by_id
            try:
                listings = filled(first.listings, self._env)
                pages: Pages | tuple[str, str] = await read_pages(
                    self._pool, first.upstream, first.secret, listings, self._formats, env=self._env, last=known
                )
            except (FetchFailed, ListUnreadable) as failure:
                pages = why(failure)
            except Exception:  # because a defect in reading one provider's list must not keep the others' from use
                log.exception("catalog: the list of %s was not read", first.provider)
                pages = "defect", "reading it failed; the log says where"
            return {one.key: await loop.run_in_executor(None, self._report, one, pages) for one in group}

    def _report(self, wanted: Wanted, pages: Pages | tuple[str, str]) -> Report:
        """Judge what came, and keep it. Runs in a thread."""
        last = self._shelf.copy(*wanted.key)
        failed: tuple[str, str]
        if isinstance(pages, Pages):
            try:
                return self._keep(wanted, pages, last)
            except ListRefused as refusal:
                failed = refusal.reason, refusal.message
            except OSError as error:
                failed = "not_kept", f"it cannot be written: {error.strerror}"
            except Exception:  # because a defect in judging one list must not keep the others from use
                log.exception("catalog: the list of %s was not judged", wanted.provider)
                failed = "defect", "judging it failed; the log says where"
        else:
            failed = pages
        return Report(provider=wanted.provider, host=wanted.host, failed=failed, age_s=_age_s(last))

    def _keep(self, wanted: Wanted, pages: Pages, last: Copy | None) -> Report:
        offers = load_offers([wanted.provider])[wanted.provider] if wanted.provider in PROVIDERS else ()
        known = Known(
            provider=wanted.provider,
            last={} if last is None else last.by_id,
            offers={offer.upstream_id: offer for offer in offers},
            market=Market(offer for sold in load_offers(PROVIDERS).values() for offer in sold),
        )
        judged = judge(gather(pages.answers), known)
        as_before = (judged.carried | pages.stale) & known.last.keys()
        before = {} if last is None else {id: last.source_of_prices(id) for id in as_before}
        copy = Copy(
            provider=wanted.provider,
            host=wanted.host,
            fetched_at=datetime.now(UTC).replace(microsecond=0),
            models=judged.models,
            older={one.id: before[one.id] for one in judged.models if one.id in before and _as_before(one, known)},
        )
        return Report(
            provider=wanted.provider,
            host=wanted.host,
            models=len(judged.models),
            changes=self._shelf.keep(copy, wanted.upstream.base_url, wanted.secret),
            refusals=judged.refusals,
            partly=pages.failures,
            absent=absent(offers, copy),
        )


def _age_s(copy: Copy | None) -> float | None:
    return None if copy is None else time.time() - copy.fetched_at.timestamp()


def _as_before(model: ListedModel, known: Known) -> bool:
    return bool(model.prices) and dict(model.prices) == dict(known.last[model.id].prices)


def filled(listings: Iterable[Listing], env: Mapping[str, str]) -> list[Listing]:
    """Listings whose paths hold what the environment says in the place of `${NAME}`. Raises FetchFailed."""
    made = []
    for listing in listings:
        paths = [expand(ask.path, env) for ask in listing.asks]
        if missing := [name for path in paths for name in path.missing]:
            raise FetchFailed(FetchReason.BAD_ADDRESS, f"its address needs ${{{missing[0]}}} from the environment")
        asks = [Ask(path.text, ask.body, ask.about) for path, ask in zip(paths, listing.asks, strict=True)]
        made.append(msgspec.structs.replace(listing, asks=tuple(asks)))
    return made


class RefreshTimer:
    """Refreshes what is due, and has a snapshot made anew when something changed, also by another process.

    `snapshot` gives the one in use, `hours` the interval (0 is never), `changed` makes the next snapshot and returns
    when it is in use; it is called in a thread. `seen` is the state of the history that the first one was made from.
    """

    def __init__(
        self,
        refresher: Refresher,
        shelf: Shelf,
        *,
        snapshot: Callable[[], Snapshot],
        hours: Callable[[], int],
        changed: Callable[[], object],
        seen: tuple[int, int],
        timing: Timing | None = None,
    ) -> None:
        self._refresher = refresher
        self._shelf = shelf
        self._snapshot = snapshot
        self._hours = hours
        self._changed = changed
        self._seen = seen
        self._timing = timing or Timing()
        self._told: dict[ListKey, object] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the running loop. Pair it with `stop`."""
        self._loop = asyncio.get_running_loop()
        self._schedule = Schedule(self._timing, self._loop.time(), random.random)
        self._task = self._loop.create_task(self._run(), name="catalog refresh")

    async def stop(self) -> None:
        """Stop, in the middle of a list if need be, and wait until it has stopped."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._timing.look_s)
            try:
                await self._look()
            except Exception:  # because a defect here must not keep figures as they are for good
                log.exception("catalog: refreshing failed")

    async def _look(self) -> None:
        due = await self._loop.run_in_executor(None, self._due, self._loop.time())
        if due:
            for wanted, report in zip(due, await self._refresher.refresh(due), strict=True):
                self._note(wanted, report)
        mark = await self._loop.run_in_executor(None, self._shelf.history_mark)
        if mark != self._seen:
            await self._loop.run_in_executor(None, self._changed)
            self._seen = mark

    def _due(self, now: float) -> list[Wanted]:
        """The lists to fetch now. Runs in a thread: it looks at files."""
        hours = self._hours()
        if hours == 0:
            return []
        lists = lists_of(self._snapshot())
        self._schedule.keep([one.key for one in lists])
        ages = [_age_s(self._shelf.copy(*one.key)) for one in lists]
        return [
            one
            for one, age_s in zip(lists, ages, strict=True)
            if self._schedule.is_due(one.key, now, hours * HOUR_S, age_s)
        ]

    def _note(self, wanted: Wanted, report: Report) -> None:
        self._schedule.tried(wanted.key, self._loop.time(), failed=report.failed is not None or bool(report.partly))
        # What is wrong with a list is mostly wrong with the next one too; it is told again when it changes.
        refused = frozenset((one.id, one.figure) for one in report.refusals)
        found = report.failed[0] if report.failed else refused | {reason for reason, _ in report.partly}
        if found and found != self._told.get(wanted.key):
            log.log(logging.DEBUG if wanted.own and report.failed else logging.WARNING, "catalog: %s", words(report))
        elif report.changes:
            log.info("catalog: %s", words(report))
        self._told[wanted.key] = found


def words(report: Report) -> str:
    """A report as one line."""
    called = f"the list of {report.provider} ({report.host})"
    if report.failed is not None:
        reason, why = report.failed
        serves = "there is none from before" if report.age_s is None else f"that of {_ago(report.age_s)} serves on"
        return f"{called} is not used, {reason}: {why}; {serves}"
    parts = [f"{called} has {report.models} models, {len(report.changes)} changes"]
    parts += [f"a part of it was not read, {reason}: {words}" for reason, words in report.partly]
    if report.refusals:
        counted = Counter(one.reason for one in report.refusals)
        parts.append("not used: " + ", ".join(f"{count} {reason}" for reason, count in counted.most_common()))
    return "; ".join(parts)


def _ago(age_s: float) -> str:
    hours = age_s / HOUR_S
    return f"{hours:.0f} hours ago" if hours < 48 else f"{hours / 24:.0f} days ago"


async def refresh_once(
    document: Document,
    env: Mapping[str, str],
    data_dir: Path,
    *,
    snapshot: Snapshot | None = None,
    providers: Iterable[str] | None = None,
    formats: Mapping[str, Format] = FORMATS,
) -> tuple[Report, ...]:
    """Fetch the lists of a document's providers once, without a gateway; a running one takes them up by itself.

    `snapshot` stands for the document where the store's credentials count too; `providers` names the only ones wanted.
    """
    made = snapshot or compile_snapshot(document, revision=1, created=0, issued_keys={})
    named = None if providers is None else frozenset(providers)
    pool = Pool()
    try:
        refresher = Refresher(pool, Shelf(data_dir), env, formats)
        return await refresher.refresh(one for one in lists_of(made) if named is None or one.provider in named)
    finally:
        await pool.close()
