"""A gateway in this process whose replies are kept instead of being sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import yaml

from headgate.config.compile import compile_snapshot
from headgate.config.load import load_document
from headgate.dialects.openai.request import parse_request
from headgate.gateway.gateway import Gateway
from headgate.routing.observed import Observed
from headgate.types.deployment import Operation
from headgate.types.principal import Principal
from headgate.types.request import Account, Request, RequestIds
from headgate.types.snapshot import Snapshot
from headgate.upstream.call import Caller
from headgate.upstream.pool import Pool
from tests.surface.gateway import books


class KeptReply:
    """Keeps what a client would have received."""

    def __init__(self) -> None:
        self.committed = False
        self.ended = False
        self.body = b""
        self.account: Account | None = None

    async def whole(self, body: bytes, account: Account) -> None:
        self.committed = self.ended = True
        self.body, self.account = body, account

    async def begin(self, data: bytes, account: Account) -> None:
        self.committed = True
        self.body, self.account = data, account

    def write(self, data: bytes) -> bool:
        self.body += data
        return True

    async def drained(self) -> None:
        raise AssertionError("nobody is behind here")

    async def end(self, data: bytes) -> None:
        self.body += data
        self.ended = True


def snapshot_of(document: Mapping[str, object], folder: Path) -> Snapshot:
    """Load and compile a document as `headgate up` would."""
    path = folder / "headgate.yaml"
    # What a refusal is told as is looked at here, and not what else is tried.
    path.write_text(yaml.safe_dump({"retries": 0, **document}))
    loaded = load_document(path, {}, folder)
    return compile_snapshot(loaded.document, revision=1, created=0, issued_keys={})


@asynccontextmanager
async def running_gateway() -> AsyncIterator[Gateway]:
    pool = Pool()
    try:
        yield Gateway(Caller(pool, {}), asyncio.get_running_loop().time, books(), Observed())
    finally:
        await pool.close()


async def ask(gateway: Gateway, snapshot: Snapshot, operation: Operation, body: Mapping[str, object]) -> KeptReply:
    """Send one request through the gateway. Raises GatewayError."""
    envelope = parse_request(operation, msgspec.json.encode(body))
    request = Request(id=RequestIds().next(), snapshot=snapshot, principal=Principal(key="test"), envelope=envelope)
    reply = KeptReply()
    await gateway.serve(request, reply)
    return reply
