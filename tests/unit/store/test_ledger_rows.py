"""The ledger in the database, on SQLite and on Postgres."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from datetime import date, timedelta
from itertools import islice

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from headgate.store.engine import Store
from headgate.store.errors import BadValue
from headgate.store.ledger_insert import rows_in_next
from headgate.store.ledger_query import By, Filters, Sum
from headgate.types.entry import Entry, Outcome
from headgate.types.money import Cost, CostSource, Price
from headgate.types.usage import Usage
from tests.unit.ledger.entries import AT_US, COST_PUSD, DAY_US, PRICE, SOURCE, USED, attempt, entry, ids

TODAY = AT_US // DAY_US


def counted(store: Store, table: str) -> int:
    with store.engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_an_entry_comes_back_as_it_was_recorded(store: Store) -> None:
    number = ids()
    recorded = entry(
        next(number),
        attempts=(
            attempt(result="overloaded", usage=None, pusd=None, provider="one"),
            attempt(usage=Usage(input=3, cached_input=4, output=5, service_tier="flex"), provider="two"),
        ),
    )
    assert store.ledger.add([recorded]) == 1
    assert store.ledger.get(None, recorded.id) == recorded
    assert store.ledger.get("default", recorded.id) == recorded


def test_every_field_of_a_cost_is_kept(store: Store) -> None:
    cost = Cost(
        pusd=700,
        source=CostSource.REPORTED,
        computed_pusd=650,
        reported_pusd=700,
        disagree=True,
        price=Price(input_pusd_per_mtok=1, output_pusd_per_mtok=2, cached_input_pusd_per_mtok=3),
        price_source="the document",
    )
    used = Usage(input=1, output=2, estimated=True, reported_pusd=700)
    recorded = entry(next(ids()), attempts=(msgspec.structs.replace(attempt(), usage=used, cost=cost),))
    store.ledger.add([recorded])
    found = store.ledger.get(None, recorded.id)
    assert found is not None
    assert found.attempts[0].cost == cost
    assert found.attempts[0].usage == used
    assert found.usage is not None
    assert found.usage.estimated


def test_a_refused_request_has_no_attempts_no_usage_and_no_cost(store: Store) -> None:
    refused = entry(next(ids()), outcome=Outcome.REFUSED, status=429, error="rate_limit_exceeded", attempts=())
    store.ledger.add([refused])
    assert store.ledger.get(None, refused.id) == refused


def test_the_same_entry_counts_once_however_often_it_comes(store: Store) -> None:
    number = ids()
    first, second = entry(next(number)), entry(next(number))
    assert store.ledger.add([first, first]) == 1
    assert store.ledger.add([first, second, second, first]) == 1
    assert store.ledger.add([second]) == 0
    assert store.ledger.spending(TODAY)["key:k_dev"] == (2 * COST_PUSD,) * 4
    assert (counted(store, "requests"), counted(store, "attempts"), counted(store, "prices")) == (2, 2, 1)
    assert store.ledger.check().findings == []


runs = itertools.count()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(st.integers(0, 7), max_size=12), max_size=8))
def test_any_repetition_in_any_order_leaves_each_entry_once(store: Store, batches: list[list[int]]) -> None:
    run = f"run{os.getpid()}x{next(runs)}"
    entries = [entry(f"{run}-{number}", key=run, at_us=AT_US + number * DAY_US // 3) for number in range(8)]
    inserted = sum(store.ledger.add([entries[number] for number in batch]) for batch in batches)
    distinct = {number for batch in batches for number in batch}
    assert inserted == len(distinct)
    assert {one.id for one in store.ledger.export(None, Filters(key=run))} == {entries[n].id for n in distinct}
    spent = store.ledger.spending(TODAY).get(f"key:k_{run}", (0, 0, 0, 0))
    assert spent[3] == len(distinct) * COST_PUSD
    assert store.ledger.check().findings == []


def test_two_gateways_that_insert_the_same_entries_at_once_count_them_once(
    open_another: Callable[..., Store],
) -> None:
    entries = [entry(id_, key=f"key{number % 5}") for number, id_ in enumerate(islice(ids(), 400))]
    stores = [open_another() for _ in range(3)]
    inserted: list[int] = []

    def insert(store: Store, order: list[Entry]) -> None:
        inserted.extend(store.ledger.add(order[start : start + 40]) for start in range(0, 400, 40))

    threads = [
        threading.Thread(target=insert, args=(store, entries[shift:] + entries[:shift]))
        for store, shift in zip(stores, (0, 0, 40), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sum(inserted) == 400
    assert (
        sum(spent[3] for scope, spent in stores[0].ledger.spending(TODAY).items() if "key:" in scope) == 400 * COST_PUSD
    )
    assert stores[0].ledger.check().findings == []


def test_a_batch_with_an_entry_that_makes_no_sense_inserts_nothing(store: Store) -> None:
    number = ids()
    good = entry(next(number))
    for bad in (
        entry(next(number), attempts=(attempt(pusd=-1),)),
        entry(next(number), attempts=(attempt(pusd=2**63),)),
        entry(next(number), attempts=(attempt(usage=Usage(input=2**63)),)),
        entry(next(number), at_us=2**63),
    ):
        with pytest.raises(BadValue):
            store.ledger.add([good, bad])
    assert counted(store, "requests") == 0
    assert store.ledger.spending(TODAY) == {}
    assert store.ledger.add([good]) == 1


def test_names_that_clients_write_fit_every_database(store: Store) -> None:
    number = ids()
    recorded = entry(next(number), model="nul\0 and \N{PILE OF POO}")
    long = entry(next(number), model="x" * 10_000)
    store.ledger.add([recorded, long])
    found = store.ledger.get(None, recorded.id)
    assert found is not None
    assert found.model == "nul\ufffd and \N{PILE OF POO}"
    assert len(getattr(store.ledger.get(None, long.id), "model", "")) == 256


def test_spending_is_summed_by_day_week_month_and_in_all(store: Store) -> None:
    number = ids()
    monday = (date(2026, 11, 2) - date(1970, 1, 1)).days
    days = [monday - 2, monday - 1, monday, monday + 1, monday + 2]
    for place, day in enumerate(days):
        cost = 10**place
        store.ledger.add([entry(next(number), at_us=day * DAY_US, attempts=(attempt(pusd=cost),))])
    # October ended on the Saturday before.
    assert (date(1970, 1, 1) + timedelta(days=days[0])).month == 10
    spending = store.ledger.spending(monday + 1)
    assert spending["workspace:default"] == (1_000, 1_100, 1_110, 11_111)
    assert store.ledger.spending(monday + 100)["workspace:default"] == (0, 0, 0, 11_111)


def test_spending_beyond_64_bits_is_summed_exactly(store: Store) -> None:
    number = ids()
    most = 10**18 - 1
    for day in range(12):
        store.ledger.add([entry(next(number), at_us=AT_US + day * DAY_US, attempts=(attempt(pusd=most),))])
    assert store.ledger.spending(TODAY)["workspace:default"][3] == 12 * most > 2**63
    [found] = store.ledger.sums(By.KEY, None)
    assert found.cost_pusd == 12 * most
    assert store.ledger.check().findings == []


def test_pages_go_from_the_newest_to_the_oldest_without_gap_or_repetition(store: Store) -> None:
    made = [entry(id_, at_us=AT_US + (number // 3) * 1000) for number, id_ in enumerate(islice(ids(), 23))]
    store.ledger.add(made)
    seen: list[str] = []
    after: str | None = None
    while page := store.ledger.page("default", after=after, limit=5):
        seen += [one.id for one in page]
        after = seen[-1]
    assert seen == [one.id for one in reversed(made)]


def test_a_page_holds_what_its_filters_ask_for(store: Store) -> None:
    number = ids()
    one = entry(next(number), key="a", model="m1", at_us=AT_US)
    two = entry(next(number), key="b", model="m2", at_us=AT_US + 1, outcome=Outcome.FAILED, status=502)
    three = entry(next(number), key="b", model="m1", at_us=AT_US + 2, attempts=(attempt(provider="other"),))
    store.ledger.add([one, two, three])

    def page(**wanted: object) -> list[Entry]:
        return store.ledger.page(None, Filters(**wanted))  # type: ignore[arg-type]

    assert page(key="b") == page(key="k_b") == [three, two]
    assert page(model="m1") == [three, one]
    assert page(provider="other") == [three]
    assert page(outcome=Outcome.FAILED) == page(status=502) == [two]
    assert page(since_us=AT_US + 1) == [three, two]
    assert page(until_us=AT_US + 1) == [one]
    assert page(key="b", model="m1") == [three]
    assert page(key="nobody") == []


def test_nothing_of_another_workspace_can_be_reached(store: Store) -> None:
    number = ids()
    ours, theirs = entry(next(number), workspace="ours"), entry(next(number), workspace="theirs", at_us=AT_US + 1)
    store.ledger.add([ours, theirs])
    assert store.ledger.get("ours", theirs.id) is None
    assert store.ledger.page("ours") == [ours]
    assert store.ledger.page("ours", Filters(key="k_dev")) == [ours]
    # Where somebody else's request stands in time is nobody's business either.
    assert store.ledger.page("ours", after=theirs.id) == []
    assert list(store.ledger.export("ours")) == [ours]
    for by in By:
        assert sum(found.requests for found in store.ledger.sums(by, "ours")) == 1


def test_sums_by_provider_put_the_cost_of_each_attempt_where_it_was_made(store: Store) -> None:
    number = ids()
    fell_back = entry(
        next(number),
        attempts=(attempt(result="stalled", pusd=40, provider="one"), attempt(pusd=2, provider="two")),
    )
    store.ledger.add([fell_back, entry(next(number), attempts=(attempt(pusd=500, provider="two"),))])
    first, second = store.ledger.sums(By.PROVIDER, None)
    assert (first.name, first.requests, first.attempts, first.failed, first.cost_pusd) == ("two", 2, 2, 0, 502)
    assert (second.name, second.requests, second.attempts, second.failed, second.cost_pusd) == ("one", 1, 1, 1, 40)
    assert first.usage.tokens == 2 * USED.tokens
    assert [found.name for found in store.ledger.sums(By.CREDENTIAL, None)] == ["two/default", "one/default"]
    assert [found.name for found in store.ledger.sums(By.DEPLOYMENT, None)] == ["two/some-model", "one/some-model"]


def test_sums_by_key_model_day_and_workspace(store: Store) -> None:
    number = ids()
    store.ledger.add(
        [
            entry(next(number), key="a", model="m1"),
            entry(next(number), key="a", model="m2", at_us=AT_US + DAY_US),
            entry(next(number), key="b", model="m1", outcome=Outcome.FAILED, attempts=(attempt(pusd=None),)),
        ]
    )

    def shown(found: list[Sum]) -> list[tuple[str, int, int, int, int]]:
        return [(one.name, one.requests, one.failed, one.cost_pusd, one.unpriced) for one in found]

    assert shown(store.ledger.sums(By.KEY, None)) == [("a", 2, 0, 2 * COST_PUSD, 0), ("b", 1, 1, 0, 1)]
    assert shown(store.ledger.sums(By.MODEL, None)) == [("m1", 2, 1, COST_PUSD, 1), ("m2", 1, 0, COST_PUSD, 0)]
    assert shown(store.ledger.sums(By.DAY, None)) == [
        (str(TODAY), 2, 1, COST_PUSD, 1),
        (str(TODAY + 1), 1, 0, COST_PUSD, 0),
    ]
    assert shown(store.ledger.sums(By.WORKSPACE, None)) == [("default", 3, 1, 2 * COST_PUSD, 1)]
    assert shown(store.ledger.sums(By.KEY, None, Filters(model="m2"))) == [("a", 1, 0, COST_PUSD, 0)]


def test_an_export_is_complete_and_in_order_over_many_pages(store: Store) -> None:
    made = [entry(id_, at_us=AT_US + number // 700) for number, id_ in enumerate(islice(ids(), 1_300))]
    for start in range(0, len(made), 300):
        store.ledger.add(made[start : start + 300])
    assert [one.id for one in store.ledger.export(None)] == [one.id for one in made]


def test_old_requests_go_in_batches_and_spending_stays_and_still_balances(store: Store) -> None:
    number = ids()
    old = [entry(next(number), at_us=AT_US + place) for place in range(25)]
    kept = [entry(next(number), at_us=AT_US + DAY_US + place) for place in range(5)]
    store.ledger.add(old + kept)
    before = store.ledger.spending(TODAY)
    assert [store.ledger.expire(AT_US + DAY_US, 10) for _ in range(4)] == [10, 10, 5, 0]
    assert store.ledger.page(None, limit=100) == kept[::-1]
    assert (counted(store, "attempts"), counted(store, "prices")) == (5, 1)
    assert store.ledger.spending(TODAY) == before
    assert store.ledger.check().findings == []


def test_two_gateways_that_delete_old_requests_at_once_count_each_once(open_another: Callable[..., Store]) -> None:
    stores = [open_another(), open_another()]
    stores[0].ledger.add([entry(id_, at_us=AT_US + place) for place, id_ in enumerate(islice(ids(), 300))])
    gone: list[int] = []

    def expire(store: Store) -> None:
        while counted(store, "requests"):
            gone.append(store.ledger.expire(AT_US + DAY_US, 7))

    threads = [threading.Thread(target=expire, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sum(gone) == 300
    checked = stores[0].ledger.check()
    assert (checked.requests, checked.counters, checked.findings) == (0, 2, [])


def test_present_tells_which_requests_are_there(store: Store) -> None:
    number = ids()
    made = [entry(next(number)) for _ in range(1_000)]
    store.ledger.add(made[::2])
    assert store.ledger.present([one.id for one in made]) == {one.id: (COST_PUSD, COST_PUSD) for one in made[::2]}


def test_a_price_is_kept_once_with_its_source(store: Store) -> None:
    number = ids()
    store.ledger.add([entry(next(number)) for _ in range(10)])
    store.ledger.add([entry(next(number))])
    assert counted(store, "prices") == 1
    [found] = store.ledger.page(None, limit=1)
    assert (found.attempts[0].cost.price, found.attempts[0].cost.price_source) == (PRICE, SOURCE)


def test_a_request_takes_less_than_a_kilobyte_on_disk(store: Store) -> None:
    if store.engine.dialect.name != "sqlite":
        pytest.skip("the size of a file is measured")
    count = 4_000
    made = [entry(id_, at_us=AT_US + place * 300) for place, id_ in enumerate(islice(ids(), count))]
    for start in range(0, count, 250):
        store.ledger.add(made[start : start + 250])
    store.close()
    assert os.path.getsize(str(store.engine.url.database)) / count < 1024


def test_rows_go_in_statements_of_few_lengths_however_many_there_are() -> None:
    lengths: set[int] = set()
    for count in range(1, 600):
        left = count
        while left:
            rows = rows_in_next(left)
            assert 0 < rows <= left
            lengths.add(rows)
            left -= rows
    assert max(lengths) == 256
    assert 2 * len(lengths) < 120  # for two tables; the driver keeps 128 statements
