"""Chat and embeddings with LlamaIndex.   pip install llama-index-llms-openai llama-index-embeddings-openai"""

import os

from llama_index.core.llms import ChatMessage
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.llms.openai import OpenAI

gateway = {"api_base": os.environ["LLM_BASE_URL"], "api_key": os.environ["LLM_API_KEY"]}

# LlamaIndex knows OpenAI's model names only, and takes window and abilities from the name in `model`.
# The name in `additional_kwargs` is the one that is sent.
llm = OpenAI(model="gpt-4o", additional_kwargs={"model": os.environ["LLM_MODEL"]}, **gateway)

messages = [
    ChatMessage(role="system", content="Answer in one sentence."),
    ChatMessage(role="user", content="What is a gateway?"),
]
for piece in llm.stream_chat(messages):
    print(piece.delta, end="", flush=True)
print()

embedder = OpenAIEmbedding(model_name=os.environ.get("LLM_EMBEDDING_MODEL", "sandbox/embed"), **gateway)
print(len(embedder.get_text_embedding("What is a gateway?")), "dimensions")
