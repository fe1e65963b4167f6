"""A secret that does not print."""

from __future__ import annotations

import hashlib
import hmac


class Secret:
    """Holds a credential or a key so that logs, reprs, tracebacks and pickles cannot leak it.

    Only `reveal()` gives the text back; its call sites are the places to audit.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not serialised")


def key_hash(secret: bytes) -> bytes:
    """SHA-256 of a virtual key (UTF-8): what is stored, and what look-ups use (32 bytes).

    A fast hash is right here because issued keys carry 256 random bits; there is nothing to stretch.
    """
    return hashlib.sha256(secret).digest()
