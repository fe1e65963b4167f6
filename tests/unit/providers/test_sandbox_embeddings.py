"""The sandbox's embeddings."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any

import pytest

from tests.unit.providers.sandbox_calls import refusal, reply


def vectors(**fields: Any) -> list[list[float]]:
    return [item["embedding"] for item in reply("embedding", **fields)["data"]]


def test_reply_has_the_shape_of_openai() -> None:
    got = reply("embedding", model="embed", input=["one", "two"])
    assert got["object"] == "list"
    assert got["model"] == "embed"
    assert [(item["object"], item["index"]) for item in got["data"]] == [("embedding", 0), ("embedding", 1)]
    assert got["usage"] == {"prompt_tokens": 2, "total_tokens": 2}


@pytest.mark.parametrize("dimensions", [None, 1, 2, 3, 1536])
def test_vectors_have_the_dimensions_asked_for_and_length_one(dimensions: int | None) -> None:
    for vector in vectors(input=["some words", "a", "x y z " * 500], dimensions=dimensions):
        assert len(vector) == (dimensions or 64)
        assert math.isclose(math.hypot(*vector), 1, rel_tol=1e-5)


def test_same_text_gets_the_same_vector_and_likeness_follows_shared_words() -> None:
    near, same, far, again = vectors(
        input=[
            "the cat sat on the mat",
            "the cat sat on a mat",
            "quarterly earnings rose sharply",
            "the cat sat on the mat",
        ]
    )
    assert near == again
    assert near != same
    assert dot(near, same) > 0.5 > dot(near, far)


def dot(left: list[float], right: list[float]) -> float:
    return sum(one * other for one, other in zip(left, right, strict=True))


def test_base64_carries_the_same_little_endian_floats() -> None:
    [plain] = vectors(input="hello", dimensions=8)
    [item] = reply("embedding", input="hello", dimensions=8, encoding_format="base64")["data"]
    assert list(struct.unpack("<8f", base64.b64decode(item["embedding"]))) == plain


@pytest.mark.parametrize("given", [[1, 2, 3], [[1, 2, 3]]])
def test_token_lists_are_accepted_and_counted(given: Any) -> None:
    got = reply("embedding", input=given)
    assert len(got["data"]) == 1
    assert got["usage"]["prompt_tokens"] == 3


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": ["a", 1]}, "input"),
        ({"input": {"text": "a"}}, "input"),
        ({"input": [[-1]]}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": "word " * 300_000}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": 5000}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_malformed_request_is_refused_naming_the_field(fields: dict[str, Any], param: str) -> None:
    assert refusal("embedding", **fields)["param"] == param
