"""Whether an answer that came in one piece is whole: nothing is missing that its own fields promise.

What may differ between honest servers is let pass: fewer choices than `n` (some write one whatever is asked, and one
answer is better than none), arguments of tools as an object or as nothing, items of embeddings without an `index`.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from headgate.dialects.openai.asked import holds, may_be_empty, texts_in
from headgate.dialects.openai.finish import COMPLETE, CUT_OFF, FAILED
from headgate.dialects.openai.tools_held import is_whole_json
from headgate.types.request import Envelope
from headgate.wire import json

T = TypeVar("T")

_ABSENT = msgspec.Raw()


class Message(msgspec.Struct, gc=False):
    """What a choice of a chat may hold; none of it is decoded before somebody has to know."""

    content: msgspec.Raw = _ABSENT
    reasoning_content: msgspec.Raw = _ABSENT
    reasoning: msgspec.Raw = _ABSENT
    reasoning_details: msgspec.Raw = _ABSENT
    refusal: msgspec.Raw = _ABSENT
    tool_calls: msgspec.Raw = _ABSENT
    function_call: msgspec.Raw = _ABSENT
    audio: msgspec.Raw = _ABSENT
    images: msgspec.Raw = _ABSENT


class ChatChoice(msgspec.Struct, gc=False):
    """One answer of a chat."""

    finish_reason: str | None = None
    message: Message | None = None
    error: msgspec.Raw = _ABSENT


class TextChoice(msgspec.Struct, gc=False):
    """One answer of a text completion."""

    finish_reason: str | None = None
    text: str | None = None
    error: msgspec.Raw = _ABSENT


class Item(msgspec.Struct, gc=False):
    """One embedding."""

    embedding: msgspec.Raw = _ABSENT
    index: int | float | None = None


class _Function(msgspec.Struct, gc=False):
    arguments: msgspec.Raw = _ABSENT


class _Call(msgspec.Struct, gc=False):
    function: _Function | None = None


_calls = json.Decoder[list[_Call]](list[_Call])
_function = json.Decoder[_Function](_Function)
_text = json.Decoder[str](str)


class Flaw(Exception):
    """What is wrong with an answer: a sentence without its subject, the reply."""


def check_chat(choices: list[ChatChoice] | None, envelope: Envelope) -> bool:
    """Whether words, thoughts or calls were written, rather than sound or images alone. Raises Flaw."""
    says = shows = False
    found = _some(choices)
    for choice in found:
        message = choice.message
        if message is None:
            raise Flaw("holds a choice without a message")
        reason = _checked(choice.finish_reason)
        calls = bool(message.tool_calls or message.function_call) and _has_calls(message)
        if calls and reason not in CUT_OFF and not _calls_are_whole(message):
            raise Flaw("holds a tool call whose arguments are not whole")
        says = says or calls or holds(message.content) or _has_other_words(message)
        shows = shows or says or holds(message.audio) or holds(message.images)
    if not shows and all([choice.finish_reason in COMPLETE for choice in found]) and not may_be_empty(envelope):
        raise Flaw("is an empty answer")
    return says


def check_completion(choices: list[TextChoice] | None, envelope: Envelope) -> bool:
    """Whether any text was written. Raises Flaw.

    No text at all is an answer here: between a prefix and a suffix there may be nothing to insert.
    """
    found = _some(choices)
    for choice in found:
        if choice.text is None:
            raise Flaw("holds a choice without a text")
        _checked(choice.finish_reason)
    if len(found) < texts_in(envelope.fields.get("prompt")):
        raise Flaw("holds fewer answers than there were prompts")
    return any([choice.text for choice in found])


def check_embeddings(items: list[Item] | None, envelope: Envelope) -> None:
    """Raises Flaw unless there is an embedding for each input.

    Some servers leave out every `index`, or the first because it is 0: then an item belongs to the input in its place.
    """
    found = _some(items)
    if not all([holds(item.embedding) for item in found]):
        raise Flaw("holds an item without an embedding")
    asked = texts_in(envelope.fields.get("input"))
    if len(found) < asked:
        raise Flaw("holds fewer embeddings than there were inputs")
    places = {place if item.index is None else item.index for place, item in enumerate(found)}
    if asked > 1 and not places.issuperset(range(asked)):
        raise Flaw("holds several embeddings for one input, and none for another")


def _some(answers: list[T] | None) -> list[T]:
    if not answers:
        raise Flaw("holds no answer")
    return answers


def _checked(reason: str | None) -> str:
    """A finish reason; it may be empty. Raises Flaw where it says that the answer is not finished."""
    if reason is None:
        raise Flaw("holds an answer without a finish reason")
    if reason in FAILED:
        raise Flaw("broke off with an error")
    return reason


def _has_calls(message: Message) -> bool:
    return holds(message.tool_calls) or holds(message.function_call)


def _has_other_words(message: Message) -> bool:
    return (
        holds(message.reasoning_content)
        or holds(message.reasoning)
        or holds(message.reasoning_details)
        or holds(message.refusal)
    )


def _calls_are_whole(message: Message) -> bool:
    """Whether the arguments of every call are JSON, or nothing. What is no list of calls is not judged."""
    functions: list[_Function | None] = []
    try:
        if holds(message.tool_calls):
            functions += [call.function for call in _calls.decode(message.tool_calls)]
        if holds(message.function_call):
            functions.append(_function.decode(message.function_call))
        return all(function is None or _is_whole(function.arguments) for function in functions)
    except json.ValidationError:
        return True
    except json.DecodeError:
        return False


def _is_whole(arguments: msgspec.Raw) -> bool:
    # A value instead of text is whole as it is.
    return not bytes(arguments).startswith(b'"') or is_whole_json(_text.decode(arguments))
