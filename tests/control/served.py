"""The admin API served over a real socket, on a real store, with a document of its own."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from headgate.config.document import RoutePart
from headgate.config.load import Loaded, load_document
from headgate.config.offering import Offering, offers_of
from headgate.config.stored import Compiler, workspace_document
from headgate.control.app import Control, build_app, uncached
from headgate.ledger.budget import MemoryBudgets
from headgate.store.engine import Store
from headgate.types.snapshot import Snapshot

OWNER = "an-owner-of-everything-from-the-environment"
DOCUMENT_SECRET = "hg-canary-of-the-document-key"
DOCUMENT_CREDENTIAL = "canary-of-the-document-credential"
DOCUMENT = f"""
keys:
  - name: written
    secret: {DOCUMENT_SECRET}
    budget: {{usd: 25, per: month}}
  - {{name: other-written, secret: hg-another-document-key-secret, workspace: other}}
providers:
  sandbox: {{}}
  mybox:
    dialect: openai
    base_url: http://127.0.0.1:9/v1
    api_key: {DOCUMENT_CREDENTIAL}
    headers: {{x-hidden: header-canary-of-the-document}}
    models: [{{id: tiny, input_usd_per_mtok: "0.1", output_usd_per_mtok: "0.2"}}]
models:
  fast: {{targets: [mybox/tiny]}}
"""


class QuietLedger:
    """A ledger in good health, until a test says otherwise."""

    waiting_bytes = 0
    dropped = 0

    def __init__(self) -> None:
        self.trouble: str | None = None
        self.broken: Callable[[], None] = lambda: None

    @property
    def alarm(self) -> str | None:
        self.broken()
        return self.trouble

    @property
    def refuses(self) -> bool:
        return self.trouble is not None


class Served:
    """A running admin API. `client` shows no token; `as_owner` shows the one of everything."""

    def __init__(self, store: Store, directory: Path) -> None:
        self.store = store
        self.ledger = QuietLedger()
        self.budgets = MemoryBudgets({}, now=time.time())
        path = directory / "headgate.yaml"
        path.write_text(DOCUMENT)
        self.loaded: Loaded = load_document(path, {}, directory)
        self._compile = Compiler(store.credentials.open, {}, {})
        self.published = 0
        self.publishing: OSError | None = None
        self._compiled: tuple[int, Snapshot] | None = None
        self.app: FastAPI = build_app(
            Control(
                store=store,
                budgets=self.budgets,
                ledger=self.ledger,
                snapshot=lambda: self.snapshot,
                document=lambda: self.loaded,
                publish=self.publish,
                validate_route=self.problems_of,
                env={},
                admin_token_hash=hashlib.sha256(OWNER.encode()).digest(),
            )
        )
        self.address = ""

    def publish(self) -> None:
        self.published += 1
        if self.publishing is not None:
            raise self.publishing

    @property
    def snapshot(self) -> Snapshot:
        """What is in use, compiled when somebody looks."""
        if self._compiled is None or self._compiled[0] != self.published:
            everything = self.store.load()
            compiled = self._compile(self.loaded.document, everything, revision=self.published, created=0)
            self._compiled = self.published, compiled.snapshot
        return self._compiled[1]

    def problems_of(self, workspace: str, route: RoutePart) -> list[str]:
        document = workspace_document(self.loaded.document, workspace, [], {}, [])
        offering = Offering(offers_of(document))
        targets = (*route.targets, *route.fallback)
        return [f"nobody offers {name}" for name in targets if "*" not in name and not offering.resolve(name)]

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=60, trust_env=False)

    def as_owner(self) -> httpx.Client:
        return self.client(OWNER)

    def token(self, role: str, workspace: str = "default", **more: Any) -> str:
        """A new token, made the way a user makes one."""
        with self.as_owner() as owner:
            made = owner.post(
                "/api/tokens", params={"workspace": workspace}, json={"name": f"a {role}", "role": role, **more}
            )
        assert made.status_code == 201, made.text
        secret: str = made.json()["secret"]
        return secret


@contextlib.contextmanager
def serving(store: Store, directory: Path) -> Iterator[Served]:
    """Serve the admin API on a free port of this machine until the block ends."""
    served = Served(store, directory)
    config = uvicorn.Config(uncached(served.app), lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    served.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        yield served
    finally:
        server.should_exit = True
        thread.join(60)
        listener.close()
