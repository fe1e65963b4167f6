"""One gateway and one fake provider for each module of tests; every test starts with a provider that knows nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest_asyncio
import uvloop

from tests.fakes.provider import FakeProvider
from tests.surface.gateway import Running, running
from tests.surface.stage import Stage, document


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the gateway runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[tuple[Running, FakeProvider]]:
    async with FakeProvider() as fake, running(document(fake)) as gateway:
        yield gateway, fake


@pytest_asyncio.fixture(loop_scope="module")
async def stage(shared: tuple[Running, FakeProvider]) -> AsyncIterator[Stage]:
    gateway, fake = shared
    fake.requests.clear()
    gateway.health.clear()
    yield Stage(gateway, fake)
    await gateway.until_idle()
