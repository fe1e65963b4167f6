"""Undo gzip and deflate for an upstream that compresses although it was asked not to."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

MAX_DECODED_BYTES = 64 * 1024 * 1024


class DecodingFailed(ValueError):
    """The body is not what its `content-encoding` says, or one we never offered."""


class Decoder:
    """Decodes a body piece by piece and refuses to blow up beyond `MAX_DECODED_BYTES`."""

    __slots__ = ("_decompress", "_first", "_gzip", "_sniff", "_total", "finished")

    def __init__(self, encoding: str) -> None:
        # wbits 47 reads gzip and zlib headers alike.
        self._decompress = zlib.decompressobj(47)
        # RFC 9110 §8.4.1.2: "deflate" is zlib, but servers that send bare deflate are common; two bytes tell.
        self._sniff = encoding == "deflate"
        self._gzip = not self._sniff
        self._first = b""
        self._total = 0
        self.finished = True

    def decode(self, data: bytes) -> bytes:
        """Raises DecodingFailed. `finished` says whether the compressed data has come to its own end."""
        self.finished = False
        if self._sniff:
            data = self._first + data
            if len(data) < 2:
                self._first = data
                return b""
            self._sniff = False
            if data[0] & 0x0F != 8 or (data[0] << 8 | data[1]) % 31:
                self._decompress = zlib.decompressobj(-zlib.MAX_WBITS)
        decoded = b""
        while data:
            if self._decompress.eof:
                # RFC 1952 §2.2: a gzip body may be several members, one behind the other.
                if not self._gzip:
                    raise DecodingFailed("bytes follow the end of the compressed reply")
                self._decompress = zlib.decompressobj(47)
            decoded += self._inflate(data)
            data = self._decompress.unused_data
        self.finished = self._decompress.eof
        return decoded

    def _inflate(self, data: bytes) -> bytes:
        try:
            decoded = self._decompress.decompress(data, MAX_DECODED_BYTES - self._total + 1)
        except zlib.error as error:
            raise DecodingFailed(f"the compressed reply is damaged: {error}") from None
        self._total += len(decoded)
        if self._decompress.unconsumed_tail or self._total > MAX_DECODED_BYTES:
            raise DecodingFailed("the decompressed reply is too large")
        return decoded


def decoder_for(headers: Mapping[str, str]) -> Decoder | None:
    """The decoder a reply needs, None for a plain one. Raises DecodingFailed for an encoding we cannot undo."""
    encoding = headers.get("content-encoding")
    if encoding is None or encoding.lower() in ("identity", ""):
        return None
    if encoding.lower() not in ("gzip", "x-gzip", "deflate"):
        raise DecodingFailed(f"the upstream sent content-encoding {encoding[:40]!r}, which was not asked for")
    return Decoder(encoding.lower())
