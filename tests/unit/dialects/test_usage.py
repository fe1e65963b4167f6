from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.dialects.openai.usage import parse_usage
from headgate.types.usage import Usage

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
        pytest.param({"prompt_tokens": 8, "total_tokens": 8}, Usage(input=8), id="an embedding"),
    ],
)
def test_each_token_is_counted_once_in_its_class(usage: dict[str, Any], meant: Usage) -> None:
    assert read(**usage) == meant


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
