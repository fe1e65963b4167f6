"""LangChain, with its package for OpenAI."""

from __future__ import annotations

from behaviours import API_KEY, BASE_URL, EMBEDDING_MODEL, MODEL, raised, run
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import AuthenticationError
from pydantic import BaseModel, SecretStr

llm = ChatOpenAI(model=MODEL, base_url=BASE_URL, api_key=SecretStr(API_KEY), max_retries=0, timeout=30)


class Trip(BaseModel):
    """A journey."""

    city: str
    nights: int


@tool
def get_weather(city: str, days: int) -> str:
    """Weather of a city."""
    return f"{city}: blue sky for {days} days"


def invoke() -> None:
    """invoke has text and usage"""
    answer = llm.invoke("Say hello.")
    assert answer.text
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["total_tokens"] > 0


def stream() -> None:
    """stream has text, and usage when asked"""
    whole: AIMessageChunk | None = None
    for chunk in llm.stream("Say hello.", stream_usage=True):
        assert isinstance(chunk, AIMessageChunk)
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    assert whole.text
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] > 0


async def asynchronous() -> None:
    """ainvoke and astream work"""
    assert (await llm.ainvoke("Say hello.")).text
    assert "".join([chunk.text async for chunk in llm.astream("Say hello.")])


def chain() -> None:
    """a prompt in front of the model makes a chain; a batch keeps its order"""
    prompt = ChatPromptTemplate.from_messages([("system", "Speak {language}."), ("human", "Say hello.")])
    answers = (prompt | llm).batch([{"language": "French"}, {"language": "Turkish"}])
    assert len(answers) == 2
    assert all(answer.text for answer in answers)


def tools() -> None:
    """bound tools are called, and their results are accepted"""
    able = llm.bind_tools([get_weather])
    question = HumanMessage("What is the weather?")
    answer = able.invoke([question])
    assert [call["name"] for call in answer.tool_calls] == ["get_weather"]
    result = get_weather.invoke(answer.tool_calls[0])
    assert isinstance(result, ToolMessage)
    assert able.invoke([question, answer, result]).text


def structured() -> None:
    """structured output works by JSON schema and by function calling"""
    assert isinstance(llm.with_structured_output(Trip).invoke("Plan a trip."), Trip)
    assert isinstance(llm.with_structured_output(Trip, method="function_calling").invoke("Plan a trip."), Trip)


def embeddings() -> None:
    """texts and a query are embedded"""
    # With its default, LangChain first downloads a tokenizer made for OpenAI's own models.
    embedder = OpenAIEmbeddings(
        model=EMBEDDING_MODEL, base_url=BASE_URL, api_key=SecretStr(API_KEY), check_embedding_ctx_length=False
    )
    vectors = embedder.embed_documents(["one", "two"])
    assert len(vectors) == 2
    assert len(embedder.embed_query("one")) == len(vectors[0]) > 0


def wrong_key() -> None:
    """a wrong key is the SDK's AuthenticationError"""
    stranger = ChatOpenAI(
        model=MODEL, base_url=BASE_URL, api_key=SecretStr("hg-this-key-was-never-issued"), max_retries=0
    )
    raised(AuthenticationError, lambda: stranger.invoke("Say hello."))


if __name__ == "__main__":
    run(invoke, stream, asynchronous, chain, tools, structured, embeddings, wrong_key)
