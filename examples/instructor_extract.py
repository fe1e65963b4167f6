"""Take a typed record out of a text with instructor.   pip install instructor"""

import os

import instructor
from openai import OpenAI
from pydantic import BaseModel


class Person(BaseModel):
    name: str
    age: int
    languages: list[str]


client = instructor.from_openai(OpenAI(base_url=os.environ["LLM_BASE_URL"], api_key=os.environ["LLM_API_KEY"]))

person = client.chat.completions.create(
    model=os.environ["LLM_MODEL"],
    messages=[{"role": "user", "content": "Ada is 36 and writes Python and C."}],
    response_model=Person,
)

print(person.model_dump_json(indent=2))
