"""Limits of requests and tokens a minute, and of requests at once."""

from __future__ import annotations

import asyncio
import sys

import pytest

from headgate.errors import GatewayError
from headgate.ledger.limits import CONCURRENT, REQUESTS, TOKENS, LimitHold, LimitReached, LimitState, MemoryLimiter
from headgate.types.policy import Allowance, KeyLimits
from tests.unit.ledger.immediate import immediate

SECOND = 10**9


class Clock:
    def __init__(self) -> None:
        self.now = 10**12

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> MemoryLimiter:
    return MemoryLimiter(clock)


def allowed(
    scope: str = "key:a", rpm: int | None = None, tpm: int | None = None, concurrent: int | None = None
) -> tuple[Allowance]:
    return (Allowance(scope=scope, limits=KeyLimits(rpm=rpm, tpm=tpm, concurrent=concurrent)),)


def reserve(limiter: MemoryLimiter, allowances: tuple[Allowance, ...], tokens: int = 0, entered: int = 0) -> LimitHold:
    return immediate(limiter.reserve(allowances, tokens, entered))


def refused(
    limiter: MemoryLimiter, allowances: tuple[Allowance, ...], tokens: int = 0, entered: int = 0
) -> LimitReached:
    with pytest.raises(LimitReached) as caught:
        reserve(limiter, allowances, tokens, entered)
    return caught.value


def state(limiter: MemoryLimiter, scope: str = "key:a") -> LimitState:
    found = limiter.state(scope)
    assert found is not None
    return found


def test_a_key_makes_as_many_requests_a_minute_as_its_limit_and_is_told_when_the_next_one_fits(
    limiter: MemoryLimiter, clock: Clock
) -> None:
    limit = allowed(rpm=20)
    for _ in range(20):
        reserve(limiter, limit).settle(0)
    error = refused(limiter, limit)
    assert (error.scope, error.limit, error.value, error.never) == ("key:a", REQUESTS, 20, False)
    assert error.retry_after_s == 3
    assert error.message == "this key may make 20 requests a minute; try again in 3 s"
    clock.now += 3 * SECOND - 1
    refused(limiter, limit)
    clock.now += 1
    reserve(limiter, limit)
    refused(limiter, limit)


def test_a_refusal_is_a_429_in_the_words_of_openai() -> None:
    error = LimitReached("key:a", TOKENS, 10, 1, [])
    assert isinstance(error, GatewayError)
    assert (error.status, error.code, error.type) == (429, "rate_limit_exceeded", "tokens")
    assert error.headers == ((b"retry-after", b"1"),)


def test_tokens_are_settled_to_the_truth(limiter: MemoryLimiter) -> None:
    limit = allowed(tpm=1000)
    hold = reserve(limiter, limit, 600)
    assert state(limiter).tokens == 400
    hold.settle(150)
    assert state(limiter).tokens == 850


def test_more_use_than_reserved_is_debt_that_refills_pay_off_first(limiter: MemoryLimiter, clock: Clock) -> None:
    limit = allowed(tpm=600)
    reserve(limiter, limit, 600).settle(750)
    assert state(limiter) == LimitState(requests=None, tokens=0, token_debt=150, concurrent=0)
    assert refused(limiter, limit, 10).retry_after_s == 16
    clock.now += 15 * SECOND
    assert state(limiter) == LimitState(requests=None, tokens=0, token_debt=0, concurrent=0)
    clock.now += SECOND
    assert state(limiter).tokens == 10


def test_whoever_is_in_debt_cannot_send_even_what_is_estimated_at_nothing(limiter: MemoryLimiter) -> None:
    limit = allowed(tpm=60)
    reserve(limiter, limit, 60).settle(61)
    assert refused(limiter, limit, 0).retry_after_s == 1


def test_release_gives_the_tokens_back_and_keeps_the_request_counted(limiter: MemoryLimiter) -> None:
    hold = reserve(limiter, allowed(rpm=10, tpm=100, concurrent=1), 70)
    hold.release()
    assert state(limiter) == LimitState(requests=9, tokens=100, token_debt=0, concurrent=0)


@pytest.mark.parametrize("ends", [("settle", "release"), ("release", "settle"), ("settle", "settle"), ("release",) * 3])
def test_only_the_first_end_of_a_hold_counts(limiter: MemoryLimiter, ends: tuple[str, ...]) -> None:
    limit = allowed(tpm=100, concurrent=5)
    other = reserve(limiter, limit, 10)
    hold = reserve(limiter, limit, 50)
    for number, end in enumerate(ends):
        hold.release() if end == "release" else hold.settle(20 + number)
    assert state(limiter).tokens == (70 if ends[0] == "settle" else 90)
    assert state(limiter).concurrent == 1
    other.release()


async def test_concurrency_is_given_back_on_every_way_out(limiter: MemoryLimiter) -> None:
    limit = allowed(concurrent=2)

    async def work(fate: str) -> None:
        hold = await limiter.reserve(limit, 10)
        try:
            await asyncio.sleep(0)
            if fate == "error":
                raise ValueError(fate)
            if fate == "hang":
                await asyncio.sleep(3600)
            hold.settle(5)
        finally:
            hold.release()

    loop = asyncio.get_running_loop()
    hanging = loop.create_task(work("hang"))
    failing = loop.create_task(work("error"))
    await asyncio.sleep(0)
    error = refused(limiter, limit)
    assert (error.limit, error.value, error.retry_after_s, error.never) == (CONCURRENT, 2, 1, False)
    assert error.message == "this key may have 2 requests at once; try again when another request has ended"
    with pytest.raises(ValueError, match="error"):
        await failing
    await work("end")
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    assert state(limiter).concurrent == 0


def test_an_answer_that_may_be_longer_than_the_limit_takes_all_there_is(limiter: MemoryLimiter) -> None:
    limit = allowed(tpm=100)
    hold = reserve(limiter, limit, 5000, 100)
    assert state(limiter).tokens == 0
    hold.settle(130)
    assert state(limiter).token_debt == 30


def test_an_input_longer_than_the_limit_never_fits_and_no_client_should_try_again(limiter: MemoryLimiter) -> None:
    error = refused(limiter, allowed(tpm=100), 5000, 101)
    assert error.never
    assert error.message == "this key may use 100 tokens a minute; the input of this request alone is more: shorten it"
    assert (b"x-should-retry", b"false") in error.headers
    assert b"retry-after" not in dict(error.headers)


@pytest.mark.parametrize(
    ("limit", "name"), [(KeyLimits(rpm=0), REQUESTS), (KeyLimits(tpm=0), TOKENS), (KeyLimits(concurrent=0), CONCURRENT)]
)
def test_a_limit_of_nothing_lets_nothing_through_ever(limiter: MemoryLimiter, limit: KeyLimits, name: str) -> None:
    error = refused(limiter, (Allowance(scope="key:a", limits=limit),), 10, 5)
    assert (error.limit, error.value, error.never) == (name, 0, True)


def test_all_allowances_are_taken_or_none(limiter: MemoryLimiter) -> None:
    key = allowed(rpm=10, tpm=1000, concurrent=10)
    token = allowed("token:t", rpm=10)
    workspace = allowed("workspace:w", tpm=100)
    refusal = refused(limiter, (*key, *token, *workspace[:0], *allowed("workspace:w", rpm=0)), 50)
    assert refusal.scope == "workspace:w"
    assert state(limiter) == LimitState(requests=10, tokens=1000, token_debt=0, concurrent=0)
    assert state(limiter, "token:t").requests == 10
    hold = reserve(limiter, (*key, *token, *workspace), 100)
    assert state(limiter).tokens == 900
    assert state(limiter, "workspace:w").tokens == 0
    hold.settle(300)
    assert state(limiter).tokens == 700
    assert state(limiter, "workspace:w").token_debt == 200
    assert [state(limiter, scope).concurrent for scope in ("key:a", "token:t", "workspace:w")] == [0, 0, 0]


def test_each_allowance_holds_what_it_can_of_a_long_answer(limiter: MemoryLimiter) -> None:
    hold = reserve(limiter, (*allowed(tpm=100), *allowed("workspace:w", tpm=10_000)), 3000, 50)
    assert state(limiter, "workspace:w").tokens == 7000
    hold.settle(80)
    assert state(limiter).tokens == 20
    assert state(limiter, "workspace:w").tokens == 9920


def test_the_refusal_names_the_limit_that_has_room_last(limiter: MemoryLimiter) -> None:
    both = (*allowed(rpm=60), *allowed("token:t", rpm=1))
    reserve(limiter, both).settle(0)
    for _ in range(59):
        reserve(limiter, both[:1]).settle(0)
    error = refused(limiter, both)
    assert (error.scope, error.retry_after_s) == ("token:t", 60)
    assert dict(error.headers)[b"retry-after"] == b"60"
    assert (
        error.message
        == "the limit of this key's creator, for all keys it made, is to make 1 request a minute; try again in 60 s"
    )
    error = refused(limiter, (*both, *allowed("workspace:w", tpm=9)), 10, 10)
    assert (error.scope, error.never) == ("workspace:w", True)
    assert error.message.startswith("the workspace's limit, for all its keys, is to use 9 tokens a minute; ")


def test_limits_are_those_of_the_call_and_the_level_goes_along(limiter: MemoryLimiter, clock: Clock) -> None:
    reserve(limiter, allowed(rpm=10))
    reserve(limiter, allowed(rpm=100))
    assert state(limiter).requests == 8
    reserve(limiter, allowed(rpm=5))
    assert state(limiter).requests == 4
    reserve(limiter, allowed())
    clock.now += 60 * SECOND
    assert state(limiter).requests == 5


def test_requests_under_way_count_when_a_limit_is_set_later(limiter: MemoryLimiter) -> None:
    running = reserve(limiter, allowed())
    refused(limiter, allowed(concurrent=1))
    running.release()
    reserve(limiter, allowed(concurrent=1))


def test_the_headers_are_those_of_openai_for_whichever_allowance_has_least_left(
    limiter: MemoryLimiter, clock: Clock
) -> None:
    allowances = (*allowed(rpm=60, tpm=60_000), *allowed("token:t"), *allowed("workspace:w", rpm=600, tpm=20_000))
    hold = reserve(limiter, allowances, 18_000)
    expected = {
        b"x-ratelimit-limit-requests": b"60",
        b"x-ratelimit-remaining-requests": b"59",
        b"x-ratelimit-reset-requests": b"1s",
        b"x-ratelimit-limit-tokens": b"20000",
        b"x-ratelimit-remaining-tokens": b"2000",
        b"x-ratelimit-reset-tokens": b"54s",
    }
    assert dict(hold.headers()) == expected
    clock.now += SECOND // 2
    assert dict(hold.headers())[b"x-ratelimit-reset-requests"] == b"500ms"
    error = refused(limiter, allowances, 5000)
    assert error.retry_after_s == 8.5
    assert dict(error.headers) == {
        **expected,
        b"x-ratelimit-reset-requests": b"500ms",
        b"x-ratelimit-remaining-tokens": b"2166",
        b"x-ratelimit-reset-tokens": b"53.5s",
        b"retry-after": b"9",
    }
    hold.settle(17_000)
    assert dict(hold.headers())[b"x-ratelimit-remaining-tokens"] == b"3166"


def test_there_are_no_headers_without_limits(limiter: MemoryLimiter) -> None:
    assert reserve(limiter, (*allowed(), *allowed("token:t", concurrent=4))).headers() == []


def test_idle_meters_are_forgotten_and_none_that_matters(limiter: MemoryLimiter, clock: Clock) -> None:
    reserve(limiter, allowed("key:in use", rpm=60, tpm=60)).settle(0)
    running = reserve(limiter, allowed("key:running", rpm=60, tpm=60))
    reserve(limiter, allowed("key:in debt", rpm=60, tpm=60)).settle(120)
    reserve(limiter, allowed("key:idle", rpm=60, tpm=60)).settle(0)

    def left() -> list[str]:
        limiter.forget({"key:in use"})
        return [name for name in ("in use", "running", "in debt", "idle") if limiter.state(f"key:{name}")]

    assert left() == ["in use", "running", "in debt", "idle"]
    clock.now += 60 * SECOND
    assert left() == ["in use", "running", "in debt"]
    clock.now += 60 * SECOND
    assert left() == ["in use", "running"]
    running.release()
    assert left() == ["in use"]


def test_requests_that_are_over_leave_nothing_behind(limiter: MemoryLimiter, clock: Clock) -> None:
    limit = allowed(rpm=10**9, tpm=10**9, concurrent=3)
    for _ in range(2000):
        reserve(limiter, limit, 100).settle(90)
    before = sys.getallocatedblocks()
    for _ in range(20_000):
        clock.now += SECOND
        reserve(limiter, limit, 100).settle(90)
    assert sys.getallocatedblocks() - before < 500
    assert state(limiter).concurrent == 0
