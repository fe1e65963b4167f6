"""What an answer in one piece used: as its provider says, and by size where that is left out or cannot be true."""

from __future__ import annotations

import msgspec

from headgate.catalog.estimate import BYTES_PER_TOKEN, input_estimate
from headgate.dialects.openai.reply import JsonReply
from headgate.dialects.openai.usage import completed
from headgate.types.deployment import Operation
from headgate.types.request import Envelope
from headgate.types.usage import Usage

FRAME_BYTES = 300
"""What a JSON answer holds beside its text, about."""


def counted(envelope: Envelope, body: bytes, reply: JsonReply) -> Usage:
    """The usage of a reply, `estimated` where a part of it is a guess."""
    usage = reply.usage
    if usage is not None:
        if not usage.estimated and ((usage.input and usage.output) or not _is_impossible(usage, envelope, reply)):
            return usage
        usage = msgspec.structs.replace(usage, estimated=True)
    written = max(1, (len(body) - FRAME_BYTES) // BYTES_PER_TOKEN)
    return completed(usage, input_estimate(envelope), 0 if envelope.operation is Operation.EMBEDDING else written)


def _is_impossible(usage: Usage, envelope: Envelope, reply: JsonReply) -> bool:
    """Whether nothing is said to have been written where words are, or nothing to have been read.

    The prompt of a text completion may be nothing.
    """
    if not usage.prompt_tokens and (envelope.operation is not Operation.COMPLETION or not usage.tokens):
        return True
    return reply.says and not usage.completion_tokens
