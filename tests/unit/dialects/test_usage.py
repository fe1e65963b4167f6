from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.dialects.openai.usage import MAX_REPORTED_USD, MAX_TOKENS, completed, parse_usage
from headgate.types.usage import Usage

CLASSES = ("input", "cached_input", "cache_write", "audio_input", "output", "reasoning", "audio_output")
COUNTS = st.integers(0, 10**7)


def read(**usage: Any) -> Usage | None:
    return parse_usage(json.dumps(usage).encode())


@pytest.mark.parametrize(
    ("usage", "meant"),
    [
        pytest.param(
            {"prompt_tokens": 10, "completion_tokens": 9, "total_tokens": 19}, Usage(input=10, output=9), id="plain"
        ),
        pytest.param(
            {
                "prompt_tokens": 3329,
                "completion_tokens": 30,
                "prompt_tokens_details": {"cached_tokens": 3211, "cache_write_tokens": 115},
                "completion_tokens_details": {"reasoning_tokens": 10},
            },
            Usage(input=3, cached_input=3211, cache_write=115, output=20, reasoning=10),
            id="cached, written and reasoning inside",
        ),
        pytest.param(
            {
                "prompt_tokens": 10,
                "completion_tokens": 9,
                "total_tokens": 24,
                "completion_tokens_details": {"reasoning_tokens": 5},
            },
            Usage(input=10, output=9, reasoning=5),
            id="reasoning outside, the total tells",
        ),
        pytest.param(
            {
                "prompt_tokens": 19,
                "completion_tokens": 84,
                "total_tokens": 1184,
                "completion_tokens_details": {"reasoning_tokens": 1081},
            },
            Usage(input=19, output=84, reasoning=1081),
            id="reasoning larger than the completion",
        ),
        pytest.param(
            {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109},
            Usage(input=35, output=12, reasoning=62),
            id="reasoning only in the total",
        ),
        pytest.param(
            {"prompt_tokens": 100, "completion_tokens": 1, "cached_tokens": 60},
            Usage(input=40, cached_input=60, output=1),
            id="cached at the top",
        ),
        pytest.param(
            {"prompt_tokens": 100, "completion_tokens": 1, "num_cached_tokens": 60},
            Usage(input=40, cached_input=60, output=1),
            id="cached under another name",
        ),
        pytest.param(
            {
                "prompt_tokens": 100,
                "completion_tokens": 1,
                "prompt_cache_hit_tokens": 60,
                "prompt_cache_miss_tokens": 40,
                "prompt_tokens_details": {"cached_tokens": 60},
            },
            Usage(input=40, cached_input=60, output=1),
            id="cached twice is cached once",
        ),
        pytest.param(
            {"prompt_tokens": 7, "completion_tokens": 1, "prompt_tokens_details": [], "completion_tokens_details": 5},
            Usage(input=7, output=1),
            id="details that are none",
        ),
        pytest.param(
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 50},
                "completion_tokens_details": {"audio_tokens": 20, "reasoning_tokens": 10},
            },
            Usage(cached_input=60, audio_input=40, output=20, reasoning=10, audio_output=20),
            id="spoken tokens, some of them cached",
        ),
        pytest.param(
            {"prompt_tokens": 7, "completion_tokens": 9, "reasoning_tokens": 4},
            Usage(input=7, output=5, reasoning=4),
            id="reasoning at the top",
        ),
        pytest.param(
            {"prompt_tokens": 7, "completion_tokens": 9, "reasoning_tokens": 4, "cost": {"reasoning_tokens_cost": 0.1}},
            Usage(input=7, output=9, reasoning=4),
            id="reasoning with a cost of its own",
        ),
        pytest.param(
            {"prompt_tokens": 7, "completion_tokens": 9, "citation_tokens": 4},
            Usage(input=7, output=9),
            id="citations that cost nothing",
        ),
        pytest.param(
            {"prompt_tokens": 70, "completion_tokens": 90, "total_tokens": 160, "billed_units": {"output_tokens": 9}},
            Usage(input=70, output=9),
            id="billed apart from what was written, all that was read",
        ),
        pytest.param({"prompt_tokens": 7.0, "completion_tokens": 1e2}, Usage(input=7, output=100), id="whole floats"),
        pytest.param(
            {"prompt_tokens": 8, "total_tokens": 20}, Usage(input=8, output=12), id="the total tells the rest"
        ),
        pytest.param({"completion_tokens": 5, "total_tokens": 20}, Usage(input=15, output=5), id="and the prompt"),
    ],
)
def test_each_token_is_counted_once_in_its_class(usage: dict[str, Any], meant: Usage) -> None:
    assert read(**usage) == meant


@pytest.mark.parametrize(
    ("raw", "pusd"),
    [
        (b'{"prompt_tokens":1,"estimated_cost":0.1}', 10**11),
        (b'{"prompt_tokens":1,"estimated_cost":0}', 0),
        (b'{"prompt_tokens":1,"estimated_cost":4.5e-12}', 5),
        (b'{"prompt_tokens":1,"estimated_cost":0.3000000000004}', 3 * 10**11),
        (b'{"prompt_tokens":1,"estimated_cost":9007.199254740993}', 9_007_199_254_740_993),
        (b'{"prompt_tokens":1,"cost":1E-3}', 10**9),
        (b'{"prompt_tokens":1,"cost": {"total_cost" : 0.25}}', 25 * 10**10),
        (b'{"prompt_tokens":1,"cost_in_usd_ticks":1}', 100),
        (b'{"prompt_tokens":1,"cost":0.1,"is_byok":true,"cost_details":{"upstream_inference_cost":2}}', 21 * 10**11),
        (b'{"prompt_tokens":1,"cost":0.1,"is_byok":false,"cost_details":{"upstream_inference_cost":2}}', 10**11),
    ],
)
def test_a_reported_cost_is_the_number_as_it_is_written(raw: bytes, pusd: int) -> None:
    usage = parse_usage(raw)
    assert usage is not None
    assert usage.reported_pusd == pusd


ABSURD = ["-1", "-0.5", "1e999999999", "1e400", "1e15", "null", "true", '"0.1"', "[]", "{}"]


@pytest.mark.parametrize("cost", [*ABSURD, "9" * 65, '{"total_cost":-1}', '{"total_cost":"1"}', '{"total_cost":1e99}'])
@pytest.mark.parametrize("field", ["cost", "estimated_cost", "cost_in_usd_ticks"])
def test_a_cost_that_cannot_be_one_is_not_said_and_the_counts_stay(field: str, cost: str) -> None:
    usage = parse_usage(f'{{"prompt_tokens":3,"completion_tokens":4,"{field}":{cost}}}'.encode())
    assert usage == Usage(input=3, output=4)


@pytest.mark.parametrize(("cost", "pusd"), [("10000", 10**16), ("10000.01", None), ("1e-999999999999", 0)])
def test_a_cost_has_a_limit_above_and_none_below(cost: str, pusd: int | None) -> None:
    assert parse_usage(f'{{"prompt_tokens":3,"completion_tokens":4,"cost":{cost}}}'.encode()) == Usage(
        input=3, output=4, reported_pusd=pusd
    )


def test_without_the_cost_of_the_provider_behind_the_fee_alone_is_no_cost() -> None:
    usage = parse_usage(b'{"prompt_tokens":1,"completion_tokens":2,"cost":0.1,"is_byok":true,"cost_details":null}')
    assert usage == Usage(input=1, output=2)


@pytest.mark.parametrize("count", ["-1", "1.5", '"7"', "1000000001", "1" * 40, "1e400", "true", "null", "[]", "{}"])
@pytest.mark.parametrize(
    "field",
    [
        '"total_tokens":{}',
        '"cached_tokens":{}',
        '"reasoning_tokens":{}',
        '"citation_tokens":{},"cost":{{"citation_tokens_cost":1}}',
        '"prompt_tokens_details":{{"cached_tokens":{}}}',
        '"prompt_tokens_details":{{"audio_tokens":{}}}',
        '"completion_tokens_details":{{"reasoning_tokens":{}}}',
        '"completion_tokens_details":{}',
    ],
)
def test_a_count_that_cannot_be_one_is_not_said(field: str, count: str) -> None:
    raw = f'{{"prompt_tokens":3,"completion_tokens":4,{field.format(count)}}}'
    assert parse_usage(raw.encode()) == Usage(input=3, output=4)
    assert parse_usage(f'{{"prompt_tokens":{count}}}'.encode()) is None


@pytest.mark.parametrize(
    ("tier", "inside", "meant"),
    [
        (b'"flex"', "null", "flex"),
        (b'"Priority"', '"flex"', "priority"),
        (b"", '"batch"', "batch"),
        (b"null", '"batch"', "batch"),
        (b'"default"', "null", None),
        (b'"on_demand"', '"standard"', None),
        (b"5", "[]", None),
        (b'"' + b"x" * 33 + b'"', "{}", None),
        (b'"a b"', '"<b>"', None),
        (b'"oops', "null", None),
    ],
)
def test_the_service_tier_stands_beside_or_inside_and_the_usual_one_is_none(
    tier: bytes, inside: str, meant: str | None
) -> None:
    usage = parse_usage(f'{{"prompt_tokens":1,"completion_tokens":2,"service_tier":{inside}}}'.encode(), tier)
    assert usage == Usage(input=1, output=2, service_tier=meant)


SIZES = [("low", "low"), (5, None), ("", None), ("a b", None), ("x" * 17, None)]


@pytest.mark.parametrize(("size", "meant"), SIZES)
def test_how_much_was_searched_is_a_plain_word(size: object, meant: str | None) -> None:
    usage = read(prompt_tokens=1, completion_tokens=2, search_context_size=size)
    assert usage == Usage(input=1, output=2, search_size=meant)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "cached_tokens",
        "reasoning_tokens",
        "prompt_tokens_details",
        "completion_tokens_details",
        "billed_units",
        "cost",
        "estimated_cost",
        "is_byok",
        "cost_details",
        "service_tier",
        "search_context_size",
        "citation_tokens",
    ]
)


@given(st.dictionaries(NAMES, ANYTHING | st.dictionaries(NAMES, ANYTHING, max_size=3)))
def test_whatever_a_provider_sends_is_read_without_failing_and_stays_within_bounds(usage: dict[str, Any]) -> None:
    found = parse_usage(json.dumps(usage).encode())
    if found is not None:
        counts = [getattr(found, name) for name in CLASSES]
        assert all(isinstance(count, int) and 0 <= count <= 2 * MAX_TOKENS for count in counts)
        assert found.reported_pusd is None or 0 <= found.reported_pusd <= 2 * MAX_REPORTED_USD * 10**12


@given(st.binary(max_size=60))
def test_bytes_that_are_no_usage_never_fail(raw: bytes) -> None:
    assert parse_usage(raw, raw) is None or raw.strip().startswith(b"{")


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.booleans())
def test_the_classes_sum_to_what_was_billed(
    prompt: int, completion: int, cached: int, written: int, heard: int, spoken: int, reasoning: int, outside: bool
) -> None:
    reasoning = reasoning if outside else min(reasoning, completion)
    usage = read(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion + (reasoning if outside else 0),
        prompt_tokens_details={"cached_tokens": cached, "cache_write_tokens": written, "audio_tokens": heard},
        completion_tokens_details={"reasoning_tokens": reasoning, "audio_tokens": spoken},
    )
    assert usage is not None
    assert usage.prompt_tokens == prompt
    assert usage.completion_tokens == completion + (reasoning if outside else 0)
    assert usage.reasoning == reasoning


@pytest.mark.parametrize("raw", [b"null", b"[]", b"7", b"{", b"{}", b'{"total_tokens":7}', b'{"prompt_tokens":"9"}'])
def test_what_counts_nothing_is_no_usage(raw: bytes) -> None:
    assert parse_usage(raw) is None


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.one_of(st.none(), COUNTS))
def test_classes_never_overlap_and_never_lose_a_token_of_the_prompt(
    prompt: int, completion: int, cached: int, written: int, reasoning: int, total: int | None
) -> None:
    usage = read(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        prompt_tokens_details={"cached_tokens": cached, "cache_write_tokens": written},
        completion_tokens_details={"reasoning_tokens": reasoning},
    )
    assert usage is not None
    assert usage.prompt_tokens == prompt
    assert usage.completion_tokens >= completion
    assert min(usage.input, usage.cached_input, usage.cache_write, usage.output, usage.reasoning) >= 0


HALVES: list[tuple[dict[str, Any], Usage]] = [
    ({"prompt_tokens": 10}, Usage(input=10, output=200, estimated=True)),
    ({"prompt_tokens": 10, "completion_tokens": None}, Usage(input=10, output=200, estimated=True)),
    ({"prompt_tokens": 10, "completion_tokens": 2 * 10**9}, Usage(input=10, output=200, estimated=True)),
    ({"prompt_tokens": 10, "completion_tokens": 1e20}, Usage(input=10, output=200, estimated=True)),
    ({"prompt_tokens": 10, "completion_tokens": 1e20, "total_tokens": 10}, Usage(input=10, output=200, estimated=True)),
    ({"completion_tokens": 5}, Usage(input=100, output=5, estimated=True)),
    ({"prompt_tokens": -1, "completion_tokens": 5}, Usage(input=100, output=5, estimated=True)),
    ({"prompt_tokens": 10, "cached_tokens": 4}, Usage(input=6, cached_input=4, output=200, estimated=True)),
    ({"prompt_tokens": 10, "cached_tokens": 10}, Usage(cached_input=10, output=200, estimated=True)),
    ({"prompt_tokens": 10, "reasoning_tokens": 7}, Usage(input=10, output=200, reasoning=7, estimated=True)),
    ({"billed_units": {"input_tokens": 10}}, Usage(input=10, output=200, estimated=True)),
    (
        {"prompt_tokens": 10, "estimated_cost": 0.5},
        Usage(input=10, output=200, estimated=True, reported_pusd=5 * 10**11),
    ),
]


@pytest.mark.parametrize(("usage", "meant"), HALVES)
def test_the_side_a_provider_does_not_count_is_not_zero_but_estimated(usage: dict[str, Any], meant: Usage) -> None:
    assert completed(read(**usage), 100, 200) == meant


@pytest.mark.parametrize("usage", [Usage(), Usage(input=1), Usage(output=1), Usage(input=1, output=1)])
def test_a_usage_that_is_whole_needs_no_estimate_and_none_at_all_is_one(usage: Usage) -> None:
    assert completed(usage, 100, 200) == usage
    assert completed(None, 100, 200) == Usage(input=100, output=200, estimated=True)


def test_where_nothing_is_written_the_prompt_is_all_there_is() -> None:
    raw = b'{"prompt_tokens":8,"total_tokens":8}'
    assert parse_usage(raw, writes=False) == Usage(input=8)
    assert parse_usage(raw) == Usage(input=8, estimated=True)
