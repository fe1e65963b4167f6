"""Lists of models: what each format makes of an answer as it comes, and of one that is no such list."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.providers.builtin import PROVIDERS, ROWS
from headgate.providers.listings import FORMATS
from headgate.types.listing import Ask, ListedModel, ListPage, ListUnreadable
from headgate.wire import json

GOLDEN = Path(__file__).parents[2] / "golden" / "listings"
WORDS = {
    *("tools", "parallel_tools", "json_object", "json_schema", "vision", "pdf", "audio_in", "logprobs", "n"),
    *("prefill", "reasoning", "prompt_cache"),
}
KINDS = {None, "chat", "completion", "embedding", "rerank", "image", "audio_in", "audio_out"}
LISTED = [row for row in ROWS if row.listings]
FIRST = Ask("/models")
DETAIL = Ask("//details", b"{}", "a-model")


class Case(msgspec.Struct, forbid_unknown_fields=True):
    """An answer as it came, and what somebody read out of it by hand; `models` names what is not the default."""

    about: str
    format: str
    answer: json.Raw
    models: list[dict[str, Any]]
    ask: dict[str, str] | None = None
    more: list[dict[str, str]] = []


CASES = {
    f"{path.parent.name}/{path.stem}": msgspec.json.decode(path.read_bytes(), type=Case)
    for path in sorted(GOLDEN.glob("*/*.json"))
}


def ask_of(fields: dict[str, str]) -> Ask:
    body = fields.get("body")
    return Ask(fields["path"], None if body is None else body.encode(), fields.get("about"))


def asked(name: str) -> Ask:
    """What the case was asked with: the first request of the row, unless it says otherwise."""
    case, row = CASES[name], PROVIDERS[name.partition("/")[0]]
    if case.ask is not None:
        return ask_of(case.ask)
    return next(listing.asks[0] for listing in row.listings if listing.format == case.format)


def written(model: ListedModel) -> dict[str, Any]:
    """A model as a case writes it."""
    plain = {
        name: value
        for name, value in msgspec.structs.asdict(model).items()
        if name == "id" or value != getattr(ListedModel(id=""), name)
    }
    if model.tiers:
        plain["tiers"] = [{"above_tokens": tier.above_tokens, "prices": priced(tier.prices)} for tier in model.tiers]
    if model.prices:
        plain["prices"] = priced(model.prices)
    return {name: sorted(value) if isinstance(value, frozenset) else _listed(value) for name, value in plain.items()}


def priced(prices: tuple[tuple[str, Decimal], ...]) -> dict[str, str]:
    assert all(type(usd) is Decimal for _, usd in prices)
    assert len(dict(prices)) == len(prices)
    return {name: str(usd) for name, usd in prices}


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("name", CASES)
def test_an_answer_is_read_to_the_last_figure(name: str) -> None:
    case = CASES[name]
    page = FORMATS[case.format](bytes(case.answer), asked(name))
    assert [written(model) for model in page.models] == case.models
    assert page.more == tuple(ask_of(fields) for fields in case.more)


@pytest.mark.parametrize("name", CASES)
def test_a_case_uses_the_words_of_the_catalogue(name: str) -> None:
    case = CASES[name]
    for model in case.models:
        assert {*model.get("capabilities", ()), *model.get("lacks", ())} <= WORDS
        assert not {*model.get("capabilities", ())} & {*model.get("lacks", ())}
        assert model.get("kind") in KINDS


@pytest.mark.parametrize("name", CASES)
def test_white_space_around_an_answer_and_half_of_it_missing_are_noticed(name: str) -> None:
    case, ask = CASES[name], asked(name)
    data, parse = bytes(case.answer), FORMATS[case.format]
    assert parse(b"\r\n " + data + b"\n", ask) == parse(data, ask)
    with pytest.raises(ListUnreadable, match="not JSON"):
        parse(data[: len(data) // 2], ask)


def test_every_row_with_a_list_has_a_case_for_each_of_its_formats() -> None:
    wanted = {(row.name, listing.format) for row in ROWS for listing in row.listings}
    assert {(name.partition("/")[0], case.format) for name, case in CASES.items()} == wanted
    assert {folder.name for folder in GOLDEN.iterdir()} == {row.name for row in LISTED}


def test_every_format_is_named_by_a_row_and_the_other_way_round() -> None:
    assert {listing.format for row in ROWS for listing in row.listings} == set(FORMATS)


@pytest.mark.parametrize("row", LISTED, ids=lambda row: row.name)
def test_a_list_is_on_the_host_of_its_row(row: Any) -> None:
    for listing in row.listings:
        assert listing.asks
        for ask in listing.asks:
            assert ask.path.startswith("/")
            assert not ask.path.startswith("///")
            root = row.base_url[: -len(urlsplit(row.base_url).path) or None]
            address = root + ask.path[1:] if ask.path.startswith("//") else row.base_url + ask.path
            assert urlsplit(address).netloc == urlsplit(row.base_url).netloc
            assert urlsplit(address).path.rpartition("/")[2]
            assert "${" not in ask.path or "${" in row.base_url


def test_a_list_that_wants_another_header_than_chat_says_so() -> None:
    headers = {
        row.name: listing.auth_header for row in ROWS for listing in row.listings if listing.auth_header is not None
    }
    assert headers == {"anthropic": ("x-api-key", "{}"), "gemini": ("x-goog-api-key", "{}")}
    (anthropic,) = PROVIDERS["anthropic"].listings
    assert anthropic.headers == (("anthropic-version", "2023-06-01"),)


def test_what_rows_lack_is_said_in_known_words_and_only_where_it_is_certain() -> None:
    assert all(row.lacks <= WORDS for row in ROWS)
    assert {row.name: sorted(row.lacks) for row in ROWS if row.lacks} == {
        "anthropic": ["audio_in", "json_object", "json_schema", "logprobs", "n", "pdf"],
        "groq": ["logprobs", "n"],
        "fireworks": ["pdf"],
        "deepseek": ["json_schema"],
        "perplexity": ["json_object"],
        "ollama": ["logprobs", "n"],
    }
    assert {row.name: row.concurrent for row in ROWS if row.concurrent is not None} == {"deepinfra": 200}


REFUSED = {
    "nothing": (b"", "empty"),
    "white space": (b" \r\n", "empty"),
    "a page": (b"<!doctype html><html><body>Bad gateway</body></html>", "HTML"),
    "XML": (b'\n<?xml version="1.0"?><Error/>', "HTML or XML"),
    "words": (b"upstream connect error", "not JSON"),
    "a broken text": (b'{"data": [{"id": "\xff"}]}', "not JSON"),
    "half a list": (b'{"data": [{"id": "a"}', "not JSON"),
    "a number": (b"5", "n(either|ot) an "),
    "null": (b"null", "n(either|ot) an "),
    "a text": (b'"models"', "n(either|ot) an "),
    "an object": (b"{}", "has no (array|details|properties)"),
    "an error": (b'{"error": {"message": "Incorrect API key", "type": "invalid_request_error"}}', "error|has no"),
    "a detail": (b'{"detail": "Not Found"}', "error|has no"),
    "another list": (b'{"items": [{"id": "a"}]}', "has no (array|details|properties)"),
    "no array": (b'{"data": {"id": "a"}, "models": "a", "result": 5}', "has no (array|details|properties)"),
    "deep": (b"[" * 5000 + b"]" * 5000, "not JSON"),
    "a number beyond any": (b'{"data": [{"id": "a", "n": 1e99999999999999999999}]}', "not JSON"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("ask", [FIRST, DETAIL], ids=["a list", "details"])
def test_what_is_no_list_is_refused_with_a_plain_reason(format: str, name: str, ask: Ask) -> None:
    data, reason = REFUSED[name]
    with pytest.raises(ListUnreadable, match=reason) as caught:
        FORMATS[format](data, ask)
    assert "API key" not in str(caught.value)


@pytest.mark.parametrize("format", FORMATS)
def test_entries_without_ids_are_no_list(format: str) -> None:
    entries = '[{"x": 1}, 5, null, {"id": 7, "name": [], "key": "", "model_name": " a", "serverlessEndpoint": null}]'
    with pytest.raises(ListUnreadable, match="no entry of the list has a text"):
        FORMATS[format](f'{{"data": {entries}, "models": {entries}, "result": {entries}}}'.encode(), FIRST)


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_list_is_a_list(format: str) -> None:
    assert FORMATS[format](b'{"data": [], "models": [], "result": []}', FIRST) == ListPage()


@pytest.mark.parametrize("format", ["anthropic", "gemini", "together_supported", "cloudflare"])
def test_a_page_that_names_itself_as_the_next_leads_nowhere(format: str) -> None:
    page = (
        b'{"data": [{"id": "a", "serverlessEndpoint": "a"}], "models": [{"name": "a"}], "result": [{"name": "a"}],'
        b'"has_more": true, "last_id": "x", "next_cursor": "x", "nextPageToken": "x",'
        b'"result_info": {"page": 2, "per_page": 1, "total_count": 9}}'
    )
    (following,) = FORMATS[format](page, FIRST).more
    last = Ask(following.path.replace("page=3", "page=2"))
    again = FORMATS[format](page, following).more
    assert again == () or (format == "cloudflare" and again == FORMATS[format](page, last).more)


NAMES = sorted(
    {
        *("id", "name", "data", "models", "result", "key", "model_name", "serverlessEndpoint", "pricing", "metadata"),
        *("full", "prompt", "overrides", "min_prompt_tokens", "architecture", "modality", "capabilities", "providers"),
        *("status", "result_info", "page", "per_page", "total_count", "properties", "property_id", "value", "price"),
        *("nextPageToken", "last_id", "has_more", "model_info", "details", "general.architecture", "parameters"),
        *("default_generation_settings", "deprecated", "retires_at", "deprecation", "aliases", "service_tier"),
        *("cents_per_input_token", "rate_per_input_token_cached", "discount", "input", "output", "context_length"),
        *("usage_identifier", "input_token_price_per_m", "long_context_threshold", "type", "tags", "unit", "amount"),
    }
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        ["live", "tokens", "price", "1M tokens", "$1 in $2 out <= 1K, $2 in $3 out", "0.5", "-1", "9" * 60]
    )
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=8),
    max_leaves=40,
)
ENTRIES = st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=10).map(lambda one: {**one, "id": "a"}))


def read_or_refused(format: str, data: bytes, ask: Ask) -> None:
    try:
        page = FORMATS[format](data, ask)
    except ListUnreadable:
        return
    assert isinstance(page, ListPage)
    assert all(type(usd) is Decimal and usd.is_finite() for model in page.models for _, usd in model.prices)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(value=VALUES | ENTRIES | ENTRIES.map(lambda items: {"data": items, "models": items, "result": items}))
def test_any_json_is_read_or_refused(value: Any) -> None:
    data = json.encode(value)
    for format in FORMATS:
        read_or_refused(format, data, FIRST)
        read_or_refused(format, data, DETAIL)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for format in FORMATS:
        read_or_refused(format, data, FIRST)
        read_or_refused(format, data, DETAIL)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_damaged_answer_is_read_or_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(CASES)))
    answer = bytearray(bytes(CASES[name].answer))
    for _ in range(data.draw(st.integers(1, 3))):
        answer[data.draw(st.integers(0, len(answer) - 1))] = data.draw(st.sampled_from(b'0-.e"[]{}:,nx '))
    read_or_refused(CASES[name].format, bytes(answer), asked(name))


def test_a_model_that_is_there_twice_with_different_figures_is_given_twice() -> None:
    entry = {"id": "a", "max_model_len": 1000}
    page = FORMATS["openai_models"](json.encode({"data": [entry, entry, {**entry, "max_model_len": 2000}]}), FIRST)
    assert [model.context_tokens for model in page.models] == [1000, 2000]
