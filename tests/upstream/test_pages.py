"""All answers of a provider's list: their order, their bounds, and what stays as it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from headgate.providers.provider import Listing
from headgate.types.listing import Ask, ListedModel, ListPage, ListUnreadable
from headgate.types.secret import Secret
from headgate.upstream import pages
from headgate.upstream.fetch import FetchFailed, FetchReason
from headgate.upstream.pages import MAX_ASKS, MAX_LOST, Pages, read_pages
from headgate.upstream.pool import Pool
from headgate.wire import json
from tests.fakes.provider import FakeProvider, Reply, Request, json_reply
from tests.upstream.test_fetch import upstream

KNOWN = {"b": ListedModel(id="b", quantization="as it was")}


def simple(data: bytes, ask: Ask) -> ListPage:
    """A format of the tests: `ids`, the `next` path, and `details` of some models."""
    try:
        page = json.parse(data)
        models = tuple(ListedModel(id=id, context_tokens=page.get("size")) for id in page["ids"])
    except (json.DecodeError, KeyError):
        raise ListUnreadable("no list of the tests") from None
    more = [Ask(path) for path in page.get("next", ())]
    more += [Ask("//show", json.encode(id), id) for id in page.get("details", ())]
    return ListPage(models=models, more=tuple(more))


def site(answers: Mapping[str, Any]) -> Callable[[Request], Reply]:
    """A server of these paths; a POST is about the model that its body names."""

    def respond(request: Request) -> Reply:
        name = request.json() if request.body else request.path
        found = answers.get(name)
        return json_reply(found) if found is not None else json_reply({}, 404)

    return respond


async def read(pool: Pool, fake: FakeProvider, *paths: str, last: Mapping[str, ListedModel] = KNOWN) -> Pages:
    listings = [Listing(asks=(Ask(path),), format="simple", auth_header=("x-list-key", "{}")) for path in paths]
    return await read_pages(
        pool, upstream(fake.base_url), Secret("sk"), listings, {"simple": simple}, env={}, last=last
    )


def ids(found: Pages) -> list[list[str]]:
    return [[model.id for model in answer] for answer in found.answers]


async def test_pages_come_before_details_and_each_is_asked_for_once(pool: Pool) -> None:
    answers = {
        "/v1/models": {"ids": ["a"], "next": ["/models?page=2", "/models"], "details": ["a"]},
        "/v1/models?page=2": {"ids": ["b"], "next": ["/models"], "details": ["b", "a"]},
        "a": {"ids": ["a"], "size": 1000},
        "b": {"ids": ["b"], "size": 2000},
    }
    async with FakeProvider() as fake:
        fake.always(site(answers))
        found = await read(pool, fake, "/models")
        assert ids(found) == [["a"], ["b"], ["a"], ["b"]]
        assert found.stale == frozenset()
        assert {request.header("x-list-key") for request in fake.requests} == {"sk"}


async def test_a_list_without_an_end_is_refused(pool: Pool) -> None:
    def respond(request: Request) -> Reply:
        number = int(request.path.rpartition("=")[2] or 0)
        return json_reply({"ids": [f"m{number}"], "next": [f"/models?page={number + 1}"]})

    async with FakeProvider() as fake:
        fake.always(respond)
        with pytest.raises(FetchFailed) as caught:
            await read(pool, fake, "/models?page=0")
        assert caught.value.reason is FetchReason.TOO_MANY_ASKS
        assert len(fake.requests) == MAX_ASKS


async def test_details_beyond_the_bound_are_not_asked_for(pool: Pool) -> None:
    names = [f"m{number}" for number in range(MAX_ASKS)] + ["b"]
    async with FakeProvider() as fake:
        fake.always(site({"/v1/models": {"ids": names, "details": names}, **{name: {"ids": [name]} for name in names}}))
        found = await read(pool, fake, "/models")
        assert len(fake.requests) == MAX_ASKS
        assert found.stale == {"b"}
        assert found.answers[-1] == (KNOWN["b"],)


async def test_details_that_fail_leave_a_model_as_it_was(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(site({"/v1/models": {"ids": ["a", "b"], "details": ["a", "b"]}}))
        found = await read(pool, fake, "/models")
        assert found.answers == ((ListedModel(id="a"), ListedModel(id="b")), (), (KNOWN["b"],))
        assert found.stale == {"b"}


async def test_a_list_most_of_whose_details_fail_is_not_used(pool: Pool) -> None:
    names = [f"m{number}" for number in range(MAX_LOST + 1)]
    async with FakeProvider() as fake:
        fake.always(site({"/v1/models": {"ids": names, "details": names}}))
        with pytest.raises(FetchFailed):
            await read(pool, fake, "/models")


async def test_one_of_several_lists_that_fails_leaves_what_it_would_say_as_it_was(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(site({"/v1/good": {"ids": ["a"]}}))
        found = await read(pool, fake, "/gone", "/good")
        assert ids(found) == [["b"], ["a"]]
        assert found.stale == {"b"}
        assert [reason for reason, _ in found.failures] == [FetchReason.STATUS]
        with pytest.raises(FetchFailed):
            await read(pool, fake, "/gone", "/gone")


async def test_the_bound_in_bytes_is_for_the_list_in_all(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MAX_BYTES", 60)
    async with FakeProvider() as fake:
        fake.always(site({"/v1/models": {"ids": ["a"], "next": ["/more"]}, "/v1/more": {"ids": ["long" * 8]}}))
        with pytest.raises(FetchFailed) as caught:
            await read(pool, fake, "/models")
        assert caught.value.reason is FetchReason.TOO_LARGE
        assert len(fake.requests) == 2


async def test_an_answer_of_another_format_is_told_from_one_that_does_not_come(pool: Pool) -> None:
    async with FakeProvider() as fake:
        fake.always(json_reply({"data": []}))
        with pytest.raises(ListUnreadable):
            await read(pool, fake, "/models")
