"""The OpenAI SDK for Python, synchronous: all that Headgate's OpenAI surface offers."""

from __future__ import annotations

import json
from enum import Enum

from behaviours import API_KEY, BASE_URL, EMBEDDING_MODEL, MODEL, raised, run
from openai import APIError, AuthenticationError, NotFoundError, OpenAI, RateLimitError
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

client = OpenAI(base_url=BASE_URL, api_key=API_KEY, max_retries=0, timeout=30)

MESSAGES: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "You are terse."},
    {"role": "user", "content": "Say hello to José, 木村 and 🙂."},
]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
        },
    },
}


class Mood(Enum):
    good = "good"
    bad = "bad"


class Passenger(BaseModel):
    name: str
    bags: int


class Trip(BaseModel):
    city: str
    nights: int
    mood: Mood
    passengers: list[Passenger]


def plain() -> None:
    """a chat completion has text, a finish reason and usage"""
    answer = client.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def plain_headers() -> None:
    """the reply's headers name the request and who answered"""
    reply = client.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES)
    assert reply.headers["x-request-id"]
    assert reply.headers["x-headgate-provider"] == MODEL.partition("/")[0]
    assert reply.request_id == reply.headers["x-request-id"]


def streamed() -> None:
    """a stream has text and a finish reason, and no usage unasked"""
    text, finishes = "", []
    for chunk in client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True):
        assert chunk.object == "chat.completion.chunk"
        assert chunk.usage is None
        assert len(chunk.choices) == 1
        text += chunk.choices[0].delta.content or ""
        if chunk.choices[0].finish_reason:
            finishes.append(chunk.choices[0].finish_reason)
    assert text
    assert finishes == ["stop"]


def streamed_with_usage() -> None:
    """a stream that asks for usage has it in the last chunk, and only there"""
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    )
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0


def streamed_to_a_final_answer() -> None:
    """the SDK's stream helper folds the events to a whole answer"""
    with client.chat.completions.stream(model=MODEL, messages=MESSAGES) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    assert final.choices[0].message.content
    assert final.choices[0].finish_reason == "stop"


def left_midway() -> None:
    """a stream may be left midway, and the client goes on"""
    with client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True) as stream:
        next(iter(stream))
    plain()


def tools() -> None:
    """tools are called with arguments that fit, and their results are accepted"""
    answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, tools=[WEATHER])
    message = answer.choices[0].message
    assert answer.choices[0].finish_reason == "tool_calls"
    assert message.tool_calls
    call = message.tool_calls[0]
    assert call.id
    assert call.type == "function"
    assert call.function.name == "get_weather"
    arguments = json.loads(call.function.arguments)
    assert isinstance(arguments["city"], str)
    assert isinstance(arguments["days"], int)
    result: ChatCompletionMessageParam = {"role": "tool", "tool_call_id": call.id, "content": '{"sky": "blue"}'}
    called: ChatCompletionMessageParam = message.model_dump(exclude_none=True)  # type: ignore[assignment]
    after = client.chat.completions.create(model=MODEL, messages=[*MESSAGES, called, result], tools=[WEATHER])
    assert after.choices[0].message.content


def tools_streamed() -> None:
    """a tool call arrives in pieces that join to valid arguments"""
    name, arguments, finishes = "", "", []
    for chunk in client.chat.completions.create(model=MODEL, messages=MESSAGES, tools=[WEATHER], stream=True):
        choice = chunk.choices[0]
        for call in choice.delta.tool_calls or []:
            assert call.index == 0
            assert call.function is not None
            name += call.function.name or ""
            arguments += call.function.arguments or ""
        if choice.finish_reason:
            finishes.append(choice.finish_reason)
    assert name == "get_weather"
    assert isinstance(json.loads(arguments)["city"], str)
    assert finishes == ["tool_calls"]


def parsed() -> None:
    """a JSON schema made from a pydantic model is answered with that model"""
    answer = client.chat.completions.parse(model=MODEL, messages=MESSAGES, response_format=Trip)
    trip = answer.choices[0].message.parsed
    assert isinstance(trip, Trip)
    assert isinstance(trip.mood, Mood)
    assert all(isinstance(passenger, Passenger) for passenger in trip.passengers)


def json_object() -> None:
    """JSON mode answers with an object"""
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Answer in JSON."}],
        response_format={"type": "json_object"},
    )
    assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)


def legacy() -> None:
    """the old completions work, plain and streamed"""
    answer = client.completions.create(model=MODEL, prompt="Once upon a time", max_tokens=16)
    assert answer.object == "text_completion"
    assert answer.choices[0].text
    assert answer.usage is not None
    chunks = list(client.completions.create(model=MODEL, prompt="Once upon a time", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason


def embeddings() -> None:
    """embeddings come as base64 and as floats, and are the same vectors"""
    texts = ["one", "two", "three"]
    unpacked = client.embeddings.create(model=EMBEDDING_MODEL, input=texts)
    floats = client.embeddings.create(model=EMBEDDING_MODEL, input=texts, encoding_format="float")
    assert [item.index for item in unpacked.data] == [0, 1, 2]
    assert unpacked.usage.prompt_tokens > 0
    for one, other in zip(unpacked.data, floats.data, strict=True):
        assert len(one.embedding) == len(other.embedding) > 0
        assert all(abs(a - b) < 1e-6 for a, b in zip(one.embedding, other.embedding, strict=True))


def embedded_shapes() -> None:
    """one text, one list of tokens and lists of tokens can be embedded"""
    assert len(client.embeddings.create(model=EMBEDDING_MODEL, input="one").data) == 1
    assert len(client.embeddings.create(model=EMBEDDING_MODEL, input=[1, 2, 3]).data) == 1
    assert len(client.embeddings.create(model=EMBEDDING_MODEL, input=[[1, 2], [3]]).data) == 2


def models() -> None:
    """models are listed, and one with a slash in its id is found"""
    assert MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve(MODEL).id == MODEL


def both_paths() -> None:
    """/v1 and /v1/openai are the same"""
    other = client.with_options(base_url=BASE_URL.rstrip("/") + "/openai")
    assert other.chat.completions.create(model=MODEL, messages=MESSAGES).choices[0].message.content
    assert other.models.retrieve(MODEL).id == MODEL


def wrong_key() -> None:
    """a wrong key is an AuthenticationError"""
    stranger = client.with_options(api_key="hg-this-key-was-never-issued")
    error = raised(AuthenticationError, lambda: stranger.chat.completions.create(model=MODEL, messages=MESSAGES))
    assert error.code == "invalid_api_key"
    raised(AuthenticationError, lambda: stranger.models.list())


def unknown_model() -> None:
    """an unknown model is a NotFoundError that names the model and what is near it"""
    near = MODEL.replace("/", "-")
    error = raised(NotFoundError, lambda: client.chat.completions.create(model=near, messages=MESSAGES))
    assert error.code == "model_not_found"
    assert error.param == "model"
    assert MODEL in str(error)
    raised(NotFoundError, lambda: client.models.retrieve("no/such/model"))


def rate_limited() -> None:
    """a provider's 429 is a RateLimitError with Retry-After"""
    error = raised(RateLimitError, lambda: client.chat.completions.create(model="sandbox/429", messages=MESSAGES))
    assert int(error.response.headers["retry-after"]) >= 1


def cut_stream() -> None:
    """a stream that is cut raises, after the text that did arrive"""
    stream = client.chat.completions.create(model="sandbox/cut", messages=MESSAGES, stream=True)
    text = []
    error = raised(APIError, lambda: text.extend(chunk.choices[0].delta.content for chunk in stream))
    assert any(text)
    assert error.message


if __name__ == "__main__":
    run(
        plain,
        plain_headers,
        streamed,
        streamed_with_usage,
        streamed_to_a_final_answer,
        left_midway,
        tools,
        tools_streamed,
        parsed,
        json_object,
        legacy,
        embeddings,
        embedded_shapes,
        models,
        both_paths,
        wrong_key,
        unknown_model,
        rate_limited,
        cut_stream,
    )
