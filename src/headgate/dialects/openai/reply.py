"""A provider's JSON reply: is it a whole answer, and what did it use?"""

from __future__ import annotations

import msgspec

from headgate.dialects.openai.usage import parse_usage
from headgate.dialects.openai.whole import (
    ChatChoice,
    Flaw,
    Item,
    TextChoice,
    check_chat,
    check_completion,
    check_embeddings,
)
from headgate.types.deployment import Operation
from headgate.types.fault import Fault, FaultClass
from headgate.types.request import Envelope
from headgate.types.usage import Usage
from headgate.wire import json

_ABSENT = msgspec.Raw()


class _Reply(msgspec.Struct, gc=False):
    object: str | None = None
    usage: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT
    service_tier: msgspec.Raw = _ABSENT


class _Flat(msgspec.Struct):
    message: str
    type: str
    code: str | int | None = None


class _Chat(_Reply, gc=False):
    choices: list[ChatChoice] | None = None


class _Completion(_Reply, gc=False):
    choices: list[TextChoice] | None = None


class _Embedding(_Reply, gc=False):
    data: list[Item] | None = None


_DECODERS: dict[Operation, json.Decoder[_Chat | _Completion | _Embedding]] = {
    Operation.CHAT: json.Decoder(_Chat),
    Operation.COMPLETION: json.Decoder(_Completion),
    Operation.EMBEDDING: json.Decoder(_Embedding),
}
_flat = json.Decoder[_Flat](_Flat)


class ErrorInBody(Exception):
    """A 200 reply, or an event of its stream, that is an error; `body` is read like any other error body."""

    def __init__(self, body: bytes) -> None:
        super().__init__("an error inside a reply of status 200")
        self.body = body


class JsonReply(msgspec.Struct, frozen=True, eq=False):
    """What a reply of status 200 turned out to be.

    `usage`    what it reports, if anything, also where it is no answer: it is billed. A half of one is `estimated`
    `says`     there are words, thoughts or calls in it, for which tokens were written
    `failure`  ErrorInBody for an error in disguise, Fault(SOFT_ERROR) for what is no whole answer
    """

    usage: Usage | None = None
    says: bool = False
    failure: Fault | ErrorInBody | None = None


def read_reply(envelope: Envelope, body: bytes) -> JsonReply:
    """Check that a 200 reply is a whole answer to a request, and read the usage it reports."""
    operation = envelope.operation
    try:
        reply = json.decode_leniently(_DECODERS[operation], body)
    except json.DecodeError:
        return JsonReply(failure=_no_answer("is not a whole JSON answer"))
    usage = None
    if reply.usage:
        usage = parse_usage(reply.usage, reply.service_tier, writes=operation is not Operation.EMBEDDING)
    if (reply.error and is_error(reply.error)) or reply.object == "error":
        return JsonReply(usage, failure=ErrorInBody(body))
    if (error := _error_of_a_choice(reply)) is not None:
        return JsonReply(usage, failure=ErrorInBody(b'{"error":%b}' % bytes(error)))
    try:
        if isinstance(reply, _Chat):
            return JsonReply(usage, check_chat(reply.choices, envelope))
        if isinstance(reply, _Completion):
            return JsonReply(usage, check_completion(reply.choices, envelope))
        check_embeddings(reply.data, envelope)
        return JsonReply(usage)
    except Flaw as flaw:
        if _holds_no_list(reply) and is_flat_error(body):
            return JsonReply(usage, failure=ErrorInBody(body))
        return JsonReply(usage, failure=_no_answer(str(flaw)))


def is_error(raw: msgspec.Raw) -> bool:
    """Whether an `error` field is there and says something; `{"code": 0, "message": ""}` does not."""
    if not raw:
        return False
    try:
        value = json.parse(bytes(raw))
    except json.DecodeError:
        return True
    return any(value.values()) if isinstance(value, dict) else bool(value)


def is_flat_error(data: bytes) -> bool:
    """Whether JSON that holds no answer is an error with nothing around it: a message, a type, and a code, which may be
    absent from a type that says `error`."""
    try:
        flat = _flat.decode(data)
    except json.DecodeError:
        return False
    return bool(flat.message) and (bool(flat.code) or flat.type.endswith("error"))


def _error_of_a_choice(reply: _Chat | _Completion | _Embedding) -> msgspec.Raw | None:
    """The error that stands in the place of an answer, or beside a part of one."""
    if not isinstance(reply, _Embedding) and reply.choices is not None:
        for choice in reply.choices:
            if choice.error and is_error(choice.error):
                return choice.error
    return None


def _holds_no_list(reply: _Chat | _Completion | _Embedding) -> bool:
    return (reply.data if isinstance(reply, _Embedding) else reply.choices) is None


def _no_answer(flaw: str) -> Fault:
    return Fault(FaultClass.SOFT_ERROR, f"the provider's reply {flaw}")
