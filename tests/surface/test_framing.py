"""Requests that two servers could read differently, and others that only look like it."""

from __future__ import annotations

import asyncio

import pytest

from headgate.types.script import Script
from tests.surface.raw import BODY, CHUNKED, HOST, LENGTH, in_chunks, line, raw
from tests.surface.stage import KEY, Stage, chat, completion
from tests.surface.wire import Closed, chunked, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE_CHUNK = b"%x\r\n%b\r\n" % (len(BODY), BODY)
AMBIGUOUS = {
    "Transfer-Encoding and Content-Length": raw(LENGTH + CHUNKED, chunked(BODY)),
    "Content-Length and Transfer-Encoding": raw(CHUNKED + LENGTH, chunked(BODY)),
    "Transfer-Encoding in HTTP/1.0": raw(CHUNKED, chunked(BODY), line=b"POST /v1/chat/completions HTTP/1.0\r\n"),
    "xchunked": in_chunks(chunked(BODY), b"Transfer-Encoding: xchunked\r\n"),
    "chunked twice": in_chunks(chunked(BODY), CHUNKED * 2),
    "chunked, chunked": in_chunks(chunked(BODY), b"Transfer-Encoding: chunked, chunked\r\n"),
    "gzip, chunked": in_chunks(chunked(BODY), b"Transfer-Encoding: gzip, chunked\r\n"),
    "chunked, identity": in_chunks(chunked(BODY), b"Transfer-Encoding: chunked, identity\r\n"),
    "identity": raw(LENGTH + b"Transfer-Encoding: identity\r\n"),
    "an empty Transfer-Encoding": raw(LENGTH + b"Transfer-Encoding:\r\n"),
    "a vertical tab in Transfer-Encoding": in_chunks(chunked(BODY), b"Transfer-Encoding: \x0bchunked\r\n"),
    "a folded Transfer-Encoding": in_chunks(chunked(BODY), b"Transfer-Encoding:\r\n chunked\r\n"),
    "a space before the colon": raw(LENGTH + b"X-A : b\r\n"),
    "a space before Transfer-Encoding's colon": raw(LENGTH + b"Transfer-Encoding : chunked\r\n", chunked(BODY)),
    "a tab before the colon": raw(LENGTH + b"X-A\t: b\r\n"),
    "a folded header": raw(LENGTH + b"X-A: b\r\n c: d\r\n"),
    "a space before the first header": raw(LENGTH, host=b" Host: gateway\r\n"),
    "no name": raw(LENGTH + b": b\r\n"),
    "no colon": raw(LENGTH + b"X-A\r\n"),
    "no Host": raw(LENGTH, host=b""),
    "two Hosts": raw(LENGTH, host=HOST * 2),
    "bare LF everywhere": raw(LENGTH).replace(b"\r\n", b"\n"),
    "bare LF after a header": raw(LENGTH + b"X-A: b\n"),
    "bare LF after the request line": raw(LENGTH).replace(b"1.1\r\n", b"1.1\n", 1),
    "bare LF at the head's end": raw(LENGTH).replace(b"\r\n\r\n", b"\r\n\n", 1),
    "bare CR in a value": raw(LENGTH + b"X-A: b\rX-B: c\r\n"),
    "CR CR LF": raw(LENGTH + b"X-A: b\r\r\n"),
    "NUL in a value": raw(LENGTH + b"X-A: b\0c\r\n"),
    "NUL in a name": raw(LENGTH + b"X\0A: b\r\n"),
    "NUL in the path": line(b"POST /v1/chat/\0completions HTTP/1.1\r\n"),
    "the same length twice": raw(LENGTH * 2),
    "two lengths": raw(LENGTH + b"Content-Length: 3\r\n"),
    "a list of lengths": raw(b"Content-Length: %d, %d\r\n" % (len(BODY), len(BODY))),
    "a signed length": raw(b"Content-Length: +%d\r\n" % len(BODY)),
    "a negative length": raw(b"Content-Length: -1\r\n"),
    "a hexadecimal length": raw(b"Content-Length: 0x%x\r\n" % len(BODY)),
    "an empty length": raw(b"Content-Length:\r\n"),
    "a length with a space in it": raw(b"Content-Length: 1 0\r\n"),
    "a length with an underscore": raw(b"Content-Length: 1_0\r\n"),
    "a length in other digits": raw("Content-Length: ٣\r\n".encode()),
    "a length past 64 bits": raw(b"Content-Length: 184467440737095516160\r\n"),
    "a length of 5,000 digits": raw(b"Content-Length: %b%d\r\n" % (b"0" * 5000, len(BODY))),
    "a chunk size with 0x": in_chunks(b"0x" + ONE_CHUNK + b"0\r\n\r\n"),
    "a negative chunk size": in_chunks(b"-5\r\nhello\r\n0\r\n\r\n"),
    "a signed chunk size": in_chunks(b"+" + ONE_CHUNK + b"0\r\n\r\n"),
    "an empty chunk size": in_chunks(b"\r\nhello\r\n0\r\n\r\n"),
    "a space after the chunk size": in_chunks(ONE_CHUNK.replace(b"\r\n", b" \r\n", 1) + b"0\r\n\r\n"),
    "a space before the chunk size": in_chunks(b" " + ONE_CHUNK + b"0\r\n\r\n"),
    "a chunk size past 64 bits": in_chunks(b"fffffffffffffffff\r\nhello"),
    "bare LF after a chunk size": in_chunks(ONE_CHUNK.replace(b"\r\n", b"\n", 1) + b"0\r\n\r\n"),
    "bare LF in a chunk extension": in_chunks(ONE_CHUNK.replace(b"\r\n", b";a\nb\r\n", 1) + b"0\r\n\r\n"),
    "bare LF after a chunk": in_chunks(ONE_CHUNK[:-2] + b"\n0\r\n\r\n"),
    "no line end after a chunk": in_chunks(ONE_CHUNK[:-2] + b"0\r\n\r\n"),
    "bare LF at the end": in_chunks(ONE_CHUNK + b"0\r\n\n"),
    "a trailer that is none": in_chunks(ONE_CHUNK + b"0\r\nX A: b\r\n\r\n"),
    "a length in a trailer": in_chunks(ONE_CHUNK + b"0\r\nContent-Length: 5\r\n\r\n"),
    "Transfer-Encoding in a trailer": in_chunks(ONE_CHUNK + b"0\r\nTransfer-Encoding: gzip\r\n\r\n"),
    "HTTP/2.0": line(b"POST /v1/chat/completions HTTP/2.0\r\n"),
    "HTTP/0.9": line(b"POST /v1/chat/completions HTTP/0.9\r\n"),
    "HTTP/1.2": line(b"POST /v1/chat/completions HTTP/1.2\r\n"),
    "no version": line(b"POST /v1/chat/completions\r\n"),
    "a space in the path": line(b"POST /v1/chat /completions HTTP/1.1\r\n"),
    "a tab in the request line": line(b"POST\t/v1/chat/completions HTTP/1.1\r\n"),
    "bytes past ASCII in the path": line(b"POST /v1/chat/\xff HTTP/1.1\r\n"),
    "a method in small letters": line(b"post /v1/chat/completions HTTP/1.1\r\n"),
    "an unknown method": line(b"SMUGGLE /v1/chat/completions HTTP/1.1\r\n"),
    "CONNECT": line(b"CONNECT elsewhere:443 HTTP/1.1\r\n"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": bytes.fromhex("16030100f8010000f40303") + bytes(240),
    "a head of 100 KB in one header": raw(LENGTH + b"X-A: " + b"a" * 100_000 + b"\r\n"),
    "a path of 100 KB": line(b"POST /" + b"a" * 100_000 + b" HTTP/1.1\r\n"),
    "300 headers": raw(LENGTH + b"X-A: b\r\n" * 300),
}


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("what", AMBIGUOUS)
async def test_ambiguous_framing_is_400_and_closes_and_what_follows_is_never_executed(
    stage: Stage, what: str, split: bool
) -> None:
    stage.fake.always(completion())
    data = AMBIGUOUS[what] + raw(LENGTH)
    async with await stage.wire() as wire:
        if split:
            # A dozen packets, so that every state of the parser sees an end of its bytes.
            step = max(1, len(data) // 12)
            for at in range(0, len(data), step):
                await wire.send(data[at : at + step])
                await asyncio.sleep(0.001)
        else:
            await wire.send(data)
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert answer.error["code"] == "bad_http_request"
        assert await wire.rest() == b"", "more than one answer"
    assert stage.fake.requests == []


CLEAR = {
    "chunked in capitals": in_chunks(chunked(BODY), b"Transfer-Encoding: CHUNKED\r\n"),
    "a tab after the colon": in_chunks(chunked(BODY), b"Transfer-Encoding:\tchunked\r\n"),
    "chunks of every size": in_chunks(chunked(*[BODY[at : at + 1] for at in range(len(BODY))])),
    "a chunk extension": in_chunks(ONE_CHUNK.replace(b"\r\n", b';a="b"\r\n', 1) + b"0\r\n\r\n"),
    "a trailer": in_chunks(ONE_CHUNK + b"0\r\nX-Checksum: 5\r\nX-Api-Key: other\r\n\r\n"),
    "spaces behind the length": raw(LENGTH[:-2] + b"  \r\n"),
    "a length with zeros before it": raw(b"Content-Length: 000%d\r\n" % len(BODY)),
    "an empty header before Host": raw(LENGTH, host=b"X-Empty:\r\n" + HOST),
    "line ends before the request": b"\r\n\r\n" + raw(LENGTH),
    "a whole URL": line(b"POST http://gateway/v1/chat/completions HTTP/1.1\r\n"),
    "a query": line(b"POST /v1/chat/completions?a=b HTTP/1.1\r\n"),
    "60 KB of headers": raw(LENGTH + b"X-A: " + b"a" * 60_000 + b"\r\n"),
    "an offer of h2c": raw(
        LENGTH + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"
    ),
    "an offer of h2c in chunks": in_chunks(
        chunked(BODY), CHUNKED + b"Connection: HTTP2-Settings, Upgrade\r\nHTTP2-Settings: AA\r\nUpgrade: h2c\r\n"
    ),
    "an offer of websockets": raw(LENGTH + b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"),
}


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("what", CLEAR)
async def test_unusual_but_clear_framing_is_served_and_so_is_the_next_request(
    stage: Stage, what: str, split: bool
) -> None:
    stage.fake.always(completion())
    async with await stage.wire() as wire:
        data = CLEAR[what] + raw(LENGTH)
        for at in range(0, len(data), 97 if split else len(data)):
            await wire.send(data[at : at + (97 if split else len(data))])
            if split and len(data) < 5000:
                await asyncio.sleep(0)
        assert (await wire.answer()).status == 200
        assert (await wire.answer()).status == 200
    assert [seen.json()["messages"] for seen in stage.fake.requests] == [chat()["messages"]] * 2


async def test_an_offer_of_another_protocol_does_not_let_a_body_pass_as_a_request(stage: Stage) -> None:
    """What stands in the body of a request that offers h2c is its body, also when it looks like a request."""
    stage.fake.always(completion())
    inner = raw(LENGTH)
    headers = b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n" % len(inner)
    async with await stage.wire() as wire:
        await wire.send(raw(headers, inner) + request("GET", "/healthz"))
        assert (await wire.answer()).error["code"] == "invalid_json"
        assert (await wire.answer()).json() == {"status": "ok"}
    assert stage.fake.requests == []


async def test_an_offer_of_another_protocol_keeps_the_rules_for_framing(stage: Stage) -> None:
    offer = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    for data in (
        raw(LENGTH + CHUNKED + offer),
        raw(LENGTH + offer, host=HOST * 2),
        raw(CHUNKED + offer, b"zz\r\n"),
        raw(LENGTH * 2 + offer),
    ):
        async with await stage.wire() as wire:
            await wire.send(data + raw(LENGTH))
            assert (await wire.answer()).status == 400
            assert await wire.rest() == b""
    assert stage.fake.requests == []


async def test_pipelined_requests_are_answered_one_after_the_other_in_order(stage: Stage) -> None:
    delays = iter([0.2, 0.0, 0.1, 0.0])
    stage.fake.always(
        lambda seen: Script(
            headers=(("content-type", "application/json"),),
            head_delay_s=next(delays),
            steps=completion(str(seen.json()["n_th"])).steps,
        )
    )
    async with await stage.wire() as wire:
        await wire.send(b"".join(request(body=chat(n_th=number), key=KEY) for number in range(4)))
        answers = [await wire.answer() for _ in range(4)]
    assert [answer.json()["choices"][0]["message"]["content"] for answer in answers] == ["0", "1", "2", "3"]


async def test_garbage_behind_a_request_that_is_being_answered_is_no_answer_to_it(stage: Stage) -> None:
    stage.fake.always(Script(head_delay_s=60))
    before = stage.fake.aborted
    async with await stage.wire() as wire:
        await wire.send(raw(LENGTH))
        await stage.fake.until(lambda fake: fake.requests)
        await wire.send(b"garbage garbage\r\n\r\n" + raw(LENGTH))
        with pytest.raises(Closed):
            await wire.answer()
    await stage.fake.until(lambda fake: fake.aborted > before)
    assert len(stage.fake.requests) == 1


async def test_connection_close_ends_the_connection_and_nothing_behind_it_is_read(stage: Stage) -> None:
    stage.fake.always(completion())
    async with await stage.wire() as wire:
        await wire.send(raw(LENGTH + b"Connection: close\r\n") + raw(LENGTH))
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await wire.rest() == b""
    assert len(stage.fake.requests) == 1


async def test_http_1_0_is_served_and_closed(stage: Stage) -> None:
    stage.fake.always(completion())
    for host in (HOST, b""):
        async with await stage.wire() as wire:
            await wire.send(raw(LENGTH, line=b"POST /v1/chat/completions HTTP/1.0\r\n", host=host) + raw(LENGTH))
            assert (await wire.answer()).status == 200
            assert await wire.rest() == b""
    assert len(stage.fake.requests) == 2


async def test_a_client_that_sends_its_end_counts_as_gone(stage: Stage) -> None:
    before = stage.fake.aborted
    stage.fake.always(Script(head_delay_s=60))
    async with await stage.wire() as wire:
        await wire.send(raw(LENGTH))
        await stage.fake.until(lambda fake: fake.requests)
        wire.finish_sending()
        await stage.fake.until(lambda fake: fake.aborted > before)
        assert await wire.rest() == b""
