"""Compressed bodies, in pieces."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.upstream.decoding import Decoder, DecodingFailed, decoder_for


def bare(data: bytes) -> bytes:
    compress = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compress.compress(data) + compress.flush()


CODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", lambda data: gzip.compress(data, mtime=0)),
    "gzip, two members": ("x-gzip", lambda data: gzip.compress(data[:3], mtime=0) + gzip.compress(data[3:], mtime=0)),
    "gzip, an empty member": ("gzip", lambda data: gzip.compress(b"", mtime=0) + gzip.compress(data, mtime=0)),
    "zlib": ("deflate", zlib.compress),
    "bare": ("deflate", bare),
}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.sampled_from(list(CODERS)), st.binary(max_size=200), st.lists(st.integers(1, 20), max_size=30))
def test_whatever_the_pieces_the_body_is_the_same(name: str, body: bytes, sizes: list[int]) -> None:
    encoding, code = CODERS[name]
    coded, decoder, decoded = code(body), Decoder(encoding), b""
    for size in [*sizes, len(coded)]:
        piece, coded = coded[:size], coded[size:]
        if piece:
            decoded += decoder.decode(piece)
    assert decoded == body
    assert decoder.finished


@pytest.mark.parametrize("name", CODERS)
def test_a_body_that_is_cut_anywhere_is_not_finished(name: str) -> None:
    encoding, code = CODERS[name]
    coded = code(b"hello, hello")
    members = {len(gzip.compress(part, mtime=0)) for part in (b"hel", b"")} if "member" in name else set()
    for cut in set(range(1, len(coded))) - members:
        decoder = Decoder(encoding)
        decoder.decode(coded[:cut])
        assert not decoder.finished


def test_a_body_that_never_began_is_finished() -> None:
    assert Decoder("gzip").finished


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from(["gzip", "deflate"]), st.binary(min_size=1, max_size=40), st.booleans(), st.binary(max_size=9))
def test_any_bytes_decode_or_are_refused(encoding: str, data: bytes, good: bool, more: bytes) -> None:
    code = CODERS["gzip" if encoding == "gzip" else "zlib"][1]
    decoder = Decoder(encoding)
    try:
        for piece in (code(data) + more if good else data, b"x"):
            decoder.decode(piece)
    except DecodingFailed as failed:
        refused = failed
    else:
        return
    assert str(refused)


@pytest.mark.parametrize("encoding", [None, "", "identity", "Identity"])
def test_a_plain_body_needs_no_decoder(encoding: str | None) -> None:
    assert decoder_for({} if encoding is None else {"content-encoding": encoding}) is None


@pytest.mark.parametrize("encoding", ["gzip", "GZip", "x-gzip", "deflate"])
def test_what_we_can_undo_gets_a_decoder(encoding: str) -> None:
    assert decoder_for({"content-encoding": encoding}) is not None


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, br", "gzip, gzip", "compress", "x" * 5000])
def test_what_we_cannot_undo_is_refused(encoding: str) -> None:
    with pytest.raises(DecodingFailed) as caught:
        decoder_for({"content-encoding": encoding})
    assert len(str(caught.value)) < 200
