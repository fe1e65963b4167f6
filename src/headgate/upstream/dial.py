"""Open a connection to an origin: names, addresses in parallel, a proxy's tunnel, TLS."""

from __future__ import annotations

import asyncio
import functools
import os
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

import aiohappyeyeballs

from headgate.types.fault import FaultClass
from headgate.upstream.exchange import ExchangeFailed
from headgate.upstream.origin import Origin, Proxy

MAX_TUNNEL_REPLY = 16 * 1024
# RFC 8305 §5 recommends 250 ms before the next address is tried beside the first.
NEXT_ADDRESS_S = 0.25

P = TypeVar("P", bound=asyncio.Protocol)


@functools.cache
def system_tls() -> ssl.SSLContext:
    """TLS with the system's roots (or SSL_CERT_FILE / SSL_CERT_DIR), host names checked, HTTP/1.1 offered."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def dial(
    origin: Origin, protocol: Callable[[], P], connect_s: float, tls: Callable[[], ssl.SSLContext] = system_tls
) -> P:
    """Connect within `connect_s` seconds, everything included. Raises ExchangeFailed(CONNECT_FAILED)."""
    try:
        async with asyncio.timeout(connect_s):
            return await _dial(origin, protocol, tls)
    except TimeoutError:
        raise _failed(origin, f"no connection within {connect_s:g} s") from None
    except ssl.SSLCertVerificationError as error:
        # What stands behind the comma is whom we called, which is the operator's business.
        why = error.verify_message.partition(",")[0]
        raise _failed(origin, f"its certificate is not trusted: {why}") from None
    except ssl.SSLError as error:
        raise _failed(origin, f"TLS failed: {(error.reason or 'unknown reason').replace('_', ' ').lower()}") from None
    except socket.gaierror as error:
        raise _failed(origin, f"its name does not resolve: {error.strerror}") from None
    except UnicodeError:
        # The resolver's own complaint about a label that is empty or too long.
        raise _failed(origin, "its name is not a host name") from None
    except (ConnectionResetError, ConnectionAbortedError, BrokenPipeError):
        raise _failed(origin, "it closed the connection") from None
    except OSError as error:
        # Without a number it is several addresses that failed in several ways.
        raise _failed(origin, os.strerror(error.errno) if error.errno else "none of its addresses answered") from None


async def _dial(origin: Origin, protocol: Callable[[], P], tls: Callable[[], ssl.SSLContext]) -> P:
    loop = asyncio.get_running_loop()
    hop = origin.proxy or origin
    addresses = await loop.getaddrinfo(hop.host, hop.port, type=socket.SOCK_STREAM)
    sock = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=NEXT_ADDRESS_S, loop=loop)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if origin.scheme == "http":
            _, connection = await loop.create_connection(protocol, sock=sock)
            return connection
        if origin.proxy is not None:
            await _open_tunnel(loop, sock, origin, origin.proxy)
        _, connection = await loop.create_connection(protocol, sock=sock, ssl=tls(), server_hostname=origin.host)
    except BaseException:  # because nobody else will ever close the socket of a dial that was cancelled
        sock.close()
        raise
    return connection


async def _open_tunnel(loop: asyncio.AbstractEventLoop, sock: socket.socket, origin: Origin, proxy: Proxy) -> None:
    """Ask the proxy for a tunnel by CONNECT (RFC 9110 §9.3.6) and read its reply up to the blank line."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    authority = f"{host}:{origin.port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization.reveal()}")
    await loop.sock_sendall(sock, ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    reply = b""
    while b"\r\n\r\n" not in reply:
        # A byte past the blank line would be the start of TLS and must stay in the socket; the other side speaks
        # second in TLS, so a proxy that sends more is broken.
        piece = await loop.sock_recv(sock, 4096)
        reply += piece
        if not piece or len(reply) > MAX_TUNNEL_REPLY:
            raise _failed(origin, "the proxy closed or did not answer in HTTP")
    status = reply.split(b"\r\n", 1)[0].split(b" ", 2)
    if len(status) < 2 or not status[0].startswith(b"HTTP/1.") or not status[1].startswith(b"2"):
        code = status[1][:3].decode("latin-1") if len(status) > 1 and status[1].isdigit() else "nothing readable"
        raise _failed(origin, f"the proxy refused the tunnel with {code}")


def _failed(origin: Origin, why: str) -> ExchangeFailed:
    """The failure in words for a client: the reason alone, because addresses are the operator's business."""
    via = " through the proxy" if origin.proxy is not None else ""
    return ExchangeFailed(FaultClass.CONNECT_FAILED, f"could not connect{via}: {why}", nothing_received=True)
