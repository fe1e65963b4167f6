"""Ports for tests: one that is free, one that refuses whoever connects.

Tests run beside each other, so a port that was free a moment ago may be somebody's now: the kernel hands out a port of
its own range to every listener and every outgoing connection. Both kinds here are out of its reach.
"""

from __future__ import annotations

import secrets
import socket

# Below 32768, where Linux begins to hand out ports of its own accord.
_CHOICE = range(20_000, 32_000)

_held: list[socket.socket] = []


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on, for a server that has to be told its port."""
    while True:
        port = secrets.choice(_CHOICE)
        try:
            with socket.create_server((host, port)):
                return port
        except OSError:
            continue


def refused_port(host: str = "127.0.0.1") -> int:
    """A port that refuses every connection as long as this process lives: it is taken, and nobody listens."""
    taken = socket.socket()
    taken.bind((host, 0))
    _held.append(taken)
    return int(taken.getsockname()[1])
