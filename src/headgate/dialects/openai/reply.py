"""A provider's JSON reply: is it an answer, and what did it use?"""

from __future__ import annotations

import msgspec

from headgate.dialects.openai.finish import FAILED
from headgate.dialects.openai.usage import parse_usage
from headgate.types.deployment import Operation
from headgate.types.fault import Fault, FaultClass
from headgate.types.usage import Usage
from headgate.wire import json

_ABSENT = msgspec.Raw()


class _Choice(msgspec.Struct):
    finish_reason: str | None = None


class _Reply(msgspec.Struct):
    object: str | None = None
    choices: list[_Choice] | None = None
    data: list[msgspec.Raw] | None = None
    usage: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT
    service_tier: msgspec.Raw = _ABSENT


class _Flat(msgspec.Struct):
    message: str
    type: str
    code: str | int | None = None


_decoder = json.Decoder[_Reply](_Reply)
_flat = json.Decoder[_Flat](_Flat)


class ErrorInBody(Exception):
    """A 200 reply, or an event of its stream, that is an error; `body` is read like any other error body."""

    def __init__(self, body: bytes) -> None:
        super().__init__("an error inside a reply of status 200")
        self.body = body


def parse_reply(operation: Operation, body: bytes) -> Usage | None:
    """Check that a 200 reply is a whole answer; return the usage it reports, if any: a half of one is `estimated`.

    Raises ErrorInBody for an error in disguise, Fault(SOFT_ERROR) for what is no answer.
    """
    try:
        reply = _decoder.decode(body)
    except json.DecodeError:
        raise Fault(FaultClass.SOFT_ERROR, "the provider's reply is not a whole JSON answer") from None
    if is_error(reply.error) or reply.object == "error":
        raise ErrorInBody(body)
    answers = reply.data if operation is Operation.EMBEDDING else reply.choices
    if not answers:
        if reply.choices is None and reply.data is None and is_flat_error(body):
            raise ErrorInBody(body)
        raise Fault(FaultClass.SOFT_ERROR, "the provider's reply holds no answer")
    if any(choice.finish_reason in FAILED for choice in reply.choices or ()):
        raise Fault(FaultClass.SOFT_ERROR, "the provider broke off its answer with an error")
    if not reply.usage:
        return None
    return parse_usage(reply.usage, reply.service_tier, writes=operation is not Operation.EMBEDDING)


def is_error(raw: msgspec.Raw) -> bool:
    """Whether an `error` field is there and says something."""
    return bool(raw) and bytes(raw) not in (b"null", b"{}", b'""', b"false")


def is_flat_error(data: bytes) -> bool:
    """Whether JSON that holds no answer is an error with nothing around it: a message, a type, and a code, which may be
    absent from a type that says `error`."""
    try:
        flat = _flat.decode(data)
    except json.DecodeError:
        return False
    return bool(flat.message) and (bool(flat.code) or flat.type.endswith("error"))
