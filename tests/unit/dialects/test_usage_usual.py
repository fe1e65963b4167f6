"""What is read the short way comes to the same as what is read the long way."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from headgate.dialects.openai.usage import MAX_TOKENS, _parse_any, parse_usage

ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-5, MAX_TOKENS + 5), st.floats(0, 100), st.text(max_size=3), st.just({})
)
COUNT = st.one_of(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500).map(float), ODD)
ENTERED = st.one_of(
    ODD,
    st.dictionaries(st.sampled_from(["cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens"]), COUNT),
)
WRITTEN = st.one_of(
    ODD,
    st.dictionaries(st.sampled_from(["reasoning_tokens", "audio_tokens", "accepted_prediction_tokens"]), COUNT),
)
USAGE = st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": COUNT,
        "completion_tokens": COUNT,
        "total_tokens": COUNT,
        "prompt_tokens_details": ENTERED,
        "completion_tokens_details": WRITTEN,
        "cached_tokens": COUNT,
        "service_tier": st.sampled_from(["priority", "default", None]),
    },
)
TIER = st.sampled_from([b"", b"null", b'"default"', b'"priority"', b'"Flex "', b"7", b'"' + b" " * 300 + b'"'])


@given(usage=USAGE, tier=TIER, writes=st.booleans())
@example(
    usage={"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 20, "prompt_tokens_details": None},
    tier=b'"priority"',
    writes=True,
)
def test_both_ways_agree(usage: dict[str, Any], tier: bytes, writes: bool) -> None:
    raw = json.dumps(usage).encode()
    assert parse_usage(raw, tier, writes=writes) == _parse_any(raw, tier, writes=writes)
