"""LlamaIndex, with its packages for OpenAI (and so version 2 of the OpenAI SDK)."""

from __future__ import annotations

from behaviours import API_KEY, BASE_URL, EMBEDDING_MODEL, MODEL, raised, run
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.llms.openai import OpenAI
from openai import AuthenticationError
from pydantic import BaseModel


def llm_with(api_key: str) -> OpenAI:
    # LlamaIndex looks `model` up in its own table of OpenAI's models, for window and abilities, and refuses any other
    # name; what is sent is the one in `additional_kwargs`.
    return OpenAI(
        model="gpt-4o",
        additional_kwargs={"model": MODEL},
        api_base=BASE_URL,
        api_key=api_key,
        max_retries=0,
        timeout=30,
    )


llm = llm_with(API_KEY)
MESSAGES = [ChatMessage(role="system", content="You are terse."), ChatMessage(role="user", content="Say hello.")]


class Trip(BaseModel):
    """A journey."""

    city: str
    nights: int


def get_weather(city: str, days: int) -> str:
    """Weather of a city."""
    return f"{city}: blue sky for {days} days"


def complete() -> None:
    """complete and chat have text and usage"""
    assert llm.complete("Say hello.").text
    answer = llm.chat(MESSAGES)
    assert answer.message.content
    assert answer.additional_kwargs["total_tokens"] > 0


def stream() -> None:
    """stream_chat has text"""
    assert "".join(part.delta or "" for part in llm.stream_chat(MESSAGES))


async def asynchronous() -> None:
    """achat and astream_chat work"""
    assert (await llm.achat(MESSAGES)).message.content
    assert "".join([part.delta or "" async for part in await llm.astream_chat(MESSAGES)])


def tools() -> None:
    """tools are called with arguments that fit"""
    weather = FunctionTool.from_defaults(get_weather)
    calls = llm.get_tool_calls_from_response(llm.chat_with_tools([weather], user_msg="What is the weather?"))
    assert [call.tool_name for call in calls] == ["get_weather"]
    assert isinstance(calls[0].tool_kwargs["city"], str)


def structured() -> None:
    """a structured answer is the pydantic model asked for"""
    assert isinstance(llm.as_structured_llm(Trip).complete("Plan a trip.").raw, Trip)


def embeddings() -> None:
    """texts and a query are embedded"""
    embedder = OpenAIEmbedding(model_name=EMBEDDING_MODEL, api_base=BASE_URL, api_key=API_KEY, max_retries=0)
    vectors = embedder.get_text_embedding_batch(["one", "two"])
    assert len(vectors) == 2
    assert len(embedder.get_query_embedding("one")) == len(vectors[0]) > 0


def wrong_key() -> None:
    """a wrong key is the SDK's AuthenticationError"""
    raised(AuthenticationError, lambda: llm_with("hg-this-key-was-never-issued").complete("Say hello."))


if __name__ == "__main__":
    run(complete, stream, asynchronous, tools, structured, embeddings, wrong_key)
