"""instructor: pydantic models as answers, in each of its ways to ask for them."""

from __future__ import annotations

import instructor
from behaviours import API_KEY, BASE_URL, MODEL, run
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel, ConfigDict

client = OpenAI(base_url=BASE_URL, api_key=API_KEY, max_retries=0, timeout=30)
QUESTION = [{"role": "user", "content": "Ada is 36 and codes in Python and C."}]


class Person(BaseModel):
    name: str
    age: int
    languages: list[str]


class Anything(BaseModel):
    """JSON mode carries the schema in prose only, which a model is free to overlook; so here any object will do."""

    model_config = ConfigDict(extra="allow")


def by_tools() -> None:
    """TOOLS: the model comes back as a tool call"""
    asker = instructor.from_openai(client, mode=instructor.Mode.TOOLS)
    person = asker.chat.completions.create(model=MODEL, messages=QUESTION, response_model=Person, max_retries=0)
    assert isinstance(person, Person)


def by_json_schema() -> None:
    """JSON_SCHEMA: the model comes back as JSON of that schema"""
    asker = instructor.from_openai(client, mode=instructor.Mode.JSON_SCHEMA)
    person = asker.chat.completions.create(model=MODEL, messages=QUESTION, response_model=Person, max_retries=0)
    assert isinstance(person, Person)


def by_json() -> None:
    """JSON: an object comes back"""
    asker = instructor.from_openai(client, mode=instructor.Mode.JSON)
    answer = asker.chat.completions.create(model=MODEL, messages=QUESTION, response_model=Anything, max_retries=0)
    assert isinstance(answer, Anything)


def with_completion() -> None:
    """the raw answer with its usage comes along when asked for"""
    asker = instructor.from_openai(client)
    person, raw = asker.chat.completions.create_with_completion(
        model=MODEL, messages=QUESTION, response_model=Person, max_retries=0
    )
    assert isinstance(person, Person)
    assert raw.usage.total_tokens > 0


def partial() -> None:
    """a streamed model fills up as it arrives"""
    asker = instructor.from_openai(client)
    states = list(asker.create_partial(model=MODEL, messages=QUESTION, response_model=Person, max_retries=0))
    assert len(states) > 1
    assert isinstance(states[-1].age, int)


async def asynchronous() -> None:
    """the async client works too"""
    asker = instructor.from_openai(AsyncOpenAI(base_url=BASE_URL, api_key=API_KEY, max_retries=0, timeout=30))
    person = await asker.chat.completions.create(model=MODEL, messages=QUESTION, response_model=Person, max_retries=0)
    assert isinstance(person, Person)


if __name__ == "__main__":
    run(by_tools, by_json_schema, by_json, with_completion, partial, asynchronous)
