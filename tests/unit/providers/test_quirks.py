"""Quirks: before and after, nothing else touched, and the same again when run twice."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.providers.quirks import QUIRKS, TOUCHES
from headgate.types.deployment import Body
from headgate.wire import json as wire


class Case(NamedTuple):
    quirk: str
    before: str
    after: str
    dropped: tuple[str, ...] = ()


def messages(*each: str, more: str = "") -> str:
    return '{"model":"m","messages":[' + ",".join(each) + "]" + more + "}"


U = '{"role":"user","content":"hi"}'
CALL = '{"role":"assistant","content":null,"tool_calls":[{"id":"call_0","type":"function","function":{"name":"f"}}]}'
LONG_CALL = CALL.replace("call_0", "call_abcdefghijkl")
ASSIST = '{"role":"assistant","content":"so far"}'

CHANGES = [
    Case("cap_as_max_tokens", '{"max_completion_tokens":5,"model":"m"}', '{"model":"m","max_tokens":5}'),
    Case("cap_as_max_tokens", '{"max_tokens":9,"max_completion_tokens":5}', '{"max_tokens":5}'),
    Case("cap_as_max_tokens", '{"max_tokens":9,"max_completion_tokens":null}', '{"max_tokens":9}'),
    Case(
        "cap_as_max_completion_tokens",
        messages(U, more=',"max_tokens":5'),
        messages(U, more=',"max_completion_tokens":5'),
    ),
    Case(
        "cap_as_max_completion_tokens",
        messages(U, more=',"max_tokens":9,"max_completion_tokens":5'),
        messages(U, more=',"max_completion_tokens":5'),
    ),
    Case(
        "cap_as_max_completion_tokens",
        messages(U, more=',"max_completion_tokens":null,"max_tokens":9'),
        messages(U, more=',"max_completion_tokens":9'),
    ),
    Case("random_seed", '{"seed":7}', '{"random_seed":7}'),
    Case("logprobs_as_count", '{"logprobs":true,"top_logprobs":3}', '{"logprobs":3}'),
    Case("logprobs_as_count", '{"logprobs":true}', '{"logprobs":1}'),
    Case("logprobs_as_count", '{"logprobs":true,"top_logprobs":0}', '{"logprobs":1}'),
    Case("logprobs_as_count", '{"logprobs":false}', "{}"),
    Case("no_logprobs", '{"logprobs":true,"top_logprobs":3,"n":2}', '{"n":2}', ("logprobs", "top_logprobs")),
    Case("no_logprobs", '{"logprobs":false,"top_logprobs":null}', "{}"),
    Case("no_logit_bias", '{"logit_bias":{"50256":-100}}', "{}", ("logit_bias",)),
    Case("no_logit_bias", '{"logit_bias":{}}', "{}"),
    Case("no_penalties", '{"frequency_penalty":0.5,"presence_penalty":0}', "{}", ("frequency_penalty",)),
    Case("one_choice", '{"n":2}', "{}", ("n",)),
    Case("one_choice", '{"n":1}', "{}"),
    Case(
        "no_user", '{"user":"u1","safety_identifier":"s","model":"m"}', '{"model":"m"}', ("user", "safety_identifier")
    ),
    Case("no_store", '{"store":true}', "{}", ("store",)),
    Case("no_store", '{"store":false}', "{}"),
    Case("no_metadata", '{"metadata":{"a":"b"}}', "{}", ("metadata",)),
    Case("no_nulls", '{"stop":null,"user":"u","tools":null}', '{"user":"u"}'),
    Case(
        "no_nulls",
        messages('{"role":"assistant","content":null,"tool_calls":[],"refusal":null,"audio":null}'),
        messages('{"role":"assistant","content":null,"tool_calls":[]}'),
    ),
    Case(
        "no_cache_control",
        messages('{"role":"system","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]}', U),
        messages('{"role":"system","content":[{"type":"text","text":"x"}]}', U),
        ("cache_control",),
    ),
    Case(
        "no_cache_control",
        messages('{"role":"user","content":"x","cache_control":{"type":"ephemeral"}}'),
        messages('{"role":"user","content":"x"}'),
        ("cache_control",),
    ),
    Case(
        "no_cache_control",
        '{"tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral"}}]}',
        '{"tools":[{"type":"function","function":{"name":"f"}}]}',
        ("cache_control",),
    ),
    Case(
        "developer_as_system",
        messages('{"role":"developer","content":"be brief"}', U),
        messages('{"role":"system","content":"be brief"}', U),
    ),
    Case(
        "text_tool_results",
        messages(
            '{"role":"tool","tool_call_id":"c","content":[{"type":"text","text":"a\\u00e9"},{"type":"text","text":"b"}]}'
        ),
        messages('{"role":"tool","tool_call_id":"c","content":"a\\u00e9\\nb"}'),
    ),
    Case(
        "text_tool_results",
        messages('{"role":"tool","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}'),
        messages('{"role":"tool","content":"a"}'),
        ("cache_control",),
    ),
    Case(
        "text_content",
        messages('{"role":"user","content":[{"type":"text","text":"a \\"quoted\\" word"}]}', U),
        messages('{"role":"user","content":"a \\"quoted\\" word"}', U),
    ),
    Case(
        "no_names",
        messages('{"role":"user","name":"ann","content":"x"}', '{"role":"tool","name":"f","content":"y"}'),
        messages('{"role":"user","content":"x"}', '{"role":"tool","name":"f","content":"y"}'),
        ("messages.name",),
    ),
    Case(
        "history_reasoning",
        messages('{"role":"assistant","content":"x","reasoning_content":"because"}'),
        messages('{"role":"assistant","content":"x","reasoning":"because"}'),
    ),
    Case(
        "history_reasoning",
        messages('{"role":"assistant","reasoning":"mine","reasoning_content":"other"}'),
        messages('{"role":"assistant","reasoning":"mine"}'),
    ),
    Case(
        "no_thoughts",
        messages('{"role":"assistant","content":"x","reasoning_content":"because","reasoning":""}', U),
        messages('{"role":"assistant","content":"x"}', U),
        ("messages.reasoning_content",),
    ),
    Case(
        "reasoning_on_tool_turns",
        messages(CALL, U, CALL),
        messages(CALL, U, CALL[:-1] + ',"reasoning_content":""}'),
    ),
    Case(
        "reasoning_on_tool_turns",
        messages(U, CALL[:-1] + ',"reasoning":"because","reasoning_content":null}'),
        messages(U, CALL[:-1] + ',"reasoning":"because","reasoning_content":"because"}'),
    ),
    Case("prefix_prefill", messages(U, ASSIST), messages(U, ASSIST[:-1] + ',"prefix":true}')),
    Case(
        "prefix_prefill",
        messages(U, '{"role":"assistant","content":"x","prefix":null,"tool_calls":[]}'),
        messages(U, '{"role":"assistant","content":"x","prefix":true,"tool_calls":[]}'),
    ),
    Case("tool_choice_any", '{"tool_choice":"required"}', '{"tool_choice":"any"}'),
    Case("no_tool_choice", '{"tool_choice":"none","tools":[{}]}', "{}"),
    Case("no_tool_choice", '{"tool_choice":"auto","tools":[{}]}', '{"tools":[{}]}'),
    Case("no_tool_choice", '{"tool_choice":"required","tools":[{}]}', '{"tools":[{}]}', ("tool_choice",)),
    Case(
        "no_strict_tools",
        '{"tools":[{"type":"function","function":{"name":"f","strict":true}},{"type":"function"}]}',
        '{"tools":[{"type":"function","function":{"name":"f"}},{"type":"function"}]}',
        ("tools.strict",),
    ),
    Case(
        "no_strict_tools",
        '{"tools":[{"function":{"strict":false,"name":"f"}}]}',
        '{"tools":[{"function":{"name":"f"}}]}',
    ),
]

UNTOUCHED = [
    ("cap_as_max_tokens", '{"max_tokens": 9}'),
    ("cap_as_max_completion_tokens", '{"prompt": "a", "max_tokens": 9}'),
    ("cap_as_max_completion_tokens", '{"messages": [], "max_completion_tokens": 9}'),
    ("random_seed", '{"random_seed": 9}'),
    ("logprobs_as_count", '{"logprobs": 3}'),
    ("no_logprobs", '{"n": 2}'),
    ("no_logit_bias", '{"n": 2}'),
    ("no_penalties", '{"temperature": 2}'),
    ("one_choice", '{"temperature": 2}'),
    ("no_user", '{"metadata": {"user": "u"}}'),
    ("no_store", '{"metadata": {"store": true}}'),
    ("no_metadata", '{"store": true}'),
    ("no_nulls", '{"messages": [ {"role": "assistant", "content": null, "note": "not null"} ]}'),
    ("no_nulls", '{"response_format": {"json_schema": {"default": null}}}'),
    ("no_cache_control", '{"messages": [ {"role": "user", "content": "say \\"cache_control\\""} ]}'),
    ("no_cache_control", '{"tools": [ {"function": {"parameters": {"properties": {"cache_control": {}}}}} ]}'),
    ("developer_as_system", '{"messages": [ {"role": "user", "content": "\\"developer\\""} ]}'),
    ("developer_as_system", '{"messages": [ {"role": "user", "name": "developer"} ]}'),
    ("text_tool_results", '{"messages": [ {"role": "tool", "content": "plain"} ]}'),
    ("text_tool_results", '{"messages": [ {"role": "user", "content": [{"type": "text", "text": "a"}]} ]}'),
    ("text_tool_results", '{"messages": [ {"role": "tool", "content": [{"type": "text"}, {"type": "image_url"}]} ]}'),
    ("text_content", '{"messages": [ {"content": [{"type": "text", "text": "a"}, {"type": "image_url"}]} ]}'),
    ("text_content", '{"messages": [ {"content": []} ]}'),
    ("text_content", '{"messages": [ {"content": [{"type": "text", "text": 5}]} ]}'),
    ("no_names", '{"messages": [ {"role": "tool", "name": "f"}, {"role": "user"} ]}'),
    ("no_names", '{"messages": [ {"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]} ]}'),
    ("short_ids", '{"messages": [ {"role": "tool", "tool_call_id": "abcDEF123"} ]}'),
    ("history_reasoning", '{"messages": [ {"role": "assistant", "reasoning": "x"} ]}'),
    ("no_thoughts", '{"reasoning_effort": "low", "messages": [ {"content": "reasoning"} ]}'),
    ("reasoning_on_tool_turns", '{"messages": [ {"role": "assistant", "tool_calls": []}, {"role": "user"} ]}'),
    ("reasoning_on_tool_turns", '{"messages": [ {"tool_calls": [], "reasoning_content": "x"} ]}'),
    ("reasoning_on_tool_turns", '{"thinking": {"type": "disabled"}, "messages": [ {"tool_calls": []} ]}'),
    ("prefix_prefill", '{"messages": [ {"role": "assistant", "content": "x"}, {"role": "user"} ]}'),
    ("prefix_prefill", '{"messages": [ {"role": "assistant", "content": "x", "prefix": false} ]}'),
    ("prefix_prefill", messages(U, CALL)),
    ("prefix_prefill", '{"messages": [ {"role": "user", "content": "x", "name": "assistant"} ]}'),
    ("tool_choice_any", '{"tool_choice": {"type": "function", "function": {"name": "required"}}}'),
    ("no_tool_choice", '{"tools": [ {} ]}'),
    ("no_strict_tools", '{"tools": [ {"function": {"parameters": {"properties": {"strict": {}}}}} ]}'),
]


def run(quirk: str, text: str) -> tuple[Body, list[str]]:
    body, dropped = wire.parse_body(text.encode()), list[str]()
    QUIRKS[quirk](body, dropped)
    return body, dropped


def plain(body: Body) -> dict[str, bytes]:
    return {name: bytes(value) for name, value in body.items()}


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: case.quirk)
def test_a_quirk_makes_its_edit_and_reports_what_is_lost(case: Case) -> None:
    body, dropped = run(case.quirk, case.before)
    assert wire.encode(body).decode() == case.after
    assert dropped == list(case.dropped)


@pytest.mark.parametrize(("quirk", "text"), UNTOUCHED)
def test_a_request_a_quirk_does_not_concern_keeps_every_byte(quirk: str, text: str) -> None:
    body, dropped = run(quirk, text)
    assert plain(body) == plain(wire.parse_body(text.encode()))
    assert dropped == []


def test_every_quirk_is_shown_at_work_and_at_rest() -> None:
    assert {case.quirk for case in CHANGES} | {"short_ids"} == set(QUIRKS)
    assert {quirk for quirk, _ in UNTOUCHED} == set(QUIRKS)


def test_long_tool_call_ids_become_nine_characters_that_still_match_their_results() -> None:
    result = '{"role":"tool","tool_call_id":"call_abcdefghijkl","content":"ok"}'
    body, dropped = run("short_ids", messages(U, CALL, LONG_CALL, result))
    made = json.loads(bytes(body["messages"]))
    ids = [made[1]["tool_calls"][0]["id"], made[2]["tool_calls"][0]["id"]]
    assert len(set(ids)) == 2
    assert all(len(each) == 9 and each.isalnum() and each.isascii() for each in ids)
    assert made[3]["tool_call_id"] == ids[1]
    assert made[2]["tool_calls"][0]["function"] == {"name": "f"}
    assert dropped == []


def test_a_message_that_is_not_edited_keeps_its_bytes_beside_one_that_is() -> None:
    odd = '{ "content" :"1.0e2 \\u0041",  "role":"user", "weight": 1.50 }'
    body, _ = run("developer_as_system", messages('{"role":"developer","content":"x"}', odd))
    assert odd.encode() in bytes(body["messages"])


@pytest.mark.parametrize("name", sorted(QUIRKS))
@pytest.mark.parametrize(
    "text",
    [
        '{"messages":[{"role":"tool","content":[{"type":"text","text":"\udcff"}],"tool_calls":[{"id":"\udcff"}]}]}',
        '{"messages":[{"\udcff":"developer","cache_control":1,"name":"x","reasoning":null}],"tools":[{"\udcff":"strict"}]}',
        '{"messages":"developer tool_calls","tools":{"strict":null},"tool_choice":7,"logprobs":"true","n":[]}',
        '{"messages":[[],1,null,"\\"developer\\" \\"tool\\" \\"text\\"",{"tool_calls":{"id":3},"content":{"type":1}}]}',
    ],
)
def test_nonsense_is_left_for_the_provider_to_refuse(name: str, text: str) -> None:
    body, dropped = wire.parse_body(text.encode("utf-8", "surrogateescape")), list[str]()
    QUIRKS[name](body, dropped)
    assert wire.encode(body)


LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "required", "none", "abc\n\u20ac"])
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
)
PART = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url"])}, optional={"text": LEAVES, "cache_control": ANYTHING}
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "system", "developer"])},
    optional={
        "content": LEAVES | st.lists(PART, max_size=2),
        "name": LEAVES,
        "tool_calls": st.lists(st.fixed_dictionaries({}, optional={"id": LEAVES, "function": ANYTHING}), max_size=2),
        "tool_call_id": LEAVES,
        "reasoning": LEAVES,
        "reasoning_content": LEAVES,
        "cache_control": ANYTHING,
        "refusal": st.none(),
    },
)
TOOL = st.fixed_dictionaries(
    {"function": st.fixed_dictionaries({}, optional={"name": LEAVES, "strict": LEAVES, "parameters": ANYTHING})},
    optional={"cache_control": ANYTHING},
)
NAMED = sorted(frozenset().union(*TOUCHES.values()) - {"messages", "tools"})
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.lists(MESSAGE, max_size=4) | ANYTHING,
        "tools": st.lists(TOOL, max_size=2) | ANYTHING,
        "stream_options": ANYTHING,
        "model": LEAVES,
        "anything_else": ANYTHING,
        **{name: ANYTHING for name in NAMED},
    },
)
SPACING = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(QUIRKS)), BODIES, SPACING)
def test_a_quirk_changes_no_field_it_does_not_name_and_does_nothing_the_second_time(
    name: str, value: dict[str, Any], spacing: tuple[str, str]
) -> None:
    before = wire.parse_body(json.dumps(value, separators=spacing).encode())
    body, dropped = dict(before), list[str]()
    QUIRKS[name](body, dropped)
    for field in before.keys() | body.keys():
        if field in TOUCHES[name] or (name == "no_nulls" and field not in body and value[field] is None):
            continue
        assert bytes(body[field]) == bytes(before[field])
    for field in ("messages", "tools"):
        if field in body and isinstance(value[field], list):
            kept = wire.parse_items(body[field])
            assert len(kept) == len(value[field])
            for old, new in zip(wire.parse_items(before[field]), kept, strict=True):
                assert bytes(old) == bytes(new) or json.loads(bytes(old)) != json.loads(bytes(new))
    once, reported = plain(body), list(dropped)
    QUIRKS[name](body, dropped)
    assert plain(body) == once
    assert dropped == reported
    assert len(set(dropped)) == len(dropped)
