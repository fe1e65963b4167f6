"""The whole process: what a provider lists comes into use, and stays in use when the next list is bad."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import httpx

from tests.fakes.provider import FakeProvider, json_reply
from tests.process.headgate import Home, Process

KEY = "hg-written-in-the-document"
MODELS = [{"id": f"m{number}", "pricing": {"prompt": "0.000001", "completion": "0.000002"}} for number in range(20)]
# The same command, but lists are fetched at once and a refused one soon again.
AT_ONCE = (
    "import sys; from pathlib import Path; from headgate import app; from headgate.catalog.schedule import Timing; "
    "from headgate.cli.up import up; app.REFRESH_TIMING = Timing(first_s=0, look_s=0.05, retry_s=0.1); "
    "sys.exit(up(Path('headgate.yaml'), None, 0, False))"
)
COMMAND = (sys.executable, "-c", AT_ONCE)


def write(home: Home, fake: FakeProvider, hours: int) -> None:
    (home.directory / "headgate.yaml").write_text(
        f"keys: [{{name: dev, secret: {KEY}}}]\n"
        f"providers: {{sambanova: {{api_key: sk-never-told, base_url: '{fake.base_url}'}}}}\n"
        f"catalog: {{refresh_hours: {hours}}}\n"
    )


async def names(process: Process) -> set[str]:
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(trust_env=False, timeout=60, headers=headers) as client:
        reply = await client.get(f"http://127.0.0.1:{process.port}/v1/models")
    answer: dict[str, Any] = reply.json()
    return {model["id"] for model in answer["data"]}


async def test_a_list_comes_into_use_and_serves_on_over_a_restart_when_the_next_is_bad(home: Home) -> None:
    async with FakeProvider() as fake:
        fake.always(json_reply({"data": MODELS}))
        write(home, fake, hours=24)
        with home.up(command=COMMAND) as process:
            async with asyncio.timeout(60):
                while "m0" not in await names(process):  # noqa: ASYNC110 - another process does not announce it
                    await asyncio.sleep(0.05)
            assert await asyncio.to_thread(process.stop) == 0
        assert "Traceback" not in process.errors, process.errors
        (copy,) = (home.data / "catalog").glob("sambanova-*.json")
        # As if it had been fetched long ago, so that the next start fetches the list again.
        copy.write_text(copy.read_text().replace('"fetched_at":"20', '"fetched_at":"19'))
        fake.always(json_reply({"data": [{"id": "m0", "pricing": {"prompt": "1", "completion": "2"}}]}))
        asked = len(fake.requests)
        with home.up(command=COMMAND) as process:
            await fake.until(lambda fake: len(fake.requests) > asked + 1)
            await asyncio.to_thread(process.until_it_says, "is not used, shrunk")
            assert {model["id"] for model in MODELS} <= await names(process)
            assert await asyncio.to_thread(process.stop) == 0
        assert "Traceback" not in process.errors, process.errors
        assert "sk-never-told" not in process.errors
        kept = "".join(path.read_text() for path in (home.data / "catalog").iterdir())
        assert "sk-never-told" not in kept


async def test_with_0_hours_nobody_is_asked(home: Home) -> None:
    async with FakeProvider() as fake:
        write(home, fake, hours=0)
        with home.up(command=COMMAND) as process:
            for _ in range(10):
                await names(process)
                await asyncio.sleep(0.05)
            assert await asyncio.to_thread(process.stop) == 0
        assert fake.requests == []
