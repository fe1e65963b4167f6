"""A body whose fields are checked in one step comes to the same as one whose fields are checked one by one."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.dialects.openai import request
from headgate.dialects.openai.fields import FIELDS
from headgate.dialects.openai.request import parse_request
from headgate.errors import InvalidRequest
from headgate.types.deployment import Operation
from headgate.types.request import Envelope

ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 5), st.floats(0, 2), st.just(2**70), st.text(max_size=2), st.just([])
)
TURN = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", 1])},
    optional={"content": st.one_of(ODD, st.lists(st.just({"type": "image_url"}), max_size=2))},
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "model": st.one_of(st.just("m"), ODD),
    "messages": st.one_of(st.lists(TURN, max_size=2), ODD),
    "stream_options": st.one_of(st.dictionaries(st.sampled_from(["include_usage", "x"]), ODD), ODD),
    "tools": st.one_of(st.just([{"type": "function"}]), ODD),
    "response_format": st.one_of(st.just({"type": "json_object"}), ODD),
}
NAMES = sorted({name for kind in FIELDS.values() for name in kind.__struct_fields__} | {"logprobs", "models"})
PAIR = st.sampled_from(NAMES).flatmap(lambda name: st.tuples(st.just(name), VALUES.get(name, ODD)))


class _Nothing:
    def decode(self, data: bytes) -> object:
        raise msgspec.ValidationError("one by one")


def parsed(operation: Operation, body: bytes) -> Envelope | tuple[str, str | None]:
    try:
        return parse_request(operation, body)
    except InvalidRequest as error:
        return error.message, error.param


@given(operation=st.sampled_from(Operation), pairs=st.lists(PAIR, max_size=6), good=st.booleans())
def test_both_ways_agree(operation: Operation, pairs: list[tuple[str, Any]], good: bool) -> None:
    if good:
        pairs = [("model", "m"), ("messages", [{"role": "user"}]), ("input", "i"), *pairs]
    # Names may stand twice.
    body = "{" + ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in pairs) + "}"
    short = parsed(operation, body.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request, "_whole", dict.fromkeys(Operation, _Nothing()))
        long = parsed(operation, body.encode())
    if isinstance(short, Envelope) and isinstance(long, Envelope):
        assert msgspec.structs.asdict(short) == msgspec.structs.asdict(long)
    else:
        assert short == long


def test_of_a_field_that_stands_twice_the_last_counts() -> None:
    body = rb'{"model": "a", "messages": [{"role": "user"}], "n": "x", "mod\u0065l": "b", "n": 2}'
    made = parse_request(Operation.CHAT, body)
    assert (made.model, bytes(made.fields["model"]), made.answers) == ("b", b'"b"', 2)


@pytest.mark.parametrize("operation", [Operation.COMPLETION, Operation.EMBEDDING])
def test_fields_of_another_operation_ask_for_nothing(operation: Operation) -> None:
    others = {
        "messages": [{"role": "assistant", "content": [{"type": "image_url"}]}],
        "tools": [{"type": "function"}],
        "response_format": {"type": "json_object"},
        "max_completion_tokens": 7,
    }
    made = parse_request(operation, json.dumps({"model": "m", "input": "i", "stream": True, **others}).encode())
    assert (made.requires, made.output_cap) == (frozenset(), None)
    assert made.stream is (operation is Operation.COMPLETION)
