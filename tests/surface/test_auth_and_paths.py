"""Who may call, and what is found where."""

from __future__ import annotations

import pytest

from tests.fakes.provider import json_reply
from tests.surface.stage import KEY, LLAMA, NARROW, PINNED, Stage, chat, completion
from tests.surface.wire import ask, chunked, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

BASES = ["/v1", "/v1/openai"]


@pytest.mark.parametrize("base", BASES)
async def test_a_bearer_key_and_an_x_api_key_are_the_same_under_both_bases(stage: Stage, base: str) -> None:
    stage.fake.always(completion())
    for credentials in (
        f"Authorization: Bearer {KEY}",
        f"authorization: bearer   {KEY} ",
        f"X-Api-Key: {KEY}",
        f"x-api-key:{KEY}",
    ):
        answer = await ask(
            stage.port, request(path=f"{base}/chat/completions", body=chat(), headers=f"{credentials}\r\n".encode())
        )
        assert answer.status == 200, credentials
        assert answer.json()["choices"][0]["message"]["content"] == "Hello."
    assert [seen.path for seen in stage.fake.requests] == ["/v1/chat/completions"] * 4


@pytest.mark.parametrize("base", BASES)
async def test_every_endpoint_is_under_both_bases(stage: Stage, base: str) -> None:
    stage.fake.always(json_reply({"choices": [{"index": 0, "text": "upon a time", "finish_reason": "stop"}]}))
    assert (await stage.get(f"{base}/models")).status == 200
    assert (await stage.get(f"{base}/models/fast-llama")).json()["id"] == "fast-llama"
    body = {"model": "acme/text", "prompt": "Once"}
    assert (await ask(stage.port, request(path=f"{base}/completions", body=body, key=KEY))).status == 200
    body = {"model": "sandbox/embed", "input": "Once"}
    embedding = await ask(stage.port, request(path=f"{base}/embeddings", body=body, key=KEY))
    assert embedding.json()["data"][0]["object"] == "embedding"


@pytest.mark.parametrize(
    "headers",
    [
        b"",
        b"Authorization: Bearer hg-no-such-key-at-all-here\r\n",
        b"Authorization: Bearer\r\n",
        b"Authorization: Bearer \r\n",
        b"Authorization:\r\n",
        b"Authorization: Basic " + KEY.encode() + b"\r\n",
        b"Authorization: " + KEY.encode() + b"\r\n",
        b"Authorization: Bearer " + KEY.encode()[:-1] + b"\r\n",
        b"Authorization: Bearer " + KEY.encode() + b" x\r\n",
        b"Authorization: Bearer \xff\xfe\r\n",
        b"X-Api-Key:\r\n",
        b"X-Api-Key: " + KEY.upper().encode() + b"\r\n",
        # The one that is not meant for us does not stand in for the one that is.
        b"Authorization: Bearer wrong\r\nX-Api-Key: " + KEY.encode() + b"\r\n",
    ],
)
async def test_without_a_right_key_everything_is_401_and_nobody_is_called(stage: Stage, headers: bytes) -> None:
    for data in (request(body=chat(), headers=headers), request("GET", "/v1/models", headers=headers)):
        answer = await ask(stage.port, data)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["x-request-id"].startswith("req_")
        assert answer.headers["content-type"] == "application/json"
        assert set(answer.error) >= {"message", "type", "param", "code"}
        assert answer.error["code"] == "invalid_api_key"
        assert KEY not in answer.body.decode()
    assert stage.fake.requests == []


async def test_a_key_in_a_trailer_opens_nothing(stage: Stage) -> None:
    trailer = f"Authorization: Bearer {KEY}\r\nX-Api-Key: {KEY}\r\n".encode()
    body = chunked(b'{"model":"fast-llama","messages":[{"role":"user","content":"x"}]}')[:-2] + trailer + b"\r\n"
    answer = await ask(stage.port, request(headers=b"Transfer-Encoding: chunked\r\n") + body)
    assert answer.status == 401
    assert stage.fake.requests == []


async def test_a_key_with_an_allow_list_gets_those_models_and_no_other(stage: Stage) -> None:
    stage.fake.always(completion())
    assert (await stage.chat("fast-llama", key=NARROW)).status == 200
    assert (await stage.chat("acme/only:this", key=NARROW)).status == 200
    for model in (LLAMA, f"fake/{LLAMA}", "sandbox/hello", "acme/only:other", "no-such-model"):
        answer = await stage.chat(model, key=NARROW)
        assert (answer.status, answer.error["code"], answer.error["param"]) == (403, "model_not_allowed", "model")
    listed = [model["id"] for model in (await stage.get("/v1/models", NARROW)).json()["data"]]
    assert sorted(listed) == ["acme/only:this", "fast-llama"]
    hidden = await stage.get("/v1/models/sandbox/hello", NARROW)
    assert hidden.status == 404
    # What it may not use is not described to it either.
    assert "open" not in hidden.error["message"]
    assert "groq" not in hidden.error["message"]


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/", "/v2/models", "/v1/chat", "/V1/models", "/v1/models2", "//v1/models"]
)
async def test_an_unknown_path_is_404_in_openais_shape(stage: Stage, path: str) -> None:
    answer = await stage.get(path)
    assert (answer.status, answer.error["code"], answer.error["type"]) == (404, "not_found", "invalid_request_error")
    assert "/v1" in answer.error["message"]
    assert answer.headers["x-request-id"] == answer.error["request_id"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/chat/completions", "POST"),
        ("DELETE", "/v1/openai/embeddings", "POST"),
        ("POST", "/v1/models", "GET"),
        ("PUT", "/v1/models/fast-llama", "GET"),
        ("POST", "/healthz", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_405_and_names_the_right_one(
    stage: Stage, method: str, path: str, allowed: str
) -> None:
    answer = await ask(stage.port, request(method, path, body=b"{}" if method != "GET" else None, key=KEY))
    assert (answer.status, answer.headers["allow"], answer.error["code"]) == (405, allowed, "method_not_allowed")


async def test_health_and_readiness_need_no_key_and_count_revisions(stage: Stage) -> None:
    assert (await stage.get("/healthz", None)).json() == {"status": "ok"}
    ready = (await stage.get("/readyz", None)).json()
    assert ready == {"status": "ready", "revision": 1}
    async with await stage.wire() as wire:
        await wire.send(request("HEAD", "/healthz") + request("GET", "/readyz"))
        assert (await wire.head()).status == 200
        assert (await wire.answer()).json() == ready, "a body was sent in answer to HEAD"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"fake/{LLAMA}", f"fake/{LLAMA}"),
        (LLAMA, LLAMA),
        (LLAMA.replace("/", "%2F").replace(".", "%2e"), LLAMA),
        ("acme/only:this", "acme/only:this"),
        ("acme%2Fonly%3Athis", "acme/only:this"),
        ("fast-llama:fastest", "fast-llama:fastest"),
        ("fast-llama?x=1", "fast-llama"),
        ("open/any%20thing/at:all", "open/any thing/at:all"),
        ("fine-tuned", "fine-tuned"),
        ("ft-mine", "ft-mine"),
    ],
)
async def test_a_model_is_found_by_the_id_in_the_path_however_it_is_written(stage: Stage, path: str, name: str) -> None:
    for base in BASES:
        answer = await stage.get(f"{base}/models/{path}")
        model = answer.json()
        assert (model["id"], model["object"]) == (name, "model")
        assert isinstance(model["created"], int)
        assert model["headgate"]["providers"]


@pytest.mark.parametrize(
    "path", ["", "no-such", "fake/", "/", "fake//x", "%00", "%ff", "a%0d%0aX-Injected:%201", "..", "*"]
)
async def test_a_model_that_is_not_there_is_404_whatever_its_name_holds(stage: Stage, path: str) -> None:
    answer = await stage.get(f"/v1/models/{path}")
    assert (answer.status, answer.error["code"]) == (404, "model_not_found")
    assert "x-injected" not in answer.headers


@pytest.mark.parametrize("suffix", ["cheapest", "floor", "fastest", "nitro", "balanced"])
@pytest.mark.parametrize("name", ["fast-llama", LLAMA, f"fake/{LLAMA}", "open/some-id", "ft-mine", "sandbox/fast"])
async def test_a_suffix_changes_the_order_and_is_not_sent_to_the_provider(stage: Stage, name: str, suffix: str) -> None:
    stage.fake.always(completion())
    answer = await stage.chat(f"{name}:{suffix}")
    assert answer.status == 200
    assert suffix not in answer.headers["x-headgate-model"]
    assert all(not seen.json()["model"].endswith(suffix) for seen in stage.fake.requests)


async def test_a_colon_that_is_no_suffix_stays_part_of_the_id(stage: Stage) -> None:
    stage.fake.always(completion())
    for name, sent in (
        ("acme/only:this", "acme/only:this"),
        ("open/llama3:8b", "llama3:8b"),
        ("open/x:free", "x:free"),
    ):
        await stage.chat(name)
        assert stage.fake.requests[-1].json()["model"] == sent


async def test_the_cheapest_target_is_called_and_a_star_stands_for_what_was_written(stage: Stage) -> None:
    stage.fake.always(completion())
    answer = await stage.chat("fast-llama")
    assert (answer.headers["x-headgate-provider"], answer.headers["x-headgate-model"]) == ("fake", LLAMA)
    for name, sent in (("ft-mine", "tuned-mine"), ("fine-grained", "fine-grained"), ("open/a/b", "a/b")):
        await stage.chat(name)
        assert stage.fake.requests[-1].json()["model"] == sent


async def test_a_limited_key_cannot_name_further_models_beside_the_one_it_may_use(stage: Stage) -> None:
    stage.fake.always(completion())
    refused = await stage.chat("fast-llama", key=NARROW, models=["fast-llama", "open/other"])
    assert (refused.status, refused.error["param"]) == (403, "models")
    odd = await stage.chat("fast-llama", key=NARROW, models="open/other")
    assert (odd.status, odd.error["param"]) == (400, "models")
    assert stage.fake.requests == []
    assert (await stage.chat("fast-llama", key=NARROW, models=["fast-llama"])).status == 200
    assert (await stage.chat("fast-llama", models=["fast-llama", "open/other"])).status == 200


async def test_a_key_limited_to_a_pin_is_shown_it(stage: Stage) -> None:
    listed = [model["id"] for model in (await stage.get("/v1/models", PINNED)).json()["data"]]
    assert listed == ["dear/acme/Llama-3.1-8B-Instruct"]


async def test_a_very_long_model_name_does_not_swell_the_reply_headers(stage: Stage) -> None:
    answer = await stage.chat("sandbox/" + "x" * 50_000)
    assert answer.status == 200
    assert len(answer.headers["x-headgate-model"]) == 200
