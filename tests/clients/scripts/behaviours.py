"""Runs the behaviours of one client, one after the other, and prints a line for each."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

BASE_URL = os.environ["LLM_BASE_URL"]
API_KEY = os.environ["LLM_API_KEY"]
MODEL = os.environ["LLM_MODEL"]
EMBEDDING_MODEL = os.environ.get("LLM_EMBEDDING_MODEL", "sandbox/embed")

Behaviour = Callable[[], None] | Callable[[], Coroutine[Any, Any, None]]
ErrorT = TypeVar("ErrorT", bound=Exception)


def run(*behaviours: Behaviour) -> None:
    """Call each; its docstring says what it shows. The first failure ends the program with a traceback."""
    asyncio.run(_run(behaviours))


async def _run(behaviours: tuple[Behaviour, ...]) -> None:
    for behaviour in behaviours:
        # One event loop for all: an async client's connections belong to the loop they were opened in.
        if inspect.iscoroutinefunction(behaviour):
            await behaviour()
        else:
            await asyncio.to_thread(behaviour)
        print(f"ok: {inspect.getdoc(behaviour)}", flush=True)


def raised(kind: type[ErrorT], call: Callable[[], object]) -> ErrorT:
    """The error of this kind that `call` raises; that it raises none is a failure."""
    try:
        answer = call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected, the answer was {answer!r}")
