"""Quirks of single parameters: other names, other forms, and those that are refused or ignored."""

from __future__ import annotations

import msgspec

from headgate.providers.quirks.edits import edit_items, holds, remove, rename, touching
from headgate.types.deployment import Body


@touching("max_tokens", "max_completion_tokens")
def cap_as_max_tokens(body: Body, dropped: list[str]) -> None:
    """`max_completion_tokens` becomes `max_tokens`; where both are sent, the newer name is what the client meant.

    Ignored in silence by DeepSeek, unknown to DeepInfra, Mistral, xAI, Together, SambaNova, Perplexity, Nebius and Z.ai
    (adapters); the other hosts know `max_tokens` for certain.
    """
    rename(body, "max_completion_tokens", "max_tokens")


@touching("max_tokens", "max_completion_tokens")
def cap_as_max_completion_tokens(body: Body, dropped: list[str]) -> None:
    """`max_tokens` of a chat becomes `max_completion_tokens`, which wins where both are sent.

    OpenAI's reasoning models answer `max_tokens` with 400; its other chat models take either. The legacy completions
    endpoint knows only `max_tokens` and has no messages.
    """
    if "messages" not in body or "max_tokens" not in body:
        return
    if "max_completion_tokens" in body and not holds(body, "max_completion_tokens", b"null"):
        del body["max_tokens"]
    else:
        rename(body, "max_tokens", "max_completion_tokens")


@touching("seed", "random_seed")
def random_seed(body: Body, dropped: list[str]) -> None:
    """`seed` becomes `random_seed`, the name in Mistral's SDK."""
    rename(body, "seed", "random_seed")


@touching("logprobs", "top_logprobs")
def logprobs_as_count(body: Body, dropped: list[str]) -> None:
    """`logprobs: true, top_logprobs: k` becomes `logprobs: k` (at least 1), the form of Together's SDK."""
    if holds(body, "logprobs", b"true"):
        count = body.pop("top_logprobs", msgspec.Raw(b"1"))
        body["logprobs"] = msgspec.Raw(b"1") if bytes(count) in (b"0", b"null") else count
    elif holds(body, "logprobs", b"false"):
        del body["logprobs"]


@touching("logprobs", "top_logprobs")
def no_logprobs(body: Body, dropped: list[str]) -> None:
    """No log probabilities: no model of Groq serves them (SDK), Ollama documents them as unsupported."""
    remove(body, dropped, "logprobs", b"false")
    remove(body, dropped, "top_logprobs", b"0")


@touching("logit_bias")
def no_logit_bias(body: Body, dropped: list[str]) -> None:
    """No `logit_bias`: no model of Groq serves it (SDK), Cerebras checks but never applies it (adapters), Ollama
    documents it as unsupported."""
    remove(body, dropped, "logit_bias", b"{}")


@touching("frequency_penalty", "presence_penalty")
def no_penalties(body: Body, dropped: list[str]) -> None:
    """No penalties: Groq takes them and says that no model supports them (SDK)."""
    remove(body, dropped, "frequency_penalty", b"0", b"0.0")
    remove(body, dropped, "presence_penalty", b"0", b"0.0")


@touching("n")
def one_choice(body: Body, dropped: list[str]) -> None:
    """No `n`: Ollama ignores it and answers once (documented), so asking for more is reported, not lost unseen."""
    remove(body, dropped, "n", b"1")


@touching("user", "safety_identifier")
def no_user(body: Body, dropped: list[str]) -> None:
    """No end-user ids: Mistral answers unknown fields with 422, Ollama documents `user` as unsupported."""
    remove(body, dropped, "user", b'""')
    remove(body, dropped, "safety_identifier", b'""')


@touching("store")
def no_store(body: Body, dropped: list[str]) -> None:
    """No `store`: not supported by Groq (SDK), and no field of Mistral, Cerebras or Gemini, which check fields."""
    remove(body, dropped, "store", b"false")


@touching("metadata")
def no_metadata(body: Body, dropped: list[str]) -> None:
    """No `metadata`: not supported by Groq (SDK), and no field of Cerebras or Gemini, which check fields."""
    remove(body, dropped, "metadata", b"{}")


@touching("messages", "tools")
def no_cache_control(body: Body, dropped: list[str]) -> None:
    """No `cache_control` on messages, their parts or tools.

    Adapters strip it for Fireworks; Groq, Mistral, Cerebras and Gemini refuse fields they do not know.
    """

    def edit(fields: Body) -> bool:
        changed = edit_items(fields, "content", b'"cache_control"', edit)
        if "cache_control" not in fields:
            return changed
        remove(fields, dropped, "cache_control")
        return True

    edit_items(body, "messages", b'"cache_control"', edit)
    edit_items(body, "tools", b'"cache_control"', edit)


@touching("messages")
def no_nulls(body: Body, dropped: list[str]) -> None:
    """A null field is left out of the body and of messages: absence says the same, and some hosts refuse null.

    Groq and Mistral do (adapters, reports). `content: null` stays: beside tool calls it is the required form.
    """

    def omit(fields: Body) -> bool:
        empty = [name for name, value in fields.items() if name != "content" and is_null(value)]
        for name in empty:
            del fields[name]
        return bool(empty)

    omit(body)
    edit_items(body, "messages", b"null", omit)


def is_null(value: msgspec.Raw) -> bool:
    """Whether the value is null, without a copy of what may be a long conversation."""
    return memoryview(value).nbytes == 4 and bytes(value) == b"null"
