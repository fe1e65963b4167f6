"""From a provider's list to the figures in use, and everything that keeps a bad list from getting there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from headgate.catalog.copies import Shelf
from headgate.config.compile import compile_snapshot
from headgate.config.document import Document
from headgate.providers.listings.per_token import per_token
from headgate.refreshing import Refresher, Report, refresh_once, words
from headgate.types.deployment import Offer
from headgate.types.listing import Ask, ListPage
from headgate.types.script import Ending, Script, Step
from headgate.types.snapshot import Snapshot
from headgate.upstream.lists import lists_of
from headgate.upstream.pool import Pool
from tests.fakes.provider import FakeProvider, RawReply, Request, json_reply
from tests.fakes.sockets import SocketServer, read_head
from tests.unit.catalog.listed import listed, price
from tests.unit.config.loading import load

SECRET = "sk-nobody-may-read-this"
KNOWN = "sambanova"
"""A provider whose list has prices for one token, as text."""
COUNT = 20


def document(base_url: str, name: str = KNOWN, **more: Any) -> Document:
    entry = f"{{api_key: {SECRET}, base_url: '{base_url}', dialect: openai}}"
    return load(f"providers: {{{name}: {entry}}}").document.model_copy(update=more)


def compiled(document: Document, data_dir: Path) -> Snapshot:
    """What a process that starts now would serve from."""
    return compile_snapshot(document, revision=1, created=0, issued_keys={}, shelf=Shelf(data_dir))


def served(document: Document, data_dir: Path, id: str = "m0") -> Offer:
    (provider,) = document.providers
    return compiled(document, data_dir).pins[provider][id][0].offer


def row(id: str, prompt: Any = "0.000001", completion: Any = "0.000002", **more: Any) -> dict[str, Any]:
    return {"id": id, "context_length": 8192, "pricing": {"prompt": prompt, "completion": completion}} | more


ROWS = [row(f"m{number}") for number in range(COUNT)]


def good(*first: dict[str, Any]) -> Script:
    """The usual list, with other rows in the place of its first ones."""
    return json_reply({"object": "list", "data": [*first, *ROWS[len(first) :]]})


@pytest.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    async with FakeProvider() as fake:
        fake.always(good())
        yield fake


async def refresh(document: Document, data_dir: Path) -> Report:
    (report,) = await refresh_once(document, {}, data_dir)
    assert SECRET not in words(report)
    return report


async def test_what_a_provider_lists_is_served_by_the_next_snapshot_also_of_another_process(
    fake: FakeProvider, tmp_path: Path
) -> None:
    asked = document(fake.base_url)
    assert "m0" not in compiled(asked, tmp_path).pins[KNOWN]
    report = await refresh(asked, tmp_path)
    assert (report.models, report.failed, report.refusals) == (COUNT, None, ())
    assert report.host == f"127.0.0.1:{fake.port}"
    offer = served(asked, tmp_path)
    assert offer.price == price(input="1", output="2")
    assert offer.context_tokens == 8192
    assert offer.price_source.startswith(f"provider's list at 127.0.0.1:{fake.port}, 20")
    assert report.absent, "offers of the catalogue that the list leaves out are told"
    assert set(report.absent) < set(compiled(asked, tmp_path).pins[KNOWN])
    assert fake.requests[0].header("authorization") == f"Bearer {SECRET}"


async def test_a_changed_figure_is_reported_and_served(fake: FakeProvider, tmp_path: Path) -> None:
    asked = document(fake.base_url)
    await refresh(asked, tmp_path)
    assert (await refresh(asked, tmp_path)).changes == ()
    fake.always(good(row("m0", "0.000003", "0.000004")))
    report = await refresh(asked, tmp_path)
    assert {(one.id, one.figure, one.before, one.after) for one in report.changes} == {
        ("m0", "input_usd_per_mtok", "1", "3"),
        ("m0", "output_usd_per_mtok", "2", "4"),
    }
    assert served(asked, tmp_path).price == price(input="3", output="4")


async def test_the_operators_word_is_the_last(fake: FakeProvider, tmp_path: Path) -> None:
    text = f"""
    providers:
      {KNOWN}:
        api_key: {SECRET}
        base_url: {fake.base_url}
        models: [{{id: m0, input_usd_per_mtok: "7", output_usd_per_mtok: "8"}}]
    """
    asked = load(text).document
    await refresh(asked, tmp_path)
    assert served(asked, tmp_path).price == price(input="7", output="8")
    assert served(asked, tmp_path).context_tokens == 8192


FIGURES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "a million times too dear": (row("m0", "1", "2"), {"above_ceiling"}),
    "a million times too cheap": (row("m0", "0.000000000001", "0.000000000002"), {"below_floor"}),
    "21 times dearer": (row("m0", "0.000021", "0.000042"), {"outlier"}),
    "negative": (row("m0", "-0.000001", "0.000002"), {"negative"}),
    "NaN as text": (row("m0", "NaN", "0.000002"), {"not_finite"}),
    "a float written as text": (row("m0", "1.0000000000000001e-06", "0.000002"), {"float_text"}),
    "words": (row("m0", "free of charge", "0.000002"), {"not_a_number"}),
    "a window of nothing": (row("m0", context_length=1), {"window_out_of_range"}),
}


@pytest.mark.parametrize("name", FIGURES)
async def test_a_figure_that_makes_no_sense_is_refused_by_name_and_no_price_becomes_another(
    name: str, fake: FakeProvider, tmp_path: Path
) -> None:
    bad, reasons = FIGURES[name]
    asked = document(fake.base_url)
    await refresh(asked, tmp_path)
    fake.always(good(bad, row("m1", "0.0000011")))
    report = await refresh(asked, tmp_path)
    assert report.failed is None
    assert {one.reason for one in report.refusals if one.id == "m0"} == reasons
    assert served(asked, tmp_path).price == price(input="1", output="2")
    assert served(asked, tmp_path, "m1").price == price(input="1.1", output="2")


async def test_a_price_of_0_is_refused_by_name_and_the_last_good_one_stays(fake: FakeProvider, tmp_path: Path) -> None:
    asked = document(fake.base_url)
    await refresh(asked, tmp_path)
    for bad in (row("m0", "0", "0.000002"), row("m0", 0, 0)):
        fake.always(good(bad))
        report = await refresh(asked, tmp_path)
        assert {one.reason for one in report.refusals} == {"zero"}
        assert report.changes == ()
        assert served(asked, tmp_path).price == price(input="1", output="2")


async def test_half_a_price_is_no_price(fake: FakeProvider, tmp_path: Path) -> None:
    asked = document(fake.base_url)
    fake.always(good(row("m0", "0", "0.000002")))
    await refresh(asked, tmp_path)
    assert served(asked, tmp_path).price == price()


async def test_hostile_and_contradictory_ids_are_refused_and_what_else_is_listed_counts(
    fake: FakeProvider, tmp_path: Path
) -> None:
    def twice(data: bytes, ask: Ask) -> ListPage:
        page = per_token(data, ask)
        return ListPage(models=(*page.models, listed("m0", input="1.1")))

    asked = document(fake.base_url)
    hostile = ["*", "a b", "../m", "a#b", "/m", "x" * 300]
    fake.always(json_reply({"data": [*ROWS, *(row(id) for id in hostile)]}))
    (report,) = await refresh_once(asked, {}, tmp_path, formats={"per_token": twice})
    assert sorted(one.reason for one in report.refusals) == ["duplicate_id"] + ["hostile_id"] * len(hostile)
    pins = compiled(asked, tmp_path).pins[KNOWN]
    assert "m0" not in pins
    assert pins.keys().isdisjoint(hostile)
    assert "m1" in pins


async def test_a_model_that_only_the_list_knows_outlives_a_list_that_contradicts_itself(
    fake: FakeProvider, tmp_path: Path
) -> None:
    asked = document(fake.base_url)
    await refresh(asked, tmp_path)
    before = served(asked, tmp_path)
    (file,) = (tmp_path / "catalog").glob("*.json")
    file.write_bytes(re.sub(rb'"fetched_at":"[^T]*T', b'"fetched_at":"2025-01-02T', file.read_bytes()))
    fake.always(json_reply({"data": [*ROWS, row("m0", "0.0000011")]}))
    report = await refresh(asked, tmp_path)
    assert report.changes == ()
    assert [(one.id, one.reason) for one in report.refusals] == [("m0", "duplicate_id")]
    after = served(asked, tmp_path)
    assert (after.price, after.context_tokens) == (before.price, before.context_tokens)
    assert after.price_source.endswith(", 2025-01-02")
    assert not served(asked, tmp_path, "m1").price_source.endswith(", 2025-01-02")


def plain(data: bytes, kind: str = "application/json", ending: Ending = Ending.COMPLETE) -> Script:
    return Script(headers=(("content-type", kind),), steps=(Step(0.0, data),), ending=ending)


LISTS: dict[str, tuple[Any, str]] = {
    "nothing": (plain(b""), "no_body"),
    "HTML": (plain(b"<!doctype html><html>", "text/html"), "not_json"),
    "HTML that says it is JSON": (plain(b"<!doctype html><html>"), "unreadable"),
    "a number that JSON does not have": (plain(b'{"data": [{"id": "m0", "context_length": NaN}]}'), "unreadable"),
    "bytes that are no text": (plain(b'{"data": [{"id": "\xff"}]}'), "unreadable"),
    "nested without end": (plain(b"[" * 100_000), "unreadable"),
    "something else": (json_reply({"error": SECRET}), "unreadable"),
    "a list of nothing": (json_reply({"data": []}), "empty"),
    "a tenth of it": (json_reply({"data": ROWS[:2]}), "shrunk"),
    "another unit": (json_reply({"data": [row(one["id"], "1", "2") for one in ROWS]}), "unit_changed"),
    "a cut": (plain(b'{"data": [', ending=Ending.CUT), "cut"),
    "a reset": (Script(ending=Ending.RESET), "cut"),
    "a redirect": (json_reply({"data": ROWS}, 302, location="http://127.0.0.1:9/v1/models"), "redirect"),
    "a refused credential": (json_reply({"error": SECRET}, 401), "refused_credential"),
    "500 MB": (RawReply((b"HTTP/1.1 200 OK\r\ncontent-length: 524288000\r\n\r\n[",), "hang"), "too_large"),
    "no HTTP": (RawReply((b"\x00\x00\r\n\r\n",), "close"), "broken"),
}


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_that_cannot_be_believed_changes_nothing_also_over_a_restart(
    name: str, fake: FakeProvider, tmp_path: Path
) -> None:
    asked = document(fake.base_url)
    await refresh(asked, tmp_path)
    before = served(asked, tmp_path)
    bad, reason = LISTS[name]
    fake.always(bad)
    report = await refresh(asked, tmp_path)
    assert report.failed is not None
    assert report.failed[0] == reason
    assert report.age_s is not None
    assert "serves on" in words(report)
    assert served(asked, tmp_path) == before
    fake.always(good(row("m0", "0.0000011")))
    assert (await refresh(asked, tmp_path)).failed is None
    assert served(asked, tmp_path) != before


async def test_an_endless_list_of_models_is_left_and_the_copy_serves_on(fake: FakeProvider, tmp_path: Path) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[")
        for _ in range(8000):
            writer.write(b'{"id":"m0"},' * 5461)
            await writer.drain()

    async with SocketServer(endless) as server:
        report = await refresh(document(f"http://127.0.0.1:{server.port}/v1"), tmp_path)
        assert report.failed is not None
        assert report.failed[0] == "too_large"
        assert report.age_s is None


async def test_a_data_directory_that_cannot_be_written_is_told(fake: FakeProvider, tmp_path: Path) -> None:
    (tmp_path / "catalog").write_text("in the way")
    report = await refresh(document(fake.base_url), tmp_path)
    assert report.failed is not None
    assert report.failed[0] == "not_kept"


async def test_a_defect_in_a_format_ends_one_list_and_no_other(fake: FakeProvider, tmp_path: Path) -> None:
    def broken(data: bytes, ask: object) -> Any:
        raise ZeroDivisionError

    (report,) = await refresh_once(document(fake.base_url), {}, tmp_path, formats={"per_token": broken})
    assert report.failed is not None
    assert report.failed[0] == "defect"


async def test_the_same_address_and_credential_are_asked_once_for_all_who_have_them(
    fake: FakeProvider, tmp_path: Path
) -> None:
    entry = f"{{api_key: {SECRET}, base_url: '{fake.base_url}', dialect: openai}}"
    other = entry.replace(SECRET, "another")
    asked = load(f"providers: {{one: {entry}, two: {entry}, three: {other}}}").document
    reports = await refresh_once(asked, {}, tmp_path)
    assert [report.provider for report in reports] == ["one", "two", "three"]
    assert [report.models for report in reports] == [COUNT] * 3
    assert len(fake.requests) == 2
    assert len(await refresh_once(asked, {}, tmp_path, providers=["two"])) == 1


async def test_a_server_of_the_operators_own_keeps_taking_any_id_beside_those_it_lists(
    fake: FakeProvider, tmp_path: Path
) -> None:
    asked = document(fake.base_url, "mybox")
    await refresh(asked, tmp_path)
    snapshot = compiled(asked, tmp_path)
    assert "m0" in snapshot.pins["mybox"]
    assert snapshot.pins["mybox"]["m0"][0].offer.model == "mybox:m0"
    assert [one.offer.upstream_id for one in snapshot.open_pins["mybox"]] == ["*"]


def test_the_lists_are_those_of_every_workspace_and_none_of_this_process() -> None:
    def of(text: str) -> Snapshot:
        return compile_snapshot(load(text).document, revision=1, created=0, issued_keys={})

    keys = "[{name: a, api_key: k1}, {name: b, api_key: k2}]"
    box = f"mybox: {{dialect: openai, base_url: 'http://127.0.0.1:1/v1', credentials: {keys}}}"
    main = of(f"providers: {{sandbox: , {box}}}")
    team = of(f"providers: {{{box.replace('k1', 'k3')}}}")
    snapshot = Snapshot(**{name: getattr(main, name) for name in main.__struct_fields__} | {"workspaces": {"t": team}})
    found = lists_of(snapshot)
    assert [(one.provider, one.secret and one.secret.reveal(), one.own) for one in found] == [
        ("mybox", "k1", True),
        ("mybox", "k3", True),
    ]


async def test_an_address_that_needs_a_variable_is_filled_in_or_told(tmp_path: Path) -> None:
    async with FakeProvider() as fake:
        seen: list[str] = []

        def respond(request: Request) -> Script:
            seen.append(request.path)
            return json_reply({"result": [], "success": True})

        fake.always(respond)
        asked = document(fake.base_url, "cloudflare")
        pool = Pool()
        for env in ({}, {"CLOUDFLARE_ACCOUNT_ID": "an-account"}):
            refresher = Refresher(pool, Shelf(tmp_path), env)
            (report,) = await refresher.refresh(lists_of(compiled(asked, tmp_path)))
            assert report.failed is not None
            assert (report.failed[0] == "bad_address") is (not env)
        await pool.close()
        assert "/an-account/" in seen[0]


def test_a_report_in_words_counts_what_was_refused() -> None:
    report = Report(provider="acme", host="h", failed=("cut", "it broke"), age_s=3 * 86_400.0)
    assert words(report) == "the list of acme (h) is not used, cut: it broke; that of 3 days ago serves on"
    assert "there is none from before" in words(Report(provider="a", host="h", failed=("cut", "x")))
