"""Where a connection goes: the origin of a base URL, and the proxy on the way."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import msgspec

from headgate.types.secret import Secret

_IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
DEFAULT_PORTS = {"http": 80, "https": 443}


class Proxy(msgspec.Struct, frozen=True):
    """An HTTP proxy spoken to in the clear; `authorization` is the whole header value."""

    host: str
    port: int
    authorization: Secret | None = None


class Origin(msgspec.Struct, frozen=True):
    """Scheme, host and port, and the proxy in between. Connections are shared by those that go to the same origin."""

    scheme: str
    host: str
    port: int
    proxy: Proxy | None = None

    @property
    def authority(self) -> str:
        """What belongs in a `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_proxy(url: str) -> Proxy:
    """Read `http://[user:password@]host:port`. Raises ValueError saying what is not supported."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http":
        raise ValueError(f"a proxy of scheme {parts.scheme!r} is not supported; use http://host:port")
    if not parts.hostname:
        raise ValueError("a proxy needs a host: http://host:port")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("a proxy's URL must end after its port; a '/' in its password is written %2F")
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = Secret("Basic " + base64.b64encode(pair.encode()).decode())
    try:
        port = parts.port or 80
    except ValueError:
        # Python's message quotes what stands there, which may be a password that was not escaped.
        raise ValueError("a proxy's port must be a number up to 65535") from None
    return Proxy(parts.hostname, port, authorization)


def origin_of(base_url: str, proxy_url: str | None, env: Mapping[str, str]) -> Origin:
    """The origin of a base URL; the proxy is the one given, else the environment's (HTTP_PROXY, HTTPS_PROXY, NO_PROXY).

    Raises ValueError for a URL or proxy that cannot be used.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"not an http or https URL: {base_url!r}")
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    host = parts.hostname.encode("idna").decode() if not parts.hostname.isascii() else parts.hostname
    if proxy_url is None:
        proxy_url = _proxy_from(env, parts.scheme, host, port)
    return Origin(parts.scheme, host, port, parse_proxy(proxy_url) if proxy_url else None)


def _proxy_from(env: Mapping[str, str], scheme: str, host: str, port: int) -> str | None:
    for name in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY"):
        url = env.get(name)
        if url:
            exempt = env.get("no_proxy") or env.get("NO_PROXY") or ""
            return None if is_exempt(host, port, exempt) else url
    return None


def is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY lists the host: `*`, a name (which covers its subdomains), an address or network, with port."""
    host = host.lower().rstrip(".")
    address = _address(host)
    for entry in no_proxy.lower().replace(",", " ").split():
        if entry == "*":
            return True
        name, entry_port = _split_port(entry)
        if entry_port is not None and entry_port != port:
            continue
        if address is not None:
            if _in_network(address, name):
                return True
            continue
        name = name.lstrip("*").lstrip(".").rstrip(".")
        if name and (host == name or host.endswith("." + name)):
            return True
    return False


def _split_port(entry: str) -> tuple[str, int | None]:
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, int(rest[1:]) if rest[1:].isdecimal() else None
    name, colon, port = entry.rpartition(":")
    if colon and port.isdecimal() and ":" not in name:
        return name, int(port)
    return entry, None


def _address(host: str) -> _IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _in_network(address: _IPAddress, entry: str) -> bool:
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
