"""What is said about a model that nobody serves."""

from __future__ import annotations

import json
import re

import pytest

from tests.fakes.provider import json_reply
from tests.surface.stage import KEY, LLAMA, PINNED, Stage
from tests.surface.wire import ask, request

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        (LLAMA.lower(), LLAMA),
        (LLAMA.partition("/")[2].removesuffix("-Instruct"), LLAMA),
        (LLAMA.replace("Llama", "Lama"), LLAMA),
        (LLAMA.replace("acme", "acne"), LLAMA),
        ("fast_llama", "fast-llama"),
        ("Fast-LLaMA", "fast-llama"),
        ("acme/only-this", "acme/only:this"),
        ("sandbox-hello", "sandbox/hello"),
    ],
)
async def test_a_slip_is_404_and_names_what_was_meant_with_who_serves_it(stage: Stage, asked: str, meant: str) -> None:
    answer = await stage.chat(asked)
    error = answer.error
    assert (answer.status, error["code"], error["param"]) == (404, "model_not_found", "model")
    nearest = re.findall(r"(\S+) \(([a-z, ]+)\)", error["message"])
    assert 1 <= len(nearest) <= 5
    served = dict(nearest)
    if not meant.startswith("sandbox"):
        assert meant in served
        assert served[meant].split(", ")[0] in ("fake", "groq", "mistral")
    for name, _ in nearest:
        assert (await stage.get(f"/v1/models/{name}")).status == 200, f"{name} was suggested and is not there"


async def test_a_model_that_is_gone_wherever_it_was_asked_for_is_404_and_names_others(stage: Stage) -> None:
    stage.fake.always(json_reply({"error": {"message": "The model does not exist."}}, status=404))
    for model in (LLAMA, f"fake/{LLAMA}"):
        stage.gateway.health.clear()
        answer = await stage.chat(model)
        error = answer.error
        assert (answer.status, error["code"]) == (404, "model_not_found")
        said, _, near = error["message"].partition(". Nearest: ")
        assert said.endswith(": The model does not exist")
        others = dict(re.findall(r"(\S+) \(([a-z, ]+)\)", near))
        assert 1 <= len(others) <= 5
        gone = {f"{one['provider']}/{one['model']}" for one in error["attempts"]}
        assert not {model, *gone} & set(others)
        assert (f"dear/{LLAMA}" in others) == (model != LLAMA)


async def test_a_model_that_is_gone_is_no_reason_to_name_what_the_key_may_not_use(stage: Stage) -> None:
    stage.fake.always(json_reply({"error": {"message": "gone"}}, status=404))
    stage.gateway.health.clear()
    error = (await stage.chat(f"dear/{LLAMA}", key=PINNED)).error
    assert error["code"] == "model_not_found"
    assert error["message"] == "dear: gone"


async def test_nothing_near_points_to_the_list_and_to_who_takes_any_id(stage: Stage) -> None:
    message = (await stage.chat("zzzzqqqq")).error["message"]
    assert "GET /v1/models" in message
    assert "open takes any id: open/<id>" in message
    assert "Nearest" not in message


async def test_a_provider_whose_models_are_known_is_named_with_the_way_to_add_one(stage: Stage) -> None:
    message = (await stage.chat("groq/brand-new-model")).error["message"]
    assert "providers.groq.models" in message


@pytest.mark.parametrize(
    "name",
    [
        "x" * 100_000,
        "/" * 3000,
        ":" * 500,
        "*",
        "a*b*c",
        "💥" * 400,
        "fast-llama/",
        "/fast-llama",
        " fast-llama",
        "../../etc/passwd",
        "%s%n{0}${HOME}",
        '"><script>',
    ],
)
async def test_a_huge_or_odd_name_gets_a_short_404_and_calls_nobody(stage: Stage, name: str) -> None:
    answer = await ask(
        stage.port,
        request(body=json.dumps({"model": name, "messages": [{"role": "user", "content": "x"}]}).encode(), key=KEY),
    )
    assert (answer.status, answer.error["code"]) == (404, "model_not_found")
    assert len(answer.body) < 4096
    assert stage.fake.requests == []


async def test_a_model_of_the_wrong_kind_is_400_and_says_what_it_is(stage: Stage) -> None:
    answer = await stage.chat("acme/embed")
    assert (answer.status, answer.error["code"]) == (400, "unsupported_model")
    assert "embedding" in answer.error["message"]
    body = {"model": "groq/llama-3.1-8b-instant", "prompt": "x"}
    answer = await ask(stage.port, request(path="/v1/completions", body=body, key=KEY))
    assert answer.status == 400
    assert "groq" in answer.error["message"]
    assert stage.fake.requests == []


async def test_each_of_many_that_were_asked_is_told_of(stage: Stage) -> None:
    stage.fake.always(json_reply({"error": {"message": "no such model", "code": "model_not_found"}}, status=404))
    first, *others = [f"x-{number}" for number in range(21)]
    answer = await stage.chat(f"open/{first}", models=[f"open/{name}" for name in others])
    assert answer.status == 404, answer.body
    told = [(one["model"], one["result"]) for one in answer.error["attempts"]]
    assert told == [(name, "model_not_found") for name in (first, *others)]


async def test_a_name_of_any_length_is_cut_where_attempts_are_told(stage: Stage) -> None:
    stage.fake.always(json_reply({"error": {"message": "no such model", "code": "model_not_found"}}, status=404))
    answer = await stage.chat("open/" + "x" * 3000)
    assert [one["model"] for one in answer.error["attempts"]] == ["x" * 200]
