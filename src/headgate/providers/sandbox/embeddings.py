"""Embeddings: unit vectors in which texts that share words lie near each other."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from typing import Any

from headgate.providers.sandbox.completions import is_tokens, spell
from headgate.providers.sandbox.draft import Draft, Pace, body_draft
from headgate.providers.sandbox.messages import text_tokens
from headgate.providers.sandbox.request import Refused, whole

_DIMENSIONS = 64
_MAX_DIMENSIONS = 4096
_MAX_INPUTS = 2048
_MAX_TOKENS = 300_000
_WORDS_READ = 256
_PLACES_A_WORD = 8


def embedding_draft(request: dict[str, Any], seed: str, pace: Pace) -> Draft:
    """The good reply to an embeddings request. Raises Refused for a malformed one."""
    texts, tokens = _inputs(request.get("input"))
    dimensions = whole(request, "dimensions", 1, _MAX_DIMENSIONS) or _DIMENSIONS
    form = request.get("encoding_format", "float")
    if form not in ("float", "base64"):
        raise Refused("encoding_format has to be float or base64.", param="encoding_format")
    if tokens > _MAX_TOKENS:
        raise Refused(f"The inputs hold about {tokens} tokens; {_MAX_TOKENS} is the most.", param="input")
    data = []
    for index, text in enumerate(texts):
        packed = pack(vector(text, dimensions))
        embedding = base64.b64encode(packed).decode() if form == "base64" else struct.unpack(f"<{dimensions}f", packed)
        data.append({"object": "embedding", "index": index, "embedding": embedding})
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return body_draft({"object": "list", "data": data, "model": request["model"], "usage": usage}, pace)


def vector(text: str, dimensions: int) -> list[float]:
    """A vector of length one. Each word moves a few places of it; the whole text moves one a little."""
    values = [0.0] * dimensions
    for word in text.lower().split(None, _WORDS_READ)[:_WORDS_READ]:
        _add(values, word.strip(".,;:!?\"'()"), 1.0)
    _add(values, "\x00" + text, 0.25)
    length = math.sqrt(sum(value * value for value in values))
    if length == 0:  # in very few dimensions the words may cancel each other out
        values[0] = length = 1.0
    return [value / length for value in values]


def _add(values: list[float], word: str, weight: float) -> None:
    digest = hashlib.blake2b(word.encode(), digest_size=3 * _PLACES_A_WORD).digest()
    for at in range(0, len(digest), 3):
        place = int.from_bytes(digest[at : at + 2], "little") % len(values)
        values[place] += weight if digest[at + 2] & 1 else -weight


def pack(values: list[float]) -> bytes:
    """Little-endian 32-bit floats, which is what `encoding_format: base64` carries."""
    return struct.pack(f"<{len(values)}f", *values)


def _inputs(given: Any) -> tuple[list[str], int]:
    """The input as texts, and how many tokens they are. Raises Refused."""
    if is_tokens(given):
        return [spell(given)], len(given)
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts:
        raise Refused("input has to be a string, a list of strings, or lists of tokens.", param="input")
    if len(texts) > _MAX_INPUTS:
        raise Refused(f"input holds {len(texts)} texts; {_MAX_INPUTS} is the most.", param="input")
    if all(is_tokens(text) for text in texts):
        return [spell(text) for text in texts], sum(map(len, texts))
    if not all(isinstance(text, str) and text for text in texts):
        raise Refused("input may not hold anything but strings that are not empty.", param="input")
    return texts, sum(map(text_tokens, texts))
