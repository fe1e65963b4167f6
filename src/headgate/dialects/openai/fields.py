"""The fields of a request that somebody acts on, or whose type no provider would accept otherwise.

Names and types: OpenAI's published OpenAPI document. All other fields pass through unread.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec

from headgate.types.deployment import Operation


class Part(msgspec.Struct, gc=False):
    type: str


class Turn(msgspec.Struct, gc=False):
    role: str
    content: str | list[Part] | None = None


class Tool(msgspec.Struct, gc=False):
    type: str


class ResponseFormat(msgspec.Struct, gc=False):
    type: str


class StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None


Name = Annotated[str, msgspec.Meta(min_length=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class _Written(msgspec.Struct, kw_only=True, gc=False):
    """What chats and text completions share."""

    model: Name
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Count | None = None
    n: Count | None = None
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    logit_bias: dict[str, float] | None = None
    user: str | None = None
    # No field of OpenAI's chats, but some servers write as many answers as it says.
    best_of: Count | None = None


class ChatFields(_Written, kw_only=True, gc=False):
    messages: Annotated[list[Turn], msgspec.Meta(min_length=1)]
    max_completion_tokens: Count | None = None
    tools: list[Tool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: ResponseFormat | None = None
    parallel_tool_calls: bool | None = None
    top_logprobs: int | None = None


class CompletionFields(_Written, kw_only=True, gc=False):
    prompt: str | list[Any] | None = None
    echo: bool | None = None

    # Of a chat alone: whatever stands there in a completion, it asks for nothing.
    messages: ClassVar[None] = None
    max_completion_tokens: ClassVar[None] = None
    tools: ClassVar[None] = None
    response_format: ClassVar[None] = None
    parallel_tool_calls: ClassVar[None] = None


class EmbeddingFields(msgspec.Struct, kw_only=True, gc=False):
    model: Name
    input: str | Annotated[list[Any], msgspec.Meta(min_length=1)]
    encoding_format: str | None = None
    dimensions: Count | None = None
    user: str | None = None

    # Of what is written alone.
    stream: ClassVar[None] = None
    stream_options: ClassVar[None] = None
    max_tokens: ClassVar[None] = None
    n: ClassVar[None] = None
    messages: ClassVar[None] = None
    max_completion_tokens: ClassVar[None] = None
    tools: ClassVar[None] = None
    response_format: ClassVar[None] = None
    parallel_tool_calls: ClassVar[None] = None


Fields = ChatFields | CompletionFields | EmbeddingFields

FIELDS: dict[Operation, type[ChatFields] | type[CompletionFields] | type[EmbeddingFields]] = {
    Operation.CHAT: ChatFields,
    Operation.COMPLETION: CompletionFields,
    Operation.EMBEDDING: EmbeddingFields,
}
REQUIRED = {
    Operation.CHAT: ("model", "messages"),
    Operation.COMPLETION: ("model",),
    Operation.EMBEDDING: ("model", "input"),
}
