"""The OpenAI SDK for Python, asynchronous."""

from __future__ import annotations

import asyncio

from behaviours import API_KEY, BASE_URL, EMBEDDING_MODEL, MODEL, run
from openai import APIError, AsyncOpenAI, AuthenticationError, NotFoundError, RateLimitError
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

client = AsyncOpenAI(base_url=BASE_URL, api_key=API_KEY, max_retries=0, timeout=30)

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello."}]


class Trip(BaseModel):
    city: str
    nights: int


async def plain() -> None:
    """a chat completion has text and usage"""
    answer = await client.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert answer.usage.total_tokens > 0


async def streamed() -> None:
    """a stream has text, and no usage unasked"""
    text = ""
    async for chunk in await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True):
        assert chunk.usage is None
        text += chunk.choices[0].delta.content or ""
    assert text


async def streamed_with_usage() -> None:
    """a stream that asks for usage has it in the last chunk"""
    stream = await client.chat.completions.create(
        model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    usages = [chunk.usage async for chunk in stream]
    assert usages[-1] is not None
    assert usages[:-1] == [None] * (len(usages) - 1)


async def together() -> None:
    """twenty streams at once are all answered in full"""

    async def one() -> str | None:
        finish = None
        async for chunk in await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True):
            finish = chunk.choices[0].finish_reason
        return finish

    assert await asyncio.gather(*(one() for _ in range(20))) == ["stop"] * 20


async def cancelled() -> None:
    """a cancelled request leaves a client that goes on"""
    task = asyncio.ensure_future(client.chat.completions.create(model="sandbox/hang", messages=MESSAGES))
    await asyncio.sleep(0.2)
    assert not task.done(), f"sandbox/hang answered: {task}"
    task.cancel()
    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
    await plain()


async def parsed() -> None:
    """a JSON schema made from a pydantic model is answered with that model"""
    answer = await client.chat.completions.parse(model=MODEL, messages=MESSAGES, response_format=Trip)
    assert isinstance(answer.choices[0].message.parsed, Trip)


async def embeddings() -> None:
    """embeddings keep the order of their texts"""
    vectors = await client.embeddings.create(model=EMBEDDING_MODEL, input=["one", "two"])
    assert [item.index for item in vectors.data] == [0, 1]


async def models() -> None:
    """models are listed and found"""
    assert MODEL in [model.id async for model in client.models.list()]
    assert (await client.models.retrieve(MODEL)).id == MODEL


async def errors() -> None:
    """a wrong key, an unknown model, a 429 and a cut stream each raise their own error"""
    results = await asyncio.gather(
        client.with_options(api_key="hg-this-key-was-never-issued").models.list(),
        client.chat.completions.create(model="no/such/model", messages=MESSAGES),
        client.chat.completions.create(model="sandbox/429", messages=MESSAGES),
        cut(),
        return_exceptions=True,
    )
    kinds = (AuthenticationError, NotFoundError, RateLimitError, APIError)
    for result, kind in zip(results, kinds, strict=True):
        assert isinstance(result, kind), f"{kind.__name__} was expected, got {result!r}"


async def cut() -> None:
    async for _ in await client.chat.completions.create(model="sandbox/cut", messages=MESSAGES, stream=True):
        pass


if __name__ == "__main__":
    run(plain, streamed, streamed_with_usage, together, cancelled, parsed, embeddings, models, errors)
