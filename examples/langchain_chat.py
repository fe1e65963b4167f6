"""A LangChain chain, streamed, and embeddings.   pip install langchain-openai"""

import os

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

gateway = {"base_url": os.environ["LLM_BASE_URL"], "api_key": os.environ["LLM_API_KEY"]}

prompt = ChatPromptTemplate.from_messages([("system", "Answer like a {role}."), ("human", "{question}")])
chain = prompt | ChatOpenAI(model=os.environ["LLM_MODEL"], **gateway) | StrOutputParser()

for piece in chain.stream({"role": "pirate", "question": "What is a gateway?"}):
    print(piece, end="", flush=True)
print()

embedder = OpenAIEmbeddings(
    model=os.environ.get("LLM_EMBEDDING_MODEL", "sandbox/embed"),
    check_embedding_ctx_length=False,  # else LangChain downloads a table to count tokens by
    **gateway,
)
print(len(embedder.embed_query("What is a gateway?")), "dimensions")
