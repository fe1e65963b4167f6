"""Print an answer while it is written, then what it took.   pip install openai"""

import os

from openai import OpenAI

client = OpenAI(base_url=os.environ["LLM_BASE_URL"], api_key=os.environ["LLM_API_KEY"])

stream = client.chat.completions.create(
    model=os.environ["LLM_MODEL"],
    messages=[{"role": "user", "content": "Tell me a short story about a gate."}],
    stream=True,
    stream_options={"include_usage": True},
)

for chunk in stream:
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)
    if chunk.usage:  # the last chunk: no choices, only usage
        print(f"\n{chunk.usage.total_tokens} tokens")
